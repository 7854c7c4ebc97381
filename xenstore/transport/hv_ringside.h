/*
 * The Ringside hypervisor as the store sees it, through libclient: rings of
 * guests, and news of dead domains.
 */
#ifndef XS_HV_RINGSIDE_H
#define XS_HV_RINGSIDE_H

#include <event2/event.h>

#include "store/hv.h"

struct conn;
struct domain;
struct hv_ringside;
struct transport;

extern const struct hv_ops hv_ringside_ops;

/*
 * Takes the store's place at the hypervisor that started this process, which
 * makes it domain 0. The result is the ctx of hv_ringside_ops.
 */
int hv_ringside_open(struct event_base *base, struct hv_ringside **out);

/*
 * Begins to listen for dead domains; `lost` is called when the hypervisor is
 * gone.
 */
int hv_ringside_start(struct hv_ringside *hv, struct store *s,
                      void (*lost)(void *), void *arg);

/* ---- live update ---- */

/* Fills in the descriptors that the new program needs. */
void hv_ringside_save(const struct hv_ringside *hv, struct hv_link *link);
/* Unmaps all rings, which may then not be touched; */
void hv_ringside_unmap(struct hv_ringside *hv);
/* maps them again. A connection whose page cannot be mapped ends. */
void hv_ringside_remap(struct hv_ringside *hv);

/* As hv_ringside_open(), over the connection of the old program. */
int hv_ringside_adopt(struct event_base *base, const struct hv_link *link,
                      struct hv_ringside **out);
/* Reattaches a guest's ring. NULL: its grant was revoked, or no memory. */
struct conn *hv_ringside_ring(struct hv_ringside *hv, struct store *s,
                              struct domain *d, const struct transport *t);
/* Marks all rings ready, for requests that came while no program ran. */
void hv_ringside_poll(struct hv_ringside *hv);

/* After the store is gone. */
void hv_ringside_close(struct hv_ringside *hv);

#endif
