/*
 * A console ring to the driver domain: <xen/io/console.h>.
 *
 * The builder made the primary console's page, granted it (reference 0) and
 * made its event channel; there is no handshake in the store. Another console
 * has both of us, and a handshake (guest-kernel/console_error.c). Bytes only;
 * no call blocks. The kernel's console.c waits and falls back.
 */
#ifndef RINGSIDE_CONSFRONT_H
#define RINGSIDE_CONSFRONT_H

#include <stdbool.h>
#include <stddef.h>

#include "frontends/os.h"
#include "xen_compat.h"

struct consfront {
    /* Woken when the other end has read or written something. */
    struct wait_queue changed;
    struct xencons_interface *ring; /* NULL: there is none */
    evtchn_port_t port;             /* 0: nobody is told of what we do */
    XENCONS_RING_IDX out_prod, in_cons;
};

/* The primary console. 0, or -ENODEV: the domain has no console ring. */
int consfront_init(struct consfront *c, const struct start_info *si);

/* A ring of our own, which has no port yet; consfront_event() is its handler,
 * with c as argument. */
void consfront_begin(struct consfront *c, struct xencons_interface *ring);
void consfront_event(evtchn_port_t port, void *arg);

/* Copies what fits, tells the other end; returns how much it was. */
size_t consfront_write(struct consfront *c, const char *s, size_t n);
size_t consfront_read(struct consfront *c, char *buf, size_t n);

/*
 * Whether an index of the other end cannot be. Nothing is moved in this
 * direction then, until the index makes sense again.
 */
bool consfront_out_broken(const struct consfront *c);
bool consfront_in_broken(const struct consfront *c);

/*
 * While nobody is at the other end: gives up what an index that cannot be has
 * made unreadable, so that whoever comes next finds rings that are empty.
 */
void consfront_repair(struct consfront *c);

/* Bytes that fit now, bytes that the other end has not read, bytes to read. */
size_t consfront_room(const struct consfront *c);
size_t consfront_unread(const struct consfront *c);
size_t consfront_available(const struct consfront *c);

/* True while somebody is bound to the other end of the channel. */
bool consfront_connected(const struct consfront *c);

#endif
