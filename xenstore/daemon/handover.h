/*
 * Live update as the daemon does it (update.h is what its client sees).
 *
 * The state goes into a sealed memory file. The new program is first started as
 * a child with --check-state FD: it must build the whole store in memory and
 * say what it found. Nothing that the child does reaches this process, which
 * goes on serving meanwhile. Then this process executes the new program with
 * --take-over FD: process id, supervision and descriptors stay, and a client
 * sees only that an answer took a little longer. If the exec fails, this
 * program goes on.
 *
 * The pages of rings are unmapped before the exec and mapped again after it. A
 * guest that has revoked its grant meanwhile loses its ring, and nothing else.
 */
#ifndef XS_HANDOVER_H
#define XS_HANDOVER_H

#include "daemon/daemon.h"

struct handover;

/* NULL: no memory. */
struct handover *handover_new(struct daemon *d);
void handover_free(struct handover *h);

/*
 * Called once per turn, after all queues are sent. Does not return if the
 * update succeeds; returns whether there is something to send.
 */
bool handover_turn(struct handover *h);

/* The new program: --check-state. Prints the answer; returns main()'s status.
 */
int handover_check(const struct options *o);

/*
 * The new program: --take-over. Makes the daemon's store, listener and
 * hypervisor from the state. 0, or -errno, which it has logged.
 */
int handover_take(struct daemon *d);

/* Unblocks the signals that were blocked over the exec. */
void handover_signals(void);

/*
 * Opens the database and attaches the store; if it cannot be opened, the store
 * goes on in memory.
 */
void handover_open_db(struct daemon *d);

#endif
