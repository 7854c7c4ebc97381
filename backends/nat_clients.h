/*
 * Clients of a NAT guest's forwarded UDP ports in the host's loopback network,
 * 127.0.0.0/8. The guest sees all of them as the gateway, and may not send to
 * them: but for an answer to one who has asked, from the port that was asked,
 * within NAT_CLIENT_MS of the last question.
 *
 * libslirp itself translates such addresses in one direction only, and depends
 * on whom its socket has sent to last; so it gets and gives the true ones, and
 * they are translated here.
 */
#ifndef RINGSIDE_BACKENDS_NAT_CLIENTS_H
#define RINGSIDE_BACKENDS_NAT_CLIENTS_H

#include <stdint.h>

#define NAT_CLIENTS_MAX 256
#define NAT_CLIENT_MS   240000

struct nat_client {
    uint32_t address; /* 0: not in use */
    uint16_t port, guest_port;
    uint64_t asked; /* ms */
};

/* All zero at first. */
struct nat_clients {
    struct nat_client client[NAT_CLIENTS_MAX];
};

/*
 * A client asks. Of two with the same port the guest cannot tell one from the
 * other: the later one takes the place of the earlier. If there are too many,
 * the one that has not asked for the longest time goes.
 */
void nat_client_asks(struct nat_clients *c, const struct nat_client *who);

/* The address of who asked from that port; 0: nobody did. */
uint32_t nat_client_find(const struct nat_clients *c, uint16_t port,
                         uint16_t guest_port, uint64_t now);

#endif
