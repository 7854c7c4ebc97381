/*
 * The ports of a connection: which descriptors belong to which port.
 *
 * A table indexed by port, as the hypervisor hands out small numbers; it
 * grows and does not shrink before the connection ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

#define PORTS_MAX 65536u

struct port {
    bool used;
    int rx, tx;
};

static void close_port(struct port *p)
{
    if (p->rx >= 0)
        close(p->rx);
    if (p->tx >= 0)
        close(p->tx);
    p->used = false;
}

static int grow(struct rs_client *c, uint32_t port)
{
    uint32_t n = c->nr_ports ? c->nr_ports : 64;

    if (port >= PORTS_MAX)
        return -ENOSPC;
    while (n <= port)
        n *= 2;
    struct port *bigger = realloc(c->ports, n * sizeof(*c->ports));
    if (!bigger)
        return -ENOMEM;
    for (uint32_t i = c->nr_ports; i < n; i++)
        bigger[i] = (struct port){ .used = false };
    c->ports = bigger;
    c->nr_ports = n;
    return 0;
}

int ports_add(struct rs_client *c, uint32_t port, int rx, int tx)
{
    struct port p = { .used = true, .rx = rx, .tx = tx };
    int err = rx < 0 ? -EPROTO : port >= c->nr_ports ? grow(c, port) : 0;

    if (err) {
        close_port(&p);
        return err;
    }
    ports_remove(c, port);
    c->ports[port] = p;
    return 0;
}

void ports_remove(struct rs_client *c, uint32_t port)
{
    if (port < c->nr_ports && c->ports[port].used)
        close_port(&c->ports[port]);
}

void ports_clear(struct rs_client *c)
{
    for (uint32_t i = 0; i < c->nr_ports; i++)
        ports_remove(c, i);
    free(c->ports);
    c->ports = NULL;
    c->nr_ports = 0;
}

int rs_client_port_fds(const struct rs_client *c, uint32_t port, int *rx,
                       int *tx)
{
    if (port >= c->nr_ports || !c->ports[port].used)
        return -ENOENT;
    *rx = c->ports[port].rx;
    *tx = c->ports[port].tx;
    return 0;
}

int rs_client_port_adopt(struct rs_client *c, uint32_t port, int rx, int tx)
{
    return ports_add(c, port, rx, tx);
}

int rs_client_notify(struct rs_client *c, uint32_t port)
{
    const uint64_t one = 1;

    if (port >= c->nr_ports || !c->ports[port].used || c->ports[port].tx < 0)
        return -ENOENT;
    /* A full counter (EAGAIN) has been sent: the other end is yet to look. */
    if (write(c->ports[port].tx, &one, sizeof(one)) < 0 && errno != EAGAIN)
        return -errno;
    return 0;
}
