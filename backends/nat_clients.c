/* Loopback clients of forwarded UDP ports; see nat_clients.h. */
#include "nat_clients.h"

#include <stddef.h>

/* NULL: it never asked. */
static const struct nat_client *find(const struct nat_clients *c, uint16_t port,
                                     uint16_t guest_port)
{
    for (unsigned int i = 0; i < NAT_CLIENTS_MAX; i++)
        if (c->client[i].address && c->client[i].port == port &&
            c->client[i].guest_port == guest_port)
            return &c->client[i];
    return NULL;
}

/* One that is not in use has asked at 0. */
static const struct nat_client *oldest(const struct nat_clients *c)
{
    const struct nat_client *first = &c->client[0];

    for (unsigned int i = 1; i < NAT_CLIENTS_MAX; i++)
        if (c->client[i].asked < first->asked)
            first = &c->client[i];
    return first;
}

void nat_client_asks(struct nat_clients *c, const struct nat_client *who)
{
    const struct nat_client *place = find(c, who->port, who->guest_port);

    if (!place)
        place = oldest(c);
    c->client[place - c->client] = *who;
}

uint32_t nat_client_find(const struct nat_clients *c, uint16_t port,
                         uint16_t guest_port, uint64_t now)
{
    const struct nat_client *who = find(c, port, guest_port);

    return who && now - who->asked < NAT_CLIENT_MS ? who->address : 0;
}
