/*
 * Quotas: what a guest may use, and what every domain does use.
 *
 * Domain 0 and sockets are counted but never refused. A limit of 0 means no
 * limit. Counters and limits are visible through GET_QUOTA and CONTROL quota.
 */
#ifndef XS_QUOTA_H
#define XS_QUOTA_H

#include <stdint.h>

enum quota_id {
    QUOTA_NODES,       /* owned */
    QUOTA_WATCHES,     /* registered */
    QUOTA_TXNS,        /* open */
    QUOTA_TXN_NODES,   /* accessed by one transaction */
    QUOTA_NODE_SIZE,   /* permissions + value + child list, bytes */
    QUOTA_PERMS,       /* entries per node */
    QUOTA_PATH,        /* characters, without /local/domain/N/ */
    QUOTA_OUTSTANDING, /* requests whose replies wait to be read */
    QUOTA_MEMORY,      /* bytes charged to the domain: the hard limit */
    QUOTA_MEMORY_SOFT, /* logged when passed */
    QUOTA_COUNT
};

struct quota {
    uint32_t limit[QUOTA_COUNT];
};

struct quota_info {
    const char *name, *what;
    uint32_t standard;
};
extern const struct quota_info quota_info[QUOTA_COUNT];

void quota_defaults(struct quota *q);
/* The quota of that name, or -ENOENT. */
int quota_by_name(const char *name);
/*
 * The same for what an older program left to this one, in its state or command
 * line: knows former names, too.
 */
int quota_by_stored_name(const char *name);

#endif
