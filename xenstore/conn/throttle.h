/*
 * The budget of writes.
 *
 * A guest that writes while others have transactions open can make those
 * conflict for ever. So guests then write from a budget: WRITE_RATE a second,
 * shared among the guests that write (budget.h), in bursts of WRITE_BURST.
 */
#ifndef XS_THROTTLE_H
#define XS_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct store;

#define WRITE_RATE  200
#define WRITE_BURST 10

void throttle_init(struct store *s);

/* Whether the connection's domain has credit for another write. */
bool throttle_ready(struct conn *c);

/* Charges the connection's domain with a write. */
void throttle_write(struct conn *c);

/* When (ms) the first domain that waits has credit; UINT64_MAX: none waits. */
uint64_t throttle_deadline(struct store *s);

#endif
