/*
 * The two rings of a virtual network card, seen from the host:
 * <xen/io/netif.h>. netback.c connects them; here is what runs for each frame.
 *
 * The guest writes both rings and everything they point to, at any moment.
 * Each index and each request is copied once and the copy is checked; frames
 * are copied once, out of the guest before anyone looks into them. A broken
 * rule of the protocol ends in user->broken(), once; after it every call does
 * nothing.
 */
#ifndef RINGSIDE_BACKENDS_NETBACK_QUEUE_H
#define RINGSIDE_BACKENDS_NETBACK_QUEUE_H

#include "grant_pool.h"
#include "link.h"
#include "list.h"
#include "vif_filter.h"

#include <xen/io/netif.h>

#define VIF_PAGES_MAX    1024          /* of the guest, kept mapped */
#define VIF_BATCH        64            /* requests per turn */
#define VIF_BACKLOG_MAX  (1024 * 1024) /* bytes that wait for guest buffers */
#define VIF_BACKLOG_FULL (256 * 1024)  /* above this the link is paused */

struct vif_queue_user {
    void (*notify_tx)(void *arg);
    void (*notify_rx)(void *arg);
    void (*broken)(void *arg, const char *why);
    void *arg;
};

/* tx: from the guest, rx: to it. */
struct vif_stats {
    uint64_t tx_frames, tx_bytes, tx_errors;
    uint64_t tx_dropped; /* not from the card's own addresses */
    uint64_t rx_frames, rx_bytes, rx_dropped;
};

struct vif_queue {
    struct netif_tx_back_ring tx;
    struct netif_rx_back_ring rx;
    struct vif_queue_user user;
    struct link *link;
    struct vif_filter filter;
    bool sg;         /* frames of several pages, both ways */
    bool persistent; /* pages stay mapped between requests */
    bool broken;

    struct grant_pool *pages; /* of the guest */
    struct list backlog;
    size_t backlog_bytes;
    struct vif_stats stats; /* go on when the guest connects again */
};

/*
 * The rings are mapped pages; user, link, sg and persistent are set. 0 or
 * -ENOMEM.
 */
int vif_queue_init(struct vif_queue *q, struct rs_client *client, domid_t domid,
                   void *tx_ring, void *rx_ring);
/* Unmaps the guest's pages and drops what waits. */
void vif_queue_fini(struct vif_queue *q);

/*
 * Hands about VIF_BATCH requests of the guest to the link, and waiting frames
 * to as many buffers of the guest; returns how many requests both took.
 */
unsigned int vif_queue_service(struct vif_queue *q);

/* Asks the guest for events; true: there is work already. */
bool vif_queue_arm(struct vif_queue *q);

/* A frame for the guest: delivered, kept for later, or dropped. */
void vif_queue_receive(struct vif_queue *q, const void *frame, size_t len);

/*
 * Fills in the checksum of a TCP or UDP frame over IPv4 that the guest left
 * blank; other frames stay as they are.
 */
void vif_checksum_fill_(char *frame, size_t len);

#endif
