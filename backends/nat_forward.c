/*
 * Ports of the host that lead to ports of the guest: connections, and datagrams
 * of clients in the host's loopback network (nat_clients.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "nat.h"

#define BACKLOG 128

int nat_forward(struct nat *nat, const struct link_forward *f, char *why,
                size_t n)
{
    struct in_addr guest = { .s_addr = htonl(NAT_GUEST) };
    char address[INET_ADDRSTRLEN];
    int err;

    Slirp *slirp = nat->side[f->udp ? NAT_SIDE_DATAGRAM : NAT_SIDE_TCP].slirp;

    errno = 0;
    if (slirp_add_hostfwd(slirp, f->udp, f->host, f->host_port, guest,
                          f->guest_port) == 0)
        return 0;
    err = errno ? errno : EIO;
    inet_ntop(AF_INET, &f->host, address, sizeof(address));
    if (err == EADDRINUSE)
        snprintf(why, n, "%s port %u on %s is taken", f->udp ? "UDP" : "TCP",
                 f->host_port, address);
    else
        snprintf(why, n, "cannot forward %s port %u on %s: %s",
                 f->udp ? "UDP" : "TCP", f->host_port, address, strerror(err));
    return -err;
}

/*
 * libslirp listens with a backlog of one connection: of clients that come
 * together most would wait for a second. Listening again makes it longer.
 */
void nat_lengthen_backlogs(struct nat *nat)
{
    for (unsigned int i = 0; i < nat->n_wanted; i++) {
        struct nat_fd *f = nat_fd(nat, nat->wanted[i]);
        socklen_t len = sizeof(int);
        int listens = 0;

        if (f &&
            getsockopt(nat->wanted[i], SOL_SOCKET, SO_ACCEPTCONN, &listens,
                       &len) == 0 &&
            listens) {
            listen(nat->wanted[i], BACKLOG);
            f->listens = true;
        }
    }
}

struct nat_flow *nat_forwarded(struct nat *nat, int fd)
{
    struct nat_flow key = { .kind = NAT_FORWARDED, .guest = NAT_GUEST };
    struct sockaddr_in peer, own;
    socklen_t n = sizeof(peer), m = sizeof(own);

    if (getpeername(fd, (struct sockaddr *)&peer, &n) ||
        getsockname(fd, (struct sockaddr *)&own, &m))
        return NULL;
    key.remote = ntohl(peer.sin_addr.s_addr);
    if (NAT_IS_LOOPBACK(key.remote) || key.remote == 0)
        key.remote = NAT_GATEWAY; /* so libslirp shows the host to the guest */
    key.remote_port = ntohs(peer.sin_port);
    for (unsigned int i = 0; i < nat->n_forwards; i++) {
        const struct link_forward *f = &nat->forwards[i];

        if (!f->udp && f->host_port == ntohs(own.sin_port) &&
            (f->host.s_addr == own.sin_addr.s_addr || !f->host.s_addr))
            key.guest_port = f->guest_port;
    }
    key.used = nat_now_ms();
    return nat_flow_add(&nat->flows, &key);
}

/* ---- clients of UDP ports ---- */

static bool nat_is_forwarded_udp(const struct nat *nat, uint16_t guest_port)
{
    for (unsigned int i = 0; i < nat->n_forwards; i++)
        if (nat->forwards[i].udp && nat->forwards[i].guest_port == guest_port)
            return true;
    return false;
}

/*
 * A packet for the guest, of a client in the host's loopback network: libslirp
 * has given it the gateway's address, or has not (see nat_clients.h). Returns
 * the frame as the guest is to get it.
 */
const void *nat_asked(struct nat *nat, const void *frame, size_t len)
{
    static uint8_t translated[LINK_FRAME_MAX]; /* there is one thread */
    struct nat_client who = { .asked = nat_now_ms() };
    struct nat_ipv4 p;

    if (!nat_parse_ipv4(frame, len, &p) ||
        !(NAT_IS_LOOPBACK(p.src) || p.src == NAT_GATEWAY))
        return frame;
    who.address = NAT_IS_LOOPBACK(p.src) ? p.src : INADDR_LOOPBACK;
    if (nat_udp_ports(&p, &who.port, &who.guest_port) &&
        !nat_is_dhcp_answer(&p) && nat_is_forwarded_udp(nat, who.guest_port))
        nat_client_asks(&nat->clients, &who);
    if (p.src == NAT_GATEWAY)
        return frame;
    memcpy(translated, frame, len);
    nat_set_source(translated, NAT_GATEWAY);
    return translated;
}

/* The true address of the client that the guest answers; 0: it answers none. */
static uint32_t nat_client_of(const struct nat *nat, const struct nat_ipv4 *p,
                              const struct nat_transport *t)
{
    if (p->protocol != NAT_UDP || p->src != NAT_GUEST ||
        p->dst != NAT_GATEWAY || !nat_is_forwarded_udp(nat, t->sport))
        return 0;
    return nat_client_find(&nat->clients, t->dport, t->sport, nat_now_ms());
}

bool nat_answers_client(struct nat *nat, const struct nat_ipv4 *p,
                        const struct nat_transport *t, const void *frame,
                        size_t len)
{
    static uint8_t translated[NAT_FRAME_MAX]; /* there is one thread */
    uint32_t client = nat_client_of(nat, p, t);

    if (!client)
        return false;
    memcpy(translated, frame, len);
    nat_set_destination(translated, client);
    nat_input(nat, NAT_SIDE_DATAGRAM, translated, len);
    return true;
}
