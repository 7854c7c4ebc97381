/*
 * The two byte rings of a vchan as one end sees them: <xen/io/libxenvchan.h>.
 *
 * Everything in shared memory is the other end's to change at any moment. An
 * end keeps the index that is its to advance for itself, reads the other's
 * once per call, and copies bytes out before anybody looks at them. An index
 * that makes no sense breaks the channel for good: nothing is moved any more.
 *
 * Nothing here blocks, allocates or does a hypercall; the functions may be
 * called with upcalls masked, and work in a process as well (the unit test).
 */
#ifndef RINGSIDE_GUEST_VCHAN_RING_H
#define RINGSIDE_GUEST_VCHAN_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen_compat.h"

#include <xen/io/libxenvchan.h>

#define VCHAN_ORDER_MIN 10 /* 1 KiB, inside of the first page */
#define VCHAN_ORDER_MAX 20 /* 1 MiB: the list of grants fits the page */

/* What cli_live and srv_live say. */
#define VCHAN_GONE    0
#define VCHAN_HERE    1
#define VCHAN_NOT_YET 2

struct vchan_half {
    struct ring_shared *shared;
    char *data;
    uint32_t size;
    uint32_t mine; /* prod of the one we write, cons of the one we read */
};

struct vchan_end {
    struct vchan_interface *page;
    struct vchan_half in, out;
    uint8_t *live, *peer_live;
    uint8_t *wanted;      /* what the other end wants to be told */
    uint8_t *peer_wanted; /* what we want the other end to tell us */
    bool broken;
};

/* Pages that a ring of this order has besides the first one. */
static inline unsigned int vchan_pages(unsigned int order)
{
    return order < PAGE_SHIFT ? 0 : 1u << (order - PAGE_SHIFT);
}

/*
 * The orders of rings that hold so many bytes at least. Two small ones cannot
 * lie at the same place of the first page. -EINVAL: too large.
 */
int vchan_orders(size_t left, size_t right, unsigned int *left_order,
                 unsigned int *right_order);

/* Whether two rings of these orders can be: what a client finds in a page. */
bool vchan_orders_valid(unsigned int left_order, unsigned int right_order);

/*
 * Sets an end up. The data of a ring of 4 KiB or more lies at `left`/`right`,
 * that of a smaller one in the page. The server's indices begin at 0; the
 * client takes up those that it finds.
 */
void vchan_end_init(struct vchan_end *e, struct vchan_interface *page,
                    bool server, unsigned int left_order,
                    unsigned int right_order, void *left, void *right);

/* Bytes that wait to be read, and that can be written. */
size_t vchan_readable(struct vchan_end *e);
size_t vchan_writable(struct vchan_end *e);

/* Moves at most n bytes; returns how many. */
size_t vchan_get(struct vchan_end *e, void *buf, size_t n);
size_t vchan_put(struct vchan_end *e, const void *buf, size_t n);

/*
 * After a move: whether the other end wants to hear of it (VCHAN_NOTIFY_READ
 * after vchan_get(), _WRITE after vchan_put()). It is told once per wish.
 */
bool vchan_must_notify(struct vchan_end *e, uint8_t what);

/* Asks to be told. The caller looks at the ring once more afterwards. */
void vchan_request_event(struct vchan_end *e, uint8_t what);

#endif
