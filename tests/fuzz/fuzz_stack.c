/*
 * The guest's TCP/IP stack in this process: frames of net_play.c, and a program
 * that listens, reads, writes, connects, asks for names, closes. Nothing may
 * assert or touch memory that is not its own; what is held is bounded at all
 * times, and all of it is free at the end.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sockets.h"

#include "guest-kernel/net/memory.h"
#include "guest-kernel/net/timers.h"
#include "tests/fuzz/net_play.h"
#include "tests/unit/net_frame.h"
#include "tests/unit/net_stack.h"

#define RAM         (16u << 20)
#define STEPS_MAX   400
#define PROGRAM_FDS 12

static int listener, datagrams, fds[PROGRAM_FDS];
static char buf[70000];
static uint64_t total;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void bug(const char *what, const char *file, int line)
{
    fprintf(stderr, "the guest ends: %s (%s:%d)\n", what, file, line);
    abort();
}

static struct net_play play = { .guest = NET_GUEST_IP,
                                .server = NET_SERVER_IP,
                                .give = net_stack_receive };

static void see(void)
{
    static unsigned char frame[FRAME_BYTES];
    size_t n;

    while ((n = net_stack_sent(frame, sizeof(frame))))
        net_play_saw(&play, frame, n);
}

/* ---- the program ---- */

static void nonblocking(int s)
{
    lwip_fcntl(s, F_SETFL, O_NONBLOCK);
}

static int make_socket(int type, uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    int s = lwip_socket(AF_INET, type, 0);

    if (s < 0)
        return s;
    nonblocking(s);
    lwip_bind(s, (struct sockaddr *)&a, sizeof(a));
    if (type == SOCK_STREAM)
        lwip_listen(s, 8);
    return s;
}

static void name_found(const char *name, const ip_addr_t *addr, void *arg)
{
    (void)name;
    (void)addr;
    (void)arg;
}

static void put(int s)
{
    for (int i = 0; s >= 0 && i < PROGRAM_FDS; i++) {
        if (fds[i] >= 0)
            continue;
        fds[i] = s;
        return;
    }
    if (s >= 0)
        lwip_close(s);
}

static void program_connects(struct net_bytes *b)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port =
                                 htons((uint16_t)(81 + net_byte(b) % 4)),
                             .sin_addr.s_addr =
                                 htonl(NET_SERVER_IP + 8 + net_byte(b) % 4) };
    int s = lwip_socket(AF_INET, SOCK_STREAM, 0);

    if (s < 0)
        return;
    nonblocking(s);
    lwip_connect(s, (struct sockaddr *)&a, sizeof(a));
    put(s);
}

static void program_asks(struct net_bytes *b)
{
    char name[] = "a.example.test";
    ip_addr_t addr;

    name[0] = (char)('a' + net_byte(b) % 4);
    dns_gethostbyname(name, &addr, name_found, NULL);
}

static void program_echoes(void)
{
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    ssize_t n = lwip_recvfrom(datagrams, buf, sizeof(buf), 0,
                              (struct sockaddr *)&from, &len);

    if (n >= 0)
        lwip_sendto(datagrams, buf, (size_t)n, 0, (struct sockaddr *)&from,
                    len);
}

static void program_dhcp(struct net_bytes *b)
{
    if (net_byte(b) & 1) {
        dhcp_start(netif_default);
        net_timers_dhcp();
    } else {
        dhcp_stop(netif_default);
    }
}

/* While a call waits, peers go on. */
static struct net_bytes *bytes;

static void meanwhile(bool over)
{
    if (!over && bytes->at < bytes->end)
        net_play_step(&play, bytes);
    see();
}

/* Some lingers; a blocking close() waits for that. */
static void program_closes(struct net_bytes *b, int *fd)
{
    struct linger l = { .l_onoff = 1 };
    uint32_t how = net_byte(b);

    l.l_linger = (int)(how % 4);
    if (how < 60)
        lwip_setsockopt(*fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    if (how < 30)
        lwip_fcntl(*fd, F_SETFL, 0);
    lwip_close(*fd);
    *fd = -1;
}

static void program_step(struct net_bytes *b)
{
    int *fd = &fds[net_byte(b) % PROGRAM_FDS];
    int one = 1;

    switch (net_byte(b) % 14) {
    case 0:
    case 1:
    case 2:
        put(lwip_accept(listener, NULL, NULL));
        for (int i = 0; i < PROGRAM_FDS; i++)
            if (fds[i] >= 0)
                nonblocking(fds[i]);
        break;
    case 3:
    case 4:
        lwip_recv(*fd, buf, 1 + net_below(b, 60000), 0);
        break;
    case 5:
    case 6:
        lwip_send(*fd, buf, 1 + net_below(b, 60000), 0);
        break;
    case 7:
        program_closes(b, fd);
        break;
    case 8:
        lwip_shutdown(*fd, (int)(net_byte(b) % 3));
        break;
    case 9:
        program_connects(b);
        break;
    case 10:
        program_asks(b);
        break;
    case 11:
        program_echoes();
        break;
    case 12:
        lwip_setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        lwip_setsockopt(*fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
        break;
    default:
        program_dhcp(b);
        break;
    }
}

/* ---- the world ---- */

static void world_changes(struct net_bytes *b)
{
    static const size_t first[] = { 4096, 14, 34, 54, 60, 15, 42, 200 };

    net_stack_pages = net_byte(b) & 1;
    net_stack_first = first[net_byte(b) % 8];
    net_stack_answers_arp = net_byte(b) < 220;
    if (net_byte(b) < 20)
        netif_set_link_down(netif_default);
    else
        netif_set_link_up(netif_default);
}

static void check(void)
{
    if (net_memory_held() > 2 * net_memory_limit())
        bug("more memory than allowed", __FILE__, __LINE__);
    if (net_stack_packet_errors)
        bug("a packet error", __FILE__, __LINE__);
}

static void begin(void)
{
    static bool started;

    if (!started)
        net_stack_start(RAM, bug);
    started = true;
    net_stack_pages = true;
    net_stack_first = 4096;
    net_stack_answers_arp = true;
    net_stack_reset();
    net_play_reset(&play);
    listener = make_socket(SOCK_STREAM, 80);
    datagrams = make_socket(SOCK_DGRAM, 7);
    for (int i = 0; i < PROGRAM_FDS; i++)
        fds[i] = -1;
}

static void end(void)
{
    struct linger l = { .l_onoff = 1 };

    for (int i = 0; i < PROGRAM_FDS; i++) {
        if (fds[i] < 0)
            continue;
        lwip_setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
        lwip_close(fds[i]);
    }
    lwip_close(listener);
    lwip_close(datagrams);
    while (tcp_active_pcbs)
        tcp_abort(tcp_active_pcbs);
    while (tcp_tw_pcbs)
        tcp_abort(tcp_tw_pcbs);
    dhcp_release_and_stop(netif_default);
    dhcp_cleanup(netif_default);
    net_stack_forget();
    net_stack_pass(40000);
    /* The tables age when something happens. */
    net_timers_receives();
    net_stack_forget();
    if (net_stack_pages_held)
        bug("pages are lost", __FILE__, __LINE__);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net_bytes b = { data, data + size };
    static size_t held;

    begin();
    bytes = &b;
    net_stack_meanwhile = meanwhile;
    for (int i = 0; i < STEPS_MAX && b.at < b.end; i++) {
        uint32_t what = net_byte(&b);

        if (what < 150)
            net_play_step(&play, &b);
        else if (what < 230)
            program_step(&b);
        else if (what < 248)
            net_stack_pass(net_byte(&b) * net_byte(&b));
        else
            world_changes(&b);
        if (net_byte(&b) < 230)
            see();
        check();
    }
    net_stack_meanwhile = NULL;
    end();
    /* The first use of something may leave a table. */
    if (held && net_memory_held() > held + 16384)
        bug("memory is lost", __FILE__, __LINE__);
    if (!held)
        held = net_memory_held();
    total = play.frames;
    return 0;
}

/* How many frames: for who runs it long. */
static void __attribute__((destructor)) tell(void)
{
    if (getenv("FUZZ_STACK_TELL"))
        fprintf(stderr, "fuzz_stack: %llu frames\n", (unsigned long long)total);
}
