/*
 * The Ringside hypervisor as the store sees it, through libhypercall's host
 * carrier: rings of guests, and news of dead domains.
 */
#ifndef XS_HV_RINGSIDE_H
#define XS_HV_RINGSIDE_H

#include <event2/event.h>

#include "hv.h"

struct hv_ringside;

extern const struct hv_ops hv_ringside_ops;

/*
 * Connects to the hypervisor's socket in the role of the store, which makes
 * this process domain 0. The result is the ctx of hv_ringside_ops.
 */
int hv_ringside_open(struct event_base *base, const char *path,
                     struct hv_ringside **out);

/*
 * Begins to listen for dead domains; `lost` is called when the hypervisor is
 * gone.
 */
int hv_ringside_start(struct hv_ringside *hv, struct store *s,
                      void (*lost)(void *), void *arg);
/* After the store is gone. */
void hv_ringside_close(struct hv_ringside *hv);

#endif
