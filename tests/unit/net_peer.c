/* See net_peer.h. */
#include <string.h>

#include "tests/unit/net_peer.h"
#include "tests/unit/net_stack.h"

static unsigned char out[FRAME_BYTES], in[FRAME_BYTES];

static void send(struct net_peer *p, uint8_t flags, uint32_t ahead,
                 const void *options, size_t options_n, const void *data,
                 size_t n)
{
    struct frame_tcp t = {
        .src = p->ip,
        .dst = NET_GUEST_IP,
        .sport = p->port,
        .dport = p->guest_port,
        .seq = p->seq + ahead,
        .ack = p->ack,
        .flags = flags,
        .window = p->window,
        .options = options,
        .options_n = options_n,
        .data = data,
        .n = n,
    };

    net_stack_receive(out, frame_make_tcp(&t, out));
}

void peer_segment(struct net_peer *p, uint8_t flags, uint32_t ahead,
                  const void *data, size_t n)
{
    send(p, flags, ahead, NULL, 0, data, n);
}

void peer_options(struct net_peer *p, uint8_t flags, const void *options,
                  size_t options_n, const void *data, size_t n)
{
    send(p, flags, 0, options, options_n, data, n);
}

void peer_data(struct net_peer *p, const void *data, size_t n)
{
    const char *at = data;

    while (n) {
        size_t part = n < 1400 ? n : 1400;

        peer_segment(p, FRAME_ACK | FRAME_PSH, 0, at, part);
        p->seq += (uint32_t)part;
        at += part;
        n -= part;
    }
}

void peer_ack(struct net_peer *p)
{
    peer_segment(p, FRAME_ACK, 0, NULL, 0);
}

bool peer_receive(struct net_peer *p, struct frame_tcp *t)
{
    size_t n;

    while ((n = net_stack_sent(in, sizeof(in)))) {
        if (!frame_read_tcp(in, n, t) || t->dport != p->port ||
            t->dst != p->ip || t->sport != p->guest_port)
            continue;
        if (!(t->flags & (FRAME_SYN | FRAME_RST)) && t->seq == p->ack)
            p->ack += (uint32_t)t->n + (t->flags & FRAME_FIN);
        return true;
    }
    return false;
}

size_t peer_stream(struct net_peer *p, void *buf, size_t n)
{
    struct frame_tcp t;
    size_t got = 0;
    uint32_t was;

    for (unsigned int quiet = 0; quiet < 8;) {
        was = p->ack;
        if (!peer_receive(p, &t)) {
            quiet++;
            net_stack_pass(250);
            continue;
        }
        if (p->ack == was)
            continue;
        quiet = 0;
        if (got < n)
            memcpy((char *)buf + got, t.data, t.n < n - got ? t.n : n - got);
        got += t.n;
        peer_ack(p);
    }
    return got;
}

bool peer_connect(struct net_peer *p, const void *options, size_t options_n)
{
    struct frame_tcp t;

    p->seq = 1000u * p->port;
    p->ack = 0;
    peer_options(p, FRAME_SYN, options, options_n, NULL, 0);
    p->seq++;
    if (!peer_receive(p, &t) || t.flags != (FRAME_SYN | FRAME_ACK))
        return false;
    p->ack = t.seq + 1;
    peer_ack(p);
    return true;
}
