/* CONTROL quota and quota-soft; see control.h. */
#include "request/control.h"

#include <errno.h>
#include <string.h>

static int quota_show(struct request *rq, const int64_t *used,
                      const struct quota *q)
{
    struct text t = { .len = 0 };

    for (int i = 0; i < QUOTA_COUNT; i++) {
        text_add(&t, "%-17s: ", quota_info[i].name);
        if (used)
            text_add(&t, "%8lld of ", (long long)used[i]);
        text_add(&t, "%8u  %s\n", q->limit[i], quota_info[i].what);
    }
    return reply_string(rq, t.s);
}

static int quota_show_domain(struct request *rq, const char *arg)
{
    const struct domain *d;
    uint64_t domid;

    if (wire_number(arg, XS_DOMIDS - 1, &domid))
        return -EINVAL;
    d = domain_find(rq->s, (unsigned int)domid);
    return d ? quota_show(rq, d->used, &d->quota) : -ENOENT;
}

/* Sets the peaks to what is used now. */
static void peaks_reset(struct store *s)
{
    struct list *pos;

    memset(s->peak, 0, sizeof(s->peak));
    list_for_each(pos, &s->domain_list)
        memcpy(domain_of(pos)->peak, domain_of(pos)->used,
               sizeof(domain_of(pos)->peak));
}

static int64_t peak_of(const struct store *s, int which)
{
    int64_t peak = s->peak[which];
    struct list *pos;

    list_for_each(pos, &s->domain_list) {
        const struct domain *d = domain_of(pos);

        if (!domain_privileged(d) && d->peak[which] > peak)
            peak = d->peak[which];
    }
    return peak;
}

static int quota_max(struct request *rq, const char *option)
{
    struct text t = { .len = 0 };

    if (option && strcmp(option, "-r"))
        return -EINVAL;
    if (option)
        peaks_reset(rq->s);
    for (int i = 0; i < QUOTA_COUNT; i++)
        if (i != QUOTA_MEMORY_SOFT) /* a second limit of the same amount */
            text_add(&t, "%-17s: %8lld  %s\n", quota_info[i].name,
                     (long long)peak_of(rq->s, i), quota_info[i].what);
    return reply_string(rq, t.s);
}

static int quota_set(struct request *rq, const char *name, const char *value)
{
    int which = quota_by_name(name);
    struct list *pos;
    uint64_t n;

    if (which < 0 || wire_number(value, UINT32_MAX, &n))
        return -EINVAL;
    rq->s->quota.limit[which] = (uint32_t)n;
    list_for_each(pos, &rq->s->domain_list)
        domain_of(pos)->quota.limit[which] = (uint32_t)n;
    return reply_ack(rq);
}

int control_quota(struct request *rq, int n, const char *arg[])
{
    if (n == 0)
        return quota_show(rq, NULL, &rq->s->quota);
    if (n <= 2 && !strcmp(arg[0], "max"))
        return quota_max(rq, n == 2 ? arg[1] : NULL);
    if (n == 1)
        return quota_show_domain(rq, arg[0]);
    if (n == 3 && !strcmp(arg[0], "set"))
        return quota_set(rq, arg[1], arg[2]);
    return -EINVAL;
}

int control_quota_soft(struct request *rq, int n, const char *arg[])
{
    struct text t = { .len = 0 };

    if (n == 0) {
        text_add(&t, "%-17s: %8u  %s\n", "memory",
                 rq->s->quota.limit[QUOTA_MEMORY_SOFT],
                 quota_info[QUOTA_MEMORY_SOFT].what);
        return reply_string(rq, t.s);
    }
    if (n == 3 && !strcmp(arg[0], "set") && !strcmp(arg[1], "memory"))
        return quota_set(rq, quota_info[QUOTA_MEMORY_SOFT].name, arg[2]);
    return -EINVAL;
}
