/*
 * Live update as the daemon does it (update.h is what its client sees).
 *
 * The state goes into a sealed memory file. The new program is first started
 * beside us with --check-state FD: it must build the whole store in memory and
 * say what it found. Nothing that it does, or fails to do, reaches us; we go on
 * serving meanwhile. Then this very process executes it with --take-over FD:
 * process id, supervision and descriptors stay, and a client sees only that an
 * answer took a little longer. If that fails, too, we go on.
 *
 * Rings: the pages are unmapped before and mapped again after. A guest that
 * has revoked its grant meanwhile loses its ring, and nothing else is lost.
 */
#ifndef XS_HANDOVER_H
#define XS_HANDOVER_H

#include "daemon/daemon.h"

struct handover;

/* NULL: no memory. */
struct handover *handover_new(struct daemon *d);
void handover_free(struct handover *h);

/*
 * Once per turn, after all queues are sent. Does not return if it succeeds;
 * returns whether it has left something to send.
 */
bool handover_turn(struct handover *h);

/* The new program: --check-state. Prints the answer; returns main()'s status.
 */
int handover_check(const struct options *o);

/*
 * The new program: --take-over. Makes store, listener and hypervisor of the
 * daemon from the state. 0, or -errno after it has said why.
 */
int handover_take(struct daemon *d);

/* Signals that were held back while there was no program come now. */
void handover_signals(void);

/* Keeps the store in the file again; without it, it goes on in memory. */
void handover_open_db(struct daemon *d);

#endif
