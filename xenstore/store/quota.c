/* The table of quotas; see quota.h. */
#include "store/quota.h"

#include <errno.h>
#include <string.h>

const struct quota_info quota_info[QUOTA_COUNT] = {
    [QUOTA_NODES] = { "nodes", "Nodes owned by a domain", 1000 },
    [QUOTA_WATCHES] = { "watches", "Watches of a domain", 128 },
    [QUOTA_TXNS] = { "transactions", "Open transactions of a domain", 10 },
    [QUOTA_TXN_NODES] = { "transaction-nodes", "Nodes of a transaction", 1024 },
    [QUOTA_NODE_SIZE] = { "node-size", "Bytes of a node", 2048 },
    [QUOTA_PERMS] = { "node-permissions", "Permissions of a node", 5 },
    [QUOTA_PATH] = { "path-max", "Characters of a path", 2048 },
    [QUOTA_OUTSTANDING] = { "outstanding", "Unread replies of a domain", 20 },
    [QUOTA_MEMORY] = { "memory", "Bytes of a domain", 2560 * 1024 },
    [QUOTA_MEMORY_SOFT] = { "soft-memory", "Bytes before a warning",
                            2048 * 1024 },
};

void quota_defaults(struct quota *q)
{
    for (int i = 0; i < QUOTA_COUNT; i++)
        q->limit[i] = quota_info[i].standard;
}

int quota_by_name(const char *name)
{
    for (int i = 0; i < QUOTA_COUNT; i++)
        if (!strcmp(quota_info[i].name, name))
            return i;
    return -ENOENT;
}

int quota_by_stored_name(const char *name)
{
    if (!strcmp(name, "memory-soft")) /* what older programs called it */
        return QUOTA_MEMORY_SOFT;
    return quota_by_name(name);
}
