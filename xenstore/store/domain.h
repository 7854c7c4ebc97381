/*
 * Domains as the store knows them: rights, quotas, counters, and the ring.
 *
 * A record exists from the first time a living domain is named (in a
 * permission list or by INTRODUCE) until the domain is gone or released.
 * Domain 0 always exists; sockets belong to it.
 */
#ifndef XS_DOMAIN_H
#define XS_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/budget.h"
#include "list.h"
#include "store/quota.h"

struct store;
struct conn;

/* Bits of server_features in the ring page (docs/misc/xenstore-ring.txt). */
#define XS_FEATURE_RECONNECT   1
#define XS_FEATURE_ERROR       2
#define XS_FEATURE_WATCH_DEPTH 4
#define XS_FEATURE_DOMID_ANY   8
#define XS_FEATURES            15

struct domain {
    struct list entry; /* store->domain_list */
    uint16_t domid;
    bool introduced;
    bool shutdown; /* @releaseDomain was fired for its shutdown */
    int target;    /* SET_TARGET: whose rights it has too, or -1 */
    uint32_t features;
    uint64_t serial;   /* of the record; never used twice */
    uint64_t birth;    /* from the hypervisor */
    struct conn *ring; /* NULL: not introduced */
    struct quota quota;
    int64_t used[QUOTA_COUNT];
    int64_t peak[QUOTA_COUNT]; /* the most of each, for CONTROL quota max */
    uint32_t complaints;       /* log lines about it so far */
    bool warned;               /* passed the soft memory limit */
    bool loading;              /* being restored: no warnings */
    struct credit writes;      /* thousandths of a write; see throttle.c */
};

static inline struct domain *domain_of(struct list *entry)
{
    return container_of(entry, struct domain, entry);
}

static inline bool domain_privileged(const struct domain *d)
{
    return d->domid == 0;
}

static inline uint64_t domain_serial(const struct domain *d)
{
    return d ? d->serial : 0;
}

/* The record, or NULL. */
struct domain *domain_find(struct store *s, unsigned int domid);

/*
 * The record of a domain that lives, made if need be. 0, -ENOENT (no such
 * domain), -ENOMEM.
 */
int domain_get(struct store *s, unsigned int domid, struct domain **out);

/*
 * Makes the record of a domain that existed before a restart;
 * domain_check_all() finds out whether it still lives. 0, -EEXIST, -ENOMEM.
 */
int domain_remember(struct store *s, unsigned int domid, uint64_t birth);

/* Whether the log may have one more line about what a guest did wrong. */
bool domain_may_complain(struct domain *d);

/* Whether `more` of a quota fits. Privileged domains always do. */
bool domain_fits(const struct domain *d, enum quota_id q, int64_t more);
void domain_charge(struct domain *d, enum quota_id q, int64_t more);

/* Records the most that was used of a quota. */
static inline void domain_peak(struct domain *d, enum quota_id q, int64_t value)
{
    if (value > d->peak[q])
        d->peak[q] = value;
}

/*
 * Adds nodes of the store's tree and their bytes to the accounts of the domain
 * that owns them, if there is a record of it.
 */
void store_account(struct store *s, unsigned int owner, int64_t nodes,
                   int64_t bytes);

void domains_free(struct store *s);

#endif
