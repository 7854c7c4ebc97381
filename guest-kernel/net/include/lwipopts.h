/*
 * What of lwIP a guest uses.  Included by every lwIP file; the defaults are
 * in lwip/opt.h.
 */
#ifndef RINGSIDE_LWIPOPTS_H
#define RINGSIDE_LWIPOPTS_H

#define NO_SYS                  0
#define SYS_LIGHTWEIGHT_PROT    1
#define LWIP_TCPIP_CORE_LOCKING 1
#define LWIP_ERRNO_STDINCLUDE   1
#define LWIP_TIMEVAL_PRIVATE    0
#define LWIP_SOCKET             1
#define LWIP_NETCONN            1
#define LWIP_DHCP               1
#define LWIP_DNS                1
#define LWIP_IPV4               1
#define LWIP_IPV6               0
#define MEM_ALIGNMENT           8
#define MEM_LIBC_MALLOC         1
#define MEMP_MEM_MALLOC         1

#endif
