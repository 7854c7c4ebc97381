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
 * which the last two may be missing; of further cards "ip1=", "ip2=" and so
 * on. The first card is the default route. 127.0.0.1 is always there.
 */
#ifndef RINGSIDE_NET_H
#define RINGSIDE_NET_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_NET_CARDS_MAX 8

/*
 * Brings up the network cards and waits, at most `timeout` ns, until the first
 * one has an address. 0; -ENODEV: the domain has no card; -ETIMEDOUT: no
 * backend, or nobody answered (calling again waits again); -EINVAL: bad "ip=";
 * -ENOMEM, -ENOSPC: no memory or grants (calling again tries again).
 */
int rs_net_up(uint64_t timeout);
/* The same, waiting for card number `card`, from 0 on. */
int rs_net_card_up(unsigned int card, uint64_t timeout);

struct rs_net_info {
    char address[16], netmask[16], gateway[16]; /* "10.0.2.15", "0.0.0.0" */
    uint8_t mac[6];
    uint32_t mtu;
};

/* What the first card has now; -ENODEV as above. */
int rs_net_info(struct rs_net_info *out);
int rs_net_card_info(unsigned int card, struct rs_net_info *out);

#ifdef __cplusplus
}
#endif

#endif
