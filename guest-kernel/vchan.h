/*
 * Inside of vchan: vchan_ring.c (bytes), vchan_setup.c (how two ends
 * find each other), vchan.c (<ringside/vchan.h>: waiting and the rest).
 *
 * While the vCPU is idle it polls the rings, and asks the other end for events
 * only before it sleeps (idle.h); two ends that both poll exchange no events.
 */
#ifndef RINGSIDE_GUEST_VCHAN_H
#define RINGSIDE_GUEST_VCHAN_H

#include <ringside/vchan.h>

#include "guest-kernel/events.h"
#include "guest-kernel/grants.h"
#include "guest-kernel/idle.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/vchan_ring.h"

/* What threads wait for, as bits. The first two are libxenvchan's. */
#define VCHAN_WAIT_DATA VCHAN_NOTIFY_WRITE
#define VCHAN_WAIT_ROOM VCHAN_NOTIFY_READ
#define VCHAN_WAIT_PEER 0x4

/* Pages of ours that the client maps. */
struct vchan_pages {
    char *addr;
    unsigned int n;
    grant_ref_t *refs;
};

struct rs_vchan {
    struct vchan_end end;
    domid_t peer;
    evtchn_port_t port;
    bool peer_died;
    bool warned_of_break;   /* on the log */
    uint64_t peer_check_at; /* when to ask again whether the peer still lives */
    unsigned int waiting;   /* VCHAN_WAIT_... */
    struct wait_queue changed;
    struct poller poller;
    char *path; /* the server's announcement; NULL: we are the client */
    /* Of which so much was there before, and was not made for others that left
     * what was behind it to us. */
    size_t found, left_to_us;
    struct list announced; /* all servers of this guest */
    struct vchan_pages page, left, right;
    struct grant_map page_map, left_map, right_map;
};

/* Takes v's memory, mappings and announcement apart; v is freed. */
void vchan_free(struct rs_vchan *v);

/* Connects v's port and its poller to the channel; needs v->end. */
void vchan_start(struct rs_vchan *v);
void vchan_event(evtchn_port_t port, void *arg);

#endif
