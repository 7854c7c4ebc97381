/* Requests about domains, their features and their quotas. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "request/request.h"
#include "session/domain_life.h"

#define DOMID_MAX 65535

/* Parses `n` strings; further strings are reserved and ignored. */
static int args(const struct request *rq, const char *arg[], int n)
{
    return wire_strings(rq->data, rq->len, arg, n) < n ? -EINVAL : 0;
}

/* A payload of one number that may be a domain id. */
static int one_domid(const struct request *rq, uint64_t *domid)
{
    if (!wire_one_string(rq->data, rq->len))
        return -EINVAL;
    return wire_number(rq->data, UINT32_MAX, domid);
}

/* The introduced domain that `s` names; -ENOENT if there is none. */
static int introduced(struct request *rq, const char *s, struct domain **d)
{
    uint64_t domid;

    if (wire_number(s, UINT32_MAX, &domid))
        return -EINVAL;
    *d = domain_find(rq->s, (unsigned int)domid);
    return *d && (*d)->introduced ? 0 : -ENOENT;
}

/* The frame number does not matter: the ring is always grant 1. */
int req_introduce(struct request *rq)
{
    const char *arg[3];
    uint64_t domid, port;
    int err = args(rq, arg, 3);

    if (err || wire_number(arg[0], DOMID_MAX, &domid) ||
        wire_number(arg[2], INT32_MAX, &port) || port == 0)
        return -EINVAL;
    err = domain_introduce(rq->s, (unsigned int)domid, (uint32_t)port);
    return err ? err : reply_ack(rq);
}

/* The payload is one introduced domain other than domain 0. */
static int one_guest(struct request *rq, struct domain **d)
{
    uint64_t domid;
    int err = one_domid(rq, &domid);

    if (err || domid == 0)
        return -EINVAL;
    return introduced(rq, rq->data, d);
}

int req_release(struct request *rq)
{
    struct domain *d;
    int err = one_guest(rq, &d);

    if (err)
        return err;
    domain_release(rq->s, d);
    return reply_ack(rq);
}

int req_resume(struct request *rq)
{
    struct domain *d;
    int err = one_guest(rq, &d);

    if (err)
        return err;
    d->shutdown = false;
    return reply_ack(rq);
}

int req_set_target(struct request *rq)
{
    const char *arg[2];
    struct domain *d, *target;
    int err = args(rq, arg, 2);

    if (!err)
        err = introduced(rq, arg[0], &d);
    if (!err)
        err = introduced(rq, arg[1], &target);
    if (err)
        return err;
    d->target = target->domid;
    return reply_ack(rq);
}

int req_is_domain_introduced(struct request *rq)
{
    const struct domain *d;
    uint64_t domid;
    int err = one_domid(rq, &domid);

    if (err)
        return err;
    d = domain_find(rq->s, (unsigned int)domid);
    if (domid == DOMID_SELF || (d && d->introduced))
        return reply_string(rq, "T");
    return reply_string(rq, "F");
}

/* The path of a domain's home, whether it exists or not. */
int req_get_domain_path(struct request *rq)
{
    uint64_t domid;
    char path[32];
    int err = one_domid(rq, &domid);

    if (err || domid > DOMID_MAX)
        return -EINVAL;
    snprintf(path, sizeof(path), "/local/domain/%u", (unsigned int)domid);
    return reply_string(rq, path);
}

/* ---- features and quotas ---- */

static int reply_number(struct request *rq, uint64_t n)
{
    char s[24];

    snprintf(s, sizeof(s), "%llu", (unsigned long long)n);
    return reply_string(rq, s);
}

/* Finds a living domain by its number in text. */
static int living(struct request *rq, const char *s, struct domain **d)
{
    uint64_t domid;

    if (wire_number(s, DOMID_MAX, &domid))
        return -EINVAL;
    return domain_get(rq->s, (unsigned int)domid, d);
}

/*
 * The caller's features, if it names no domain or an empty string. Only domain
 * 0 may name a domain, even itself.
 */
int req_get_feature(struct request *rq)
{
    const char *arg[1];
    struct domain *d;
    int n = wire_strings(rq->data, rq->len, arg, 1), err;

    if (n == 0 || (n == 1 && !*arg[0]))
        return reply_number(rq, rq->c->dom->features);
    if (!conn_privileged(rq->c))
        return -EACCES;
    err = n > 1 ? -EINVAL : living(rq, arg[0], &d);
    return err ? err : reply_number(rq, d->features);
}

/* Features change only before the introduction, which tells the guest. */
int req_set_feature(struct request *rq)
{
    const char *arg[2];
    struct domain *d;
    uint64_t bits;
    int err = args(rq, arg, 2);

    if (!err)
        err = living(rq, arg[0], &d);
    if (err)
        return err;
    if (wire_number(arg[1], UINT32_MAX, &bits) || (bits & ~XS_FEATURES))
        return -EINVAL;
    if (d->introduced)
        return -EBUSY;
    d->features = (uint32_t)bits;
    return reply_ack(rq);
}

static int reply_quota_names(struct request *rq)
{
    char names[512];
    size_t len = 0;

    for (int i = 0; i < QUOTA_COUNT; i++)
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
                                i ? " " : "", quota_info[i].name);
    return reply_string(rq, names);
}

/* The quotas of the domain `s`, or those of new domains. */
static int quota_of(struct request *rq, const char *s, struct quota **q)
{
    struct domain *d;
    int err = s ? living(rq, s, &d) : 0;

    if (!err)
        *q = s ? &d->quota : &rq->s->quota;
    return err;
}

int req_get_quota(struct request *rq)
{
    const char *arg[2];
    struct quota *q;
    int n = wire_strings(rq->data, rq->len, arg, 2), which, err;

    if (n > 2)
        return -EINVAL;
    if (n == 0)
        return reply_quota_names(rq);
    err = quota_of(rq, n == 2 ? arg[0] : NULL, &q);
    if (err)
        return err;
    which = quota_by_name(arg[n - 1]);
    return which < 0 ? -EINVAL : reply_number(rq, q->limit[which]);
}

int req_set_quota(struct request *rq)
{
    const char *arg[3];
    struct quota *q;
    uint64_t value;
    int n = wire_strings(rq->data, rq->len, arg, 3), which, err;

    if (n < 2 || n > 3)
        return -EINVAL;
    err = quota_of(rq, n == 3 ? arg[0] : NULL, &q);
    if (err)
        return err;
    which = quota_by_name(arg[n - 2]);
    if (which < 0 || wire_number(arg[n - 1], UINT32_MAX, &value))
        return -EINVAL;
    q->limit[which] = (uint32_t)value;
    return reply_ack(rq);
}
