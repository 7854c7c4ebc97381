/* No hypervisor: domain 0 is the only domain. See hv.h. */
#include "store/hv.h"

#include <errno.h>

static int none_query(void *ctx, unsigned int domid, struct hv_domain *out)
{
    (void)ctx;
    (void)domid;
    (void)out;
    return -ESRCH;
}

static int none_connect(void *ctx, struct store *s, unsigned int domid,
                        uint32_t port, struct conn **conn)
{
    (void)ctx;
    (void)s;
    (void)domid;
    (void)port;
    (void)conn;
    return -ENOENT;
}

static int none_rebind(void *ctx, struct conn *conn, uint32_t port)
{
    (void)ctx;
    (void)conn;
    (void)port;
    return -ENOENT;
}

const struct hv_ops hv_none = { none_query, none_connect, none_rebind };
