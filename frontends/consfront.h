/*
 * The console ring to the driver domain: <xen/io/console.h>.
 *
 * The builder made the ring page, granted it (reference 0) and made the event
 * channel; there is no handshake in the store. Bytes only; no call blocks. The
 * kernel's console.c waits and falls back.
 */
#ifndef RINGSIDE_CONSFRONT_H
#define RINGSIDE_CONSFRONT_H

#include <stdbool.h>
#include <stddef.h>

#include "guest-kernel/thread.h"
#include "xen_compat.h"

/* Woken when the other end has read or written something. */
extern struct wait_queue consfront_changed;

/* 0, or -ENODEV: the domain has no console ring. */
int consfront_init(const struct start_info *si);

/* Copies what fits, tells the other end; returns how much it was. */
size_t consfront_write(const char *s, size_t n);
size_t consfront_read(char *buf, size_t n);

/*
 * Whether an index of the other end cannot be. Nothing is moved in this
 * direction then, until the index makes sense again.
 */
bool consfront_out_broken(void);
bool consfront_in_broken(void);

/*
 * While nobody is at the other end: gives up what an index that cannot be has
 * made unreadable, so that whoever comes next finds rings that are empty.
 */
void consfront_repair(void);

/* Bytes that fit now, bytes that the other end has not read, bytes to read. */
size_t consfront_room(void);
size_t consfront_unread(void);
size_t consfront_available(void);

/* True while somebody is bound to the other end of the channel. */
bool consfront_connected(void);

#endif
