/*
 * What of lwIP a guest uses, and how much memory it may take. Included by every
 * lwIP file and, through <lwip/sockets.h>, by programs; the defaults are in
 * lwip/opt.h.
 */
#ifndef RINGSIDE_LWIPOPTS_H
#define RINGSIDE_LWIPOPTS_H

/*
 * Threads. One lock guards the stack; whoever has it may call it. Threads are
 * cooperative and nothing of lwIP runs in event handlers, so the small critical
 * sections need nothing (arch/sys_arch.h).
 */
#define NO_SYS                  0
#define SYS_LIGHTWEIGHT_PROT    1
#define LWIP_TCPIP_CORE_LOCKING 1
#define TCPIP_THREAD_NAME       "net"
#define TCPIP_THREAD_STACKSIZE  (32 * 1024)
#define TCPIP_MBOX_SIZE         64
#define LWIP_NETIF_LOOPBACK     1
#define LWIP_HAVE_LOOPIF        1
#define LWIP_LOOPBACK_MAX_PBUFS 64

/* Timers run only while something needs them: guest-kernel/net/timers.c. */
#define LWIP_TIMERS        1
#define LWIP_TIMERS_CUSTOM 1

/*
 * Sockets. A program's socket() is guest-kernel/net/socket.c, which gives it
 * a descriptor of the guest kernel's table; under that name lwIP's own
 * functions stay reachable inside the stack as lwip_socket() and so on.
 */
#define LWIP_SOCKET  1
#define LWIP_NETCONN 1
#ifdef RINGSIDE_LWIP
#define LWIP_COMPAT_SOCKETS 0
#else
#define LWIP_COMPAT_SOCKETS 2
#endif
#define LWIP_POSIX_SOCKETS_IO_NAMES 0
#define LWIP_ERRNO_STDINCLUDE       1
#define LWIP_TIMEVAL_PRIVATE        0
#define LWIP_SO_RCVTIMEO            1
#define LWIP_SO_SNDTIMEO            1
#define LWIP_SO_RCVBUF              1
#define LWIP_SO_LINGER              1
#define SO_REUSE                    1
#define LWIP_TCP_KEEPALIVE          1
#define LWIP_FIONREAD_LINUXMODE     1
#define TCP_LISTEN_BACKLOG          1
#define TCP_DEFAULT_LISTEN_BACKLOG  64
#define MEMP_NUM_NETCONN            240   /* of them select() takes */
#define NUM_SOCKETS                 16384 /* memory ends before, mostly */
#define DEFAULT_ACCEPTMBOX_SIZE     64
#define DEFAULT_TCP_RECVMBOX_SIZE   512
#define DEFAULT_UDP_RECVMBOX_SIZE   128

/*
 * Threads of a program share sockets: each waits on a semaphore of its own, so
 * that nobody else takes its wake-up; and a socket counts the places of poll()
 * calls that wait for it.
 */
#define LWIP_NETCONN_SEM_PER_THREAD 1
#define SELWAIT_T                   unsigned int

/* Protocols. */
#define LWIP_IPV4                  1
#define LWIP_IPV6                  0
#define LWIP_DHCP                  1
#define LWIP_DHCP_DOES_ACD_CHECK   0
#define DHCP_DOES_ARP_CHECK        0
#define LWIP_DNS                   1
#define DNS_MAX_SERVERS            2
#define LWIP_NETIF_HOSTNAME        1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_LINK_CALLBACK   1
#define ARP_QUEUEING               1
#define ETHARP_SUPPORT_VLAN        1
#define ARP_TABLE_SIZE             32
#define LWIP_STATS                 0

/* A tag without a number (a priority) is none; others are not for us. */
#define LWIP_HOOK_VLAN_CHECK(netif, eth, vlan) (VLAN_ID(vlan) == 0)

/*
 * Memory comes from the C library's heap, counted by guest-kernel/net/memory.c.
 * With MEMP_MEM_MALLOC no pool has a size, so what bounds each queue is below.
 */
#define MEM_ALIGNMENT            16
#define MEM_LIBC_MALLOC          1
#define MEMP_MEM_MALLOC          1
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define PBUF_POOL_BUFSIZE        1600
#define mem_clib_malloc          net_heap_alloc
#define mem_clib_calloc          net_heap_calloc
#define mem_clib_free            net_heap_free
#define LWIP_MEMORY_SHORT()      net_memory_short()
#define LWIP_PBUF_HELD(p)        net_pbuf_held(p)
#include <stddef.h>
struct pbuf;
void *net_heap_alloc(size_t n);
void *net_heap_calloc(size_t n, size_t size);
void net_heap_free(void *p);
/* lwIP holds more than its share; the share; what one buffer really takes. */
int net_memory_short(void);
size_t net_memory_limit(void);
unsigned int net_pbuf_held(const struct pbuf *p);

/*
 * What a peer can make the stack keep (docs/network.md has the table). A
 * segment in a page of the card counts 4 KiB, so a connection that lost one
 * frame of a full window needs nearly three windows.
 */
#define TCP_MAX_HALF_OPEN           128
#define TCP_MAX_PCBS                (LWIP_MAX(1024, net_memory_limit() / 8192))
#define TCP_MAX_ORPHANS             256
#define TCP_OOSEQ_MAX_PBUFS         256
#define TCP_OOSEQ_MAX_BYTES         (3 * TCP_WND)
#define TCP_OOSEQ_ALL_BYTES_LIMIT() (net_memory_limit() / 2)
#define IP_REASS_MAX_PBUFS          128
#define IP_REASS_BYTES_LIMIT()      (net_memory_limit() / 8)
#define RECV_BUFSIZE_DEFAULT        (256 * 1024) /* UDP */

/* A connection or frame is dropped for what lwIP would else assert. */
#define LWIP_PACKET_ERROR(what) net_packet_error(what)
void net_packet_error(const char *what);

/*
 * TCP for throughput on links without loss and with an MTU of up to 64 KiB:
 * windows of a quarter MiB, segments of four pages. Larger ones are no faster,
 * and a peer with 64 KiB of window that tells of room only in steps of two
 * segments (libslirp) could leave less than one and never tell: a segment must
 * be smaller than a third of its window.
 */
#define TCP_MSS                  (4 * 4096 - 54)
#define TCP_WND                  (256 * 1024)
#define TCP_SND_BUF              (256 * 1024)
#define LWIP_WND_SCALE           1
#define TCP_RCV_SCALE            3
#define TCP_SND_QUEUELEN         1500
#define TCP_OVERSIZE             1460
#define TCP_WND_UPDATE_THRESHOLD (16 * 1024)
#define TCP_QUEUE_OOSEQ          1
#define LWIP_TCP_SACK_OUT        1
#define TCP_SYNMAXRTX            5 /* the last after 31 s */
#define TCP_MSL                  5000
/* The sanity checks assume segments under 16 KiB and static pools. */
#define LWIP_DISABLE_TCP_SANITY_CHECKS  1
#define LWIP_DISABLE_MEMP_SANITY_CHECKS 1

/*
 * Checksums: per interface, since frames that come from this machine's memory
 * need no check; and by a function that adds 16 bytes at a time.
 */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHKSUM                  net_checksum
unsigned short net_checksum(const void *data, int len);

/* Initial sequence numbers that nobody guesses: RFC 6528. */
#include <stdint.h>
uint32_t net_tcp_isn(const void *local, uint16_t local_port, const void *remote,
                     uint16_t remote_port);
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port) \
    net_tcp_isn(local, local_port, remote, remote_port)

#endif
