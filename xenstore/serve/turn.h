/*
 * A turn of the daemon's loop as the store sees it: input comes (serve.h), then
 * store_flush() sends what that caused. And what depends on time.
 */
#ifndef XS_TURN_H
#define XS_TURN_H

#include <stdbool.h>

struct conn;
struct store;

/* Keeps what changed, if anybody does: before anything is sent. */
void store_save(struct store *s);

/*
 * Sends what is queued, ends dead connections, and gives a slice to those
 * whose requests wait: one each to sockets, one to rings (fair.h). Called
 * once per turn of the loop, after all input. Returns whether there is more
 * to do: then the next turn must not wait.
 */
bool store_flush(struct store *s);

/*
 * Sends a connection's replies at once if that changes no order: nobody else
 * has anything to be sent, and nothing must be saved first. Clients then work
 * on their replies while the daemon serves the next one: nobody sleeps, and
 * nobody need be woken.
 */
void store_answer(struct conn *c);

/*
 * Tells the store what time it is. A callback of the daemon's loop does so
 * before anything else: the loop may have slept long since the last turn.
 */
void store_clock(struct store *s);

/*
 * What depends on time: write credit, unread events. To be called at
 * s->tick_ms (UINT64_MAX: not needed); sets it anew.
 */
void store_tick(struct store *s);

#endif
