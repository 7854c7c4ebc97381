/* The path that a request is about; see request.h. */
#include <errno.h>

#include "request/request.h"

/* A guest has a quota for the length of its paths. */
static bool path_fits(const struct request *rq)
{
    const struct path *p = &rq->s->path;
    struct domain *d = rq->c->dom;
    uint32_t limit = d->quota.limit[QUOTA_PATH];
    size_t len;

    if (domain_privileged(d))
        return true;
    len = p->len - path_domain_prefix(p->str, p->len);
    if (limit && len > limit)
        return false;
    domain_peak(d, QUOTA_PATH, (int64_t)len);
    return true;
}

int request_path(struct request *rq, const char *str, size_t len, bool special)
{
    int err = path_parse(&rq->s->path, str, len, rq->c->dom->domid, special);

    if (!err && !path_fits(rq))
        err = -EINVAL;
    return err;
}
