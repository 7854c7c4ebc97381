/* See nat_guest.h. */
#include "nat_guest.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "inet_checksum.h"
#include "tests/unit/net_frame.h"

const uint8_t nat_guest_mac[6] = { 0x00, 0x16, 0x3e, 1, 2, 3 };

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

/* ---- the namespace ---- */

static void device_ioctl(unsigned long request, const char *name,
                         uint32_t address)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq r;
    struct sockaddr_in *a = (struct sockaddr_in *)&r.ifr_addr;

    must(s >= 0, "socket");
    memset(&r, 0, sizeof(r));
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    if (request == SIOCSIFFLAGS) {
        r.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
    } else {
        a->sin_family = AF_INET;
        a->sin_addr.s_addr = htonl(address);
    }
    must(ioctl(s, request, &r) == 0, name);
    close(s);
}

void netns_add_address(uint32_t address)
{
    static unsigned int n;
    char name[IFNAMSIZ];

    snprintf(name, sizeof(name), "lo:%u", ++n);
    device_ioctl(SIOCSIFADDR, name, address);
    device_ioctl(SIOCSIFNETMASK, name, UINT32_MAX);
}

const char *netns_enter(void)
{
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        return "no network namespaces here";
    signal(SIGPIPE, SIG_IGN); /* as the driver domain has it, for libslirp */
    device_ioctl(SIOCSIFFLAGS, "lo", 0);
    netns_add_address(HOST_ADDRESS);
    return NULL;
}

unsigned int descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned int n = 0;

    must(d != NULL, "/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n - 3; /* ".", ".." and the directory itself */
}

int host_socket(bool udp, int backlog, uint16_t *port)
{
    int s =
        socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t n = sizeof(a);

    must(s >= 0, "socket");
    must(bind(s, (struct sockaddr *)&a, sizeof(a)) == 0, "bind");
    must(udp || listen(s, backlog) == 0, "listen");
    must(getsockname(s, (struct sockaddr *)&a, &n) == 0, "getsockname");
    *port = ntohs(a.sin_port);
    return s;
}

/* ---- the link ---- */

/* Is the checksum of a whole segment right, or is there none? */
static bool is_intact(const void *frame, size_t len)
{
    static uint8_t copy[LINK_FRAME_MAX];
    struct inet_segment s;

    memcpy(copy, frame, len);
    return !inet_segment_find(copy, len, len, &s) ||
           !(s.field[0] | s.field[1]) ||
           inet_sum(s.start, s.len, s.pseudo) == 0xffff;
}

static void receive(void *arg, const void *frame, size_t len)
{
    struct nat_guest *g = arg;
    struct nat_transport t;
    struct nat_ipv4 p;

    g->frames++;
    if (!nat_parse_ipv4(frame, len, &p))
        return;
    g->spoilt += !is_intact(frame, len);
    g->strays += p.src >> 24 == 127;
    if (nat_udp_ports(&p, &g->asker_port, &g->asked_port)) {
        g->asker = p.src;
        g->datagrams++;
    }
    if (p.protocol == NAT_ICMP && p.payload[0] == 0)
        g->pings++;
    if (p.protocol == NAT_ICMP && p.payload[0] == 3)
        g->refusals++;
    if (p.protocol != NAT_TCP || !nat_parse_transport(&p, &t))
        return;
    if (t.flags & NAT_RST)
        g->resets++;
    if (t.dport == g->port) {
        g->got = t;
        g->segments++;
    }
}

void nat_guest_start(struct nat_guest *g, const struct link_config *config)
{
    struct link_user user = { .receive = receive, .arg = g };
    uint8_t arp[NAT_ARP_FRAME];
    char why[160] = "";

    memset(g, 0, sizeof(*g));
    g->address = NAT_GUEST;
    g->base = event_base_new();
    must(g->base != NULL, "event_base_new");
    if (link_slirp.open(g->base, config, &user, &g->link, why, sizeof(why))) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
    nat_build_arp_reply(arp, NAT_GUEST, nat_guest_mac);
    nat_guest_send(g, arp, sizeof(arp));
}

void nat_guest_stop(struct nat_guest *g)
{
    g->link->ops->close(g->link);
    event_base_free(g->base);
}

void nat_guest_settle(struct nat_guest *g)
{
    g->link->ops->flush(g->link);
    for (int i = 0; i < 4; i++)
        event_base_loop(g->base, EVLOOP_NONBLOCK);
}

bool nat_guest_wait(struct nat_guest *g, const unsigned int *n,
                    unsigned int was)
{
    time_t until = time(NULL) + 60;

    g->link->ops->flush(g->link);
    while (*n == was && time(NULL) < until) {
        event_base_loop(g->base, EVLOOP_NONBLOCK);
        usleep(1000);
    }
    return *n != was;
}

/* ---- frames ---- */

/* Turns a frame of net_frame.h around: from the guest, to the gateway. */
static void from_guest(uint8_t *frame)
{
    memcpy(frame, "\x52\x55\x0a\x00\x02\x02", 6);
    memcpy(frame + 6, nat_guest_mac, 6);
}

size_t frame_ipv4(struct nat_guest *g, uint8_t *frame, uint32_t dst,
                  uint8_t protocol, uint16_t fragment, const void *payload,
                  size_t n)
{
    struct frame_ip ip = { .src = g->address,
                           .dst = dst,
                           .id = g->ip_id,
                           .frag = fragment,
                           .proto = protocol };
    size_t len = frame_make_ip(&ip, payload, n, frame);

    from_guest(frame);
    return len;
}

void nat_guest_send(struct nat_guest *g, const uint8_t *frame, size_t len)
{
    g->link->ops->send(g->link, frame, len);
}

void nat_guest_ping(struct nat_guest *g, uint32_t dst)
{
    uint8_t frame[100], icmp[16] = { 8, 0 };
    uint16_t sum = (uint16_t)~inet_sum(icmp, sizeof(icmp), 0);

    memcpy(icmp + 2, &sum, 2);
    nat_guest_send(g, frame,
                   frame_ipv4(g, frame, dst, NAT_ICMP, 0, icmp, sizeof(icmp)));
}

void nat_guest_udp(struct nat_guest *g, uint16_t sport, uint32_t dst,
                   uint16_t dport, const void *data, size_t n)
{
    static uint8_t frame[FRAME_BYTES];
    size_t len = frame_make_udp(g->address, sport, dst, dport, data, n, frame);

    from_guest(frame);
    nat_guest_send(g, frame, len);
}

void nat_guest_udp_pieces(struct nat_guest *g, uint16_t sport, uint32_t dst,
                          uint16_t dport, const void *data, size_t n,
                          size_t piece, bool backwards)
{
    static uint8_t whole[FRAME_BYTES], frame[FRAME_BYTES];
    const uint8_t *udp = whole + ETH + IP4;
    size_t pieces;

    n = frame_make_udp(g->address, sport, dst, dport, data, n, whole) - ETH -
        IP4;
    pieces = (n + piece - 1) / piece;
    g->ip_id++;
    for (size_t i = 0; i < pieces; i++) {
        size_t at = (backwards ? pieces - 1 - i : i) * piece;
        size_t len = n - at < piece ? n - at : piece;
        uint16_t field = (uint16_t)(at / 8 | (at + len < n ? 0x2000 : 0));

        nat_guest_send(
            g, frame, frame_ipv4(g, frame, dst, NAT_UDP, field, udp + at, len));
    }
}

void nat_guest_tcp(struct nat_guest *g, uint32_t dst,
                   const struct nat_transport *t, uint16_t urgent,
                   const void *data, size_t n)
{
    static uint8_t frame[FRAME_BYTES];
    struct frame_tcp segment = { .src = g->address,
                                 .dst = dst,
                                 .sport = t->sport,
                                 .dport = t->dport,
                                 .seq = t->seq,
                                 .ack = t->ack,
                                 .flags = t->flags,
                                 .window = t->window,
                                 .urgent = urgent,
                                 .data = data,
                                 .n = n };
    size_t len = frame_make_tcp(&segment, frame);

    from_guest(frame);
    nat_guest_send(g, frame, len);
}

bool nat_guest_connect(struct nat_guest *g, uint16_t sport, uint32_t dst,
                       uint16_t dport, struct nat_transport *t)
{
    *t = (struct nat_transport){ .sport = sport,
                                 .dport = dport,
                                 .seq = 1000,
                                 .flags = NAT_SYN,
                                 .window = 60000 };
    g->port = sport;
    g->segments = 0;
    nat_guest_tcp(g, dst, t, 0, NULL, 0);
    if (!nat_guest_wait(g, &g->segments, 0) || g->got.flags & NAT_RST)
        return false;
    t->seq++;
    t->ack = g->got.seq + 1;
    t->flags = NAT_ACK;
    nat_guest_tcp(g, dst, t, 0, NULL, 0);
    return true;
}
