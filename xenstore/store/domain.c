/* Domains: records and accounts; see domain.h. */
#include "store/domain.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/hv.h"
#include "store/store.h"

struct domain *domain_find(struct store *s, unsigned int domid)
{
    return domid < XS_DOMIDS ? s->domains[domid] : NULL;
}

static int domain_new(struct store *s, unsigned int domid, uint64_t birth,
                      struct domain **out)
{
    struct domain *d = calloc(1, sizeof(*d));

    assert(domid < XS_DOMIDS && !s->domains[domid]);
    if (!d)
        return -ENOMEM;
    d->serial = ++s->last_serial;
    d->domid = (uint16_t)domid;
    d->target = -1;
    d->features = XS_FEATURES;
    d->birth = birth;
    d->quota = s->quota;
    credit_init(&s->writes, &d->writes);
    s->domains[domid] = d;
    list_add_tail(&s->domain_list, &d->entry);
    s->domain_changes++;
    *out = d;
    return 0;
}

int domain_get(struct store *s, unsigned int domid, struct domain **out)
{
    struct hv_domain info = { .birth = 0 };

    *out = domain_find(s, domid);
    if (*out)
        return 0;
    if (domid >= XS_DOMIDS)
        return -ENOENT;
    if (domid &&
        (s->hv->query(s->hv_ctx, domid, &info) || info.state == HV_DYING))
        return -ENOENT;
    return domain_new(s, domid, info.birth, out);
}

int domain_remember(struct store *s, unsigned int domid, uint64_t birth)
{
    struct domain *d;

    return domain_find(s, domid) ? -EEXIST : domain_new(s, domid, birth, &d);
}

bool domain_fits(const struct domain *d, enum quota_id q, int64_t more)
{
    return domain_privileged(d) || !d->quota.limit[q] ||
           d->used[q] + more <= (int64_t)d->quota.limit[q];
}

void domain_charge(struct domain *d, enum quota_id q, int64_t more)
{
    d->used[q] += more;
    domain_peak(d, q, d->used[q]);
    if (q == QUOTA_MEMORY && !d->warned && !d->loading &&
        d->quota.limit[QUOTA_MEMORY_SOFT] && !domain_privileged(d) &&
        d->used[q] > (int64_t)d->quota.limit[QUOTA_MEMORY_SOFT]) {
        d->warned = true;
        log_line("domain %u uses more than %u bytes", d->domid,
                 d->quota.limit[QUOTA_MEMORY_SOFT]);
    }
}

/* Lines in the log about one guest. */
#define COMPLAINTS_MAX 10

bool domain_may_complain(struct domain *d)
{
    if (d->complaints < COMPLAINTS_MAX)
        return ++d->complaints;
    if (d->complaints == COMPLAINTS_MAX) {
        d->complaints++;
        log_line("domain %u: no more is said about it", d->domid);
    }
    return false;
}

void store_account(struct store *s, unsigned int owner, int64_t nodes,
                   int64_t bytes)
{
    struct domain *d = domain_find(s, owner);

    s->accounted += bytes + nodes * NODE_PLACE;
    if (!d)
        return;
    domain_charge(d, QUOTA_NODES, nodes);
    domain_charge(d, QUOTA_MEMORY, bytes);
}

void domains_free(struct store *s)
{
    struct list *pos, *tmp;

    list_for_each_safe(pos, tmp, &s->domain_list) free(domain_of(pos));
}
