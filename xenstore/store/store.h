/* The store: the state that all of xenstore/ shares. One thread; no locks. */
#ifndef XS_STORE_H
#define XS_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/budget.h"
#include "base/log.h"
#include "conn/fair.h"
#include "list.h"
#include "store/domain.h"
#include "store/quota.h"
#include "store/special.h"
#include "tree/node.h"
#include "tree/path.h"
#include "update/update.h"
#include "watch/watch.h"

#define XS_DOMIDS 0x7ff0 /* DOMID_FIRST_RESERVED: ids of real domains */

struct conn;
struct hv_ops;
struct store;

/* What saves the store beyond the daemon's life (persist/db.c). */
struct saver {
    /*
     * Saves what changed since the last call. store_save() calls it before
     * anything is sent, so that an acknowledged change is saved.
     */
    void (*save)(struct saver *v, struct store *s);
    /* One line on its state, for CONTROL memreport. */
    void (*report)(const struct saver *v, FILE *f);
};

struct store {
    struct node *root; /* the current version of the tree */
    struct perms *special[SPECIAL_COUNT];
    struct watches watches;
    struct domain *domains[XS_DOMIDS]; /* by id */
    struct list domain_list;           /* the same, by age */
    uint64_t domain_changes;           /* records made and dropped so far */
    struct domain *dom0;
    struct quota quota;        /* of new domains */
    int64_t peak[QUOTA_COUNT]; /* of guests that are gone */
    const struct hv_ops *hv;
    void *hv_ctx;
    struct list conns;
    struct list dirty;  /* connections with something to send, or dead */
    struct list ready;  /* those with requests that wait for a slice */
    struct fair fair;   /* schedules rings */
    uint32_t open_txns; /* of all connections */
    struct budget
        writes;        /* of guests, while transactions are open: throttle.h */
    int64_t accounted; /* cost of all nodes that are on an account */
    int64_t snapshot_base; /* see txn_snapshot.c */
    uint64_t now_ms;       /* the loop's clock, set by it every turn */
    uint64_t tick_ms;      /* when store_tick() is due */
    uint64_t expired_ms;   /* when a guest's expired events were last dropped */
    uint64_t requests, events, commits, conflicts; /* since the start */
    uint64_t last_conn, last_serial; /* ids of connections and domains */
    bool may_open_files; /* CONTROL logfile and memreport FILE are allowed */
    struct saver *saver; /* NULL: the store ends with the daemon */
    struct update update;
    struct path path; /* of the request being served */
};

/* Events that a guest leaves unread for longer are dropped. */
#define EVENT_TIMEOUT_MS 20000

/* Asks that store_tick() be called in `ms` at the latest. */
static inline void store_want_tick(struct store *s, uint64_t ms)
{
    if (s->now_ms + ms < s->tick_ms)
        s->tick_ms = s->now_ms + ms;
}

#endif
