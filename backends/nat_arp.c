/*
 * libslirp's questions for the guest's hardware address, which are answered
 * here from what was seen of the guest; see nat.h.
 */
#include <string.h>

#include "nat.h"

static const struct nat_neighbour *nat_neighbour_find(const struct nat *nat,
                                                      uint32_t address)
{
    for (unsigned int i = 0; i < NAT_NEIGHBOURS; i++)
        if (nat->neighbour[i].address == address)
            return &nat->neighbour[i];
    return NULL;
}

/*
 * An ARP packet of libslirp's. A question for an address that the guest was
 * seen with we answer ourselves, later (nat_answer_arp): libslirp keeps packets
 * while it waits, any number of them. False: it is not for the guest.
 */
bool nat_arp_for_guest(struct nat_side *side, const struct nat_arp *arp)
{
    struct nat *nat = side->nat;

    if (!arp->request)
        return side == &nat->side[NAT_SIDE_TCP]; /* both were asked */
    if (!nat_neighbour_find(nat, arp->target))
        return true;
    if (nat->n_asked < NAT_NEIGHBOURS)
        nat->asked[nat->n_asked++] = arp->target;
    return false;
}

void nat_answer_arp(struct nat *nat)
{
    uint8_t frame[NAT_ARP_FRAME];

    while (nat->n_asked) {
        uint32_t address = nat->asked[--nat->n_asked];
        const struct nat_neighbour *n = nat_neighbour_find(nat, address);

        if (!n)
            continue;
        nat_build_arp_reply(frame, address, n->mac);
        for (unsigned int i = 0; i < NAT_SIDES; i++) {
            nat_input(nat, i, frame, sizeof(frame));
            nat_poll(&nat->side[i], false); /* sends what waited */
        }
    }
}

void nat_neighbour_seen(struct nat *nat, uint32_t address, const uint8_t mac[6])
{
    struct nat_neighbour *n = &nat->neighbour[nat->last_neighbour];

    if (n->address != address) {
        for (unsigned int i = 0; i < NAT_NEIGHBOURS; i++)
            if (nat->neighbour[i].address == address)
                nat->last_neighbour = i;
        n = &nat->neighbour[nat->last_neighbour];
    }
    if (n->address != address) {
        nat->last_neighbour = nat->next_neighbour++ % NAT_NEIGHBOURS;
        n = &nat->neighbour[nat->last_neighbour];
        n->address = address;
    }
    memcpy(n->mac, mac, 6);
}
