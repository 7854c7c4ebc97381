/*
 * The network of a guest: sockets, and what is below them.
 *
 * Sockets have their usual names and headers (<sys/socket.h>, <netinet/in.h>,
 * <arpa/inet.h>, <netdb.h>, <poll.h>, or all of it from <lwip/sockets.h>);
 * their descriptors work with read(), write(), close(), fcntl() and select().
 * The first socket() brings the network up; a program that wants to know its
 * address, or to wait no longer than it likes, calls rs_net_up() before.
 *
 * The command line says how addresses are found: "ip=dhcp" (the default), or
 * "ip=10.0.0.2/24,10.0.0.1,10.0.0.3": address, gateway and name server, of
 * which the last two may be missing. 127.0.0.1 is always there.
 */
#ifndef RINGSIDE_NET_H
#define RINGSIDE_NET_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Brings up the first network card and waits, at most `timeout` ns, until it
 * has an address. 0; -ENODEV: the domain has no card; -ETIMEDOUT: no backend,
 * or nobody answered (calling again waits again); -EINVAL: bad "ip=".
 */
int rs_net_up(uint64_t timeout);

struct rs_net_info {
    char address[16], netmask[16], gateway[16]; /* "10.0.2.15", "0.0.0.0" */
    uint8_t mac[6];
    uint32_t mtu;
};

/* What the card has now; -ENODEV as above. */
int rs_net_info(struct rs_net_info *out);

#ifdef __cplusplus
}
#endif

#endif
