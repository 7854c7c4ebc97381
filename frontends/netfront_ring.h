/*
 * What the two halves of netfront share: netfront.c shakes hands,
 * netfront_ring.c moves frames. Not for others.
 */
#ifndef RINGSIDE_NETFRONT_RING_H
#define RINGSIDE_NETFRONT_RING_H

#include "frontends/netfront.h"
#include "frontends/os.h"

#include <xen/io/netif.h>

/* A pool of granted pages; a page is named by its index. */
struct netfront_pool {
    char *pages;
    grant_ref_t refs[NETFRONT_PAGES];
    uint16_t free[NETFRONT_PAGES]; /* a stack: warm pages first */
    unsigned int n_free;
};

struct netfront {
    struct netfront_user user;
    struct poller poller;
    struct xenbus_watch watch; /* of the backend's state */
    char dir[24];              /* "device/vif/0" */
    char *backend;
    domid_t backend_id;
    uint8_t mac[6];
    unsigned int mtu;
    bool connected, sg;
    bool link_up;               /* what the user was told last */
    bool broken;                /* the backend broke the protocol */
    bool warned_of_bad_frame;   /* of this connection, on the log */
    unsigned int connection;    /* counts resets of the rings */
    unsigned int retry_ms;      /* until the next try, should this one fail */
    struct semaphore attention; /* the card's thread has something to look at */
    evtchn_port_t port;

    struct netif_tx_front_ring tx;
    struct netif_rx_front_ring rx;
    void *tx_page, *rx_page;
    grant_ref_t tx_ref, rx_ref;
    struct netfront_pool tx_pool, rx_pool;
    uint16_t posted[NETFRONT_PAGES]; /* rx_pool page in each ring slot */
    bool tx_busy[NETFRONT_PAGES];    /* tx_pool pages that the backend has */

    struct wait_queue tx_queue; /* waits for pages of tx_pool */

    /* The frame being sent. */
    uint16_t send_pages[NETFRONT_PIECES_MAX];
    size_t send_len, send_at;
};

/* Pools, ring pages and their grants, all zeroed. 0 or -errno. */
int netfront_rings_new(struct netfront *nf);

/* Undoes it, whole or in part. */
void netfront_rings_free(struct netfront *nf);

/* Empty rings, all pages back in their pools but those the user holds. */
void netfront_rings_reset(struct netfront *nf);

/* Gives the backend all free pages to receive into. */
void netfront_post(struct netfront *nf);

/* The event channel's handler. */
void netfront_event(evtchn_port_t port, void *arg);

#endif
