/*
 * The ports of this process: which descriptors belong to which port.
 *
 * A table indexed by port, as the hypervisor hands out small numbers; it
 * grows and does not shrink before the connection ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "host.h"
#include "connection.h"

#define PORTS_MAX 65536u

struct port {
    bool used;
    int rx, tx;
};

static struct port *ports;
static uint32_t nr_ports;

static void close_port(struct port *p)
{
    if (p->rx >= 0)
        close(p->rx);
    if (p->tx >= 0)
        close(p->tx);
    p->used = false;
}

static int grow(uint32_t port)
{
    uint32_t n = nr_ports ? nr_ports : 64;

    if (port >= PORTS_MAX)
        return -ENOSPC;
    while (n <= port)
        n *= 2;
    struct port *bigger = realloc(ports, n * sizeof(*ports));
    if (!bigger)
        return -ENOMEM;
    for (uint32_t i = nr_ports; i < n; i++)
        bigger[i] = (struct port){ .used = false };
    ports = bigger;
    nr_ports = n;
    return 0;
}

int ports_add(uint32_t port, int rx, int tx)
{
    struct port p = { .used = true, .rx = rx, .tx = tx };
    int err = rx < 0 ? -EPROTO : port >= nr_ports ? grow(port) : 0;

    if (err) {
        close_port(&p);
        return err;
    }
    ports_remove(port);
    ports[port] = p;
    return 0;
}

void ports_remove(uint32_t port)
{
    if (port < nr_ports && ports[port].used)
        close_port(&ports[port]);
}

void ports_clear(void)
{
    for (uint32_t i = 0; i < nr_ports; i++)
        ports_remove(i);
    free(ports);
    ports = NULL;
    nr_ports = 0;
}

int evtchn_port_fds(evtchn_port_t port, int *rx, int *tx)
{
    if (port >= nr_ports || !ports[port].used)
        return -ENOENT;
    *rx = ports[port].rx;
    *tx = ports[port].tx;
    return 0;
}

int evtchn_adopt(evtchn_port_t port, int rx, int tx)
{
    return ports_add(port, rx, tx);
}

int evtchn_notify(evtchn_port_t port)
{
    const uint64_t one = 1;

    if (port >= nr_ports || !ports[port].used || ports[port].tx < 0)
        return -ENOENT;
    /* A full counter (EAGAIN) has been sent: the other end is yet to look. */
    if (write(ports[port].tx, &one, sizeof(one)) < 0 && errno != EAGAIN)
        return -errno;
    return 0;
}
