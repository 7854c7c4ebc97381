/* See frames_wire.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "tests/system/frames_wire.h"
#include "tests/unit/net_frame.h"

#define WIRE_PROBE   0x0a0900cau /* who asks for the guest's address */
#define FLUSH_TRIES  240
#define FLUSH_TRY_MS 250
#define TRY_MS       1000

static int fd = -1;
static wire_saw_fn *told;
static unsigned char probe[FRAME_ARP]; /* the last question */
static bool probe_answered;
static struct wire_connection *current;

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void wire_open(const char *device, wire_saw_fn *saw)
{
    struct sockaddr_ll a = { .sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL) };
    int bytes = 8 << 20;

    told = saw;
    a.sll_ifindex = (int)if_nametoindex(device);
    if (!a.sll_ifindex)
        die(device);
    fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
        die("a packet socket");
    /* Without the privilege it is smaller, and more frames are overlooked. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

/* ---- what the guest sends ---- */

static void put32(unsigned char *at, uint32_t v)
{
    v = htonl(v);
    memcpy(at, &v, 4);
}

static uint32_t get32(const unsigned char *at)
{
    uint32_t v;

    memcpy(&v, at, 4);
    return ntohl(v);
}

static void connection_saw(struct wire_connection *c, const struct frame_tcp *t)
{
    if (t->dst != WIRE_CLIENT || t->dport != c->port || t->sport != 80)
        return;
    if (t->flags & FRAME_RST) {
        c->reset = true;
    } else if (t->flags & FRAME_SYN) {
        if (!c->open && t->flags & FRAME_ACK && t->ack == c->seq) {
            c->open = true;
            c->ack = c->seen = t->seq + 1;
        }
    } else if (c->open && t->seq == c->seen) {
        for (size_t i = 0; i < t->n; i++, c->got_n++)
            if (c->got_n < sizeof(c->got))
                c->got[c->got_n] = ((const unsigned char *)t->data)[i];
        c->seen += (uint32_t)t->n + (t->flags & FRAME_FIN);
    }
}

/* The network has the server, the peers of net_play.c and the client. */
static bool is_here(uint32_t ip)
{
    return (ip >= WIRE_SERVER && ip < WIRE_SERVER + 16 && ip != WIRE_GUEST) ||
           ip == WIRE_CLIENT || ip == WIRE_PROBE;
}

static bool saw_arp(const unsigned char *f, size_t n)
{
    unsigned char reply[FRAME_ARP];

    if (n < FRAME_ARP || f[12] != 8 || f[13] != 6)
        return false;
    if (f[21] == 2 && memcmp(f, probe + 6, 6) == 0)
        probe_answered = true;
    else if (is_here(get32(f + 38)) && frame_arp_reply(f, n, WIRE_GUEST, reply))
        send(fd, reply, sizeof(reply), 0);
    return true;
}

static void saw(const unsigned char *f, size_t n)
{
    struct frame_tcp t;

    if (saw_arp(f, n))
        return;
    if (current && frame_read_tcp(f, n, &t))
        connection_saw(current, &t);
    told(f, n);
}

void wire_read(int ms)
{
    static unsigned char frame[FRAME_BYTES];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    struct sockaddr_ll from;
    socklen_t len = sizeof(from);
    ssize_t n;

    if (ms > 0)
        poll(&p, 1, ms);
    while ((n = recvfrom(fd, frame, sizeof(frame), MSG_DONTWAIT,
                         (struct sockaddr *)&from, &len)) > 0) {
        if (from.sll_pkttype != PACKET_OUTGOING)
            saw(frame, (size_t)n);
        len = sizeof(from);
    }
}

bool wire_send(const void *frame, size_t n)
{
    wire_read(0);
    while (send(fd, frame, n, 0) < 0) {
        if (errno == EMSGSIZE || errno == EINVAL)
            return false;
        if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
            die("a frame cannot be sent");
        wire_read(1);
    }
    return true;
}

/* ---- what has arrived ---- */

/* Each question is asked by another hardware address, where its answer goes. */
static void make_probe(void)
{
    static const unsigned char start[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
    static uint32_t number;

    memset(probe, 0xff, 6);
    probe[6] = 2;
    probe[7] = 1;
    put32(probe + 8, ++number);
    memcpy(probe + 12, start, sizeof(start));
    memcpy(probe + 22, probe + 6, 6);
    put32(probe + 28, WIRE_PROBE);
    memset(probe + 32, 0, 6);
    put32(probe + 38, WIRE_GUEST);
    probe_answered = false;
}

/* Waits at most so many ms until *what is true. */
static bool await(const bool *what, int ms)
{
    int64_t end = now_ms() + ms;

    wire_read(0);
    while (!*what && now_ms() < end)
        wire_read(10);
    return *what;
}

bool wire_flush(void)
{
    for (int i = 0; i < FLUSH_TRIES; i++) {
        make_probe();
        wire_send(probe, sizeof(probe));
        if (await(&probe_answered, FLUSH_TRY_MS))
            return true;
    }
    return false;
}

/* ---- a connection ---- */

void wire_send_segment(const struct wire_connection *c, uint8_t flags,
                       uint32_t ahead, const void *options, size_t options_n,
                       const void *data, size_t n)
{
    static unsigned char frame[FRAME_BYTES];
    struct frame_tcp t = {
        .src = WIRE_CLIENT,
        .dst = WIRE_GUEST,
        .sport = c->port,
        .dport = 80,
        .seq = c->seq + ahead,
        .ack = c->ack,
        .flags = flags,
        .window = c->window,
        .options = options,
        .options_n = options_n,
        .data = data,
        .n = n,
    };

    wire_send(frame, frame_make_tcp(&t, frame));
}

bool wire_connect(struct wire_connection *c, uint16_t window,
                  const void *options, size_t options_n)
{
    static uint16_t port = 40000;

    *c = (struct wire_connection){ .port = port++, .window = window };
    c->seq = c->port * 77773u;
    current = c;
    wire_send_segment(c, FRAME_SYN, 0, options, options_n, NULL, 0);
    c->seq++;
    if (!await(&c->open, TRY_MS))
        return false;
    wire_send_segment(c, FRAME_ACK, 0, NULL, 0, NULL, 0);
    return true;
}

bool wire_await(const struct wire_connection *c, size_t n, int ms)
{
    int64_t end = now_ms() + ms;

    while (c->got_n < n && !c->reset && now_ms() < end)
        wire_read(10);
    return c->got_n >= n;
}

bool wire_served(void)
{
    static const char text[] = "is this served?";
    struct wire_connection c;
    bool served = false;

    if (wire_connect(&c, 65535, NULL, 0)) {
        wire_send_segment(&c, FRAME_ACK | FRAME_PSH, 0, NULL, 0, text,
                          sizeof(text));
        served = wire_await(&c, sizeof(text), 5 * TRY_MS) &&
                 memcmp(c.got, text, sizeof(text)) == 0;
        c.seq += sizeof(text);
        c.ack = c.seen;
        wire_send_segment(&c, FRAME_RST | FRAME_ACK, 0, NULL, 0, NULL, 0);
    }
    current = NULL;
    return served;
}
