/*
 * A turn of the daemon's loop as the store sees it: input comes (serve.h), then
 * store_flush() sends what it caused. And what depends on time.
 */
#ifndef XS_TURN_H
#define XS_TURN_H

#include <stdbool.h>

struct conn;
struct store;

/* Saves what changed, if there is a saver; called before anything is sent. */
void store_save(struct store *s);

/*
 * Sends what is queued, ends dead connections, and gives a slice to those
 * whose requests wait: one each to sockets, one to rings (fair.h). Called
 * once per turn of the loop, after all input. Returns whether there is more
 * to do: then the next turn must not wait.
 */
bool store_flush(struct store *s);

/*
 * Sends a connection's replies at once if that changes no order: no other
 * connection has anything to send, and nothing must be saved first. The client
 * then works on the reply while the daemon serves the next client.
 */
void store_answer(struct conn *c);

/*
 * Tells the store what time it is. A callback of the daemon's loop does so
 * before anything else: the loop may have slept long since the last turn.
 */
void store_clock(struct store *s);

/*
 * Does what depends on time: write credit, expired events. To be called at
 * s->tick_ms (UINT64_MAX: not needed); sets it anew.
 */
void store_tick(struct store *s);

#endif
