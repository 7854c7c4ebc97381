/*
 * Requests about nodes: read, write, list, remove, permissions. They parse and
 * answer; ops.c does the work.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request/ops.h"

/* The payload is a path and nothing else. */
static int only_path(struct request *rq, bool special)
{
    if (!wire_one_string(rq->data, rq->len))
        return -EINVAL;
    return request_path(rq, rq->data, rq->len - 1, special);
}

/* The payload begins with a path; *rest is the offset of what follows. */
static int first_path(struct request *rq, bool special, size_t *rest)
{
    const char *end = rq->len ? memchr(rq->data, '\0', rq->len) : NULL;

    if (!end)
        return -EINVAL;
    *rest = (size_t)(end - rq->data) + 1;
    return request_path(rq, rq->data, *rest - 1, special);
}

int req_read(struct request *rq)
{
    struct node *n;
    int err = only_path(rq, false);

    if (!err)
        err = op_node(rq, PERM_READ, TXN_READ, &n);
    return err ? err : reply_data(rq, node_value(n), n->value_len);
}

int req_directory(struct request *rq)
{
    struct children_iter it;
    struct node *n;
    size_t len = 0;
    char *out;
    int err = only_path(rq, false);

    if (!err)
        err = op_node(rq, PERM_READ, TXN_LIST, &n);
    if (!err && children_bytes(n->children) > XENSTORE_PAYLOAD_MAX)
        err = -E2BIG;
    if (err)
        return err;
    out = reply_begin(rq);
    if (!out)
        return -ENOMEM;
    children_iterate(&it, n->children);
    while ((n = children_next(&it))) {
        memcpy(out + len, node_name(n), n->name_len + 1u);
        len += n->name_len + 1u;
    }
    return reply_end(rq, len);
}

/*
 * Fills `out` with whole names from byte `off` of the listing on (the first
 * may be a name's tail), less than `room` bytes. Returns how many.
 */
static size_t list_part(const struct node *dir, uint32_t off, char *out,
                        size_t room)
{
    uint32_t skip, size;
    struct children_iter it;
    struct node *n;
    size_t len = 0;

    skip = children_seek(&it, dir->children, off);
    while ((n = children_next(&it))) {
        size = n->name_len + 1u - skip;
        if (len + size > room)
            break;
        memcpy(out + len, node_name(n) + skip, size);
        len += size;
        skip = 0;
    }
    return len;
}

int req_directory_part(struct request *rq)
{
    const char *offset;
    size_t rest, len;
    uint64_t off;
    struct node *n;
    char *out;
    int err = first_path(rq, false, &rest);

    if (!err && wire_strings(rq->data + rest, rq->len - rest, &offset, 1) != 1)
        err = -EINVAL;
    if (!err)
        err = wire_number(offset, UINT64_MAX, &off);
    if (!err)
        err = op_node(rq, PERM_READ, TXN_LIST, &n);
    if (err)
        return err;
    out = reply_begin(rq);
    if (!out)
        return -ENOMEM;
    len = (size_t)sprintf(out, "%llu", (unsigned long long)n->gen) + 1;
    if (off < children_bytes(n->children)) {
        size_t part = list_part(n, (uint32_t)off, out + len,
                                XENSTORE_PAYLOAD_MAX - len - 1);

        len += part;
        off += part;
        if (off < children_bytes(n->children))
            return reply_end(rq, len);
    }
    out[len] = '\0';
    return reply_end(rq, len + 1);
}

int req_write(struct request *rq)
{
    size_t rest;
    int err = first_path(rq, false, &rest);

    if (!err)
        err = op_write(rq, rq->data + rest, rq->len - rest);
    return err ? err : reply_ack(rq);
}

int req_mkdir(struct request *rq)
{
    int err = only_path(rq, false);

    if (!err)
        err = op_mkdir(rq);
    return err ? err : reply_ack(rq);
}

int req_rm(struct request *rq)
{
    int err = only_path(rq, false);

    if (!err)
        err = op_rm(rq);
    return err ? err : reply_ack(rq);
}

/* ---- permissions ---- */

/*
 * Checks these rights on a special path. A special name that does not exist is
 * judged as a missing node below the root.
 */
static int special_perms(struct request *rq, unsigned int rights, int *which)
{
    const struct domain *d = rq->c->dom;

    *which = special_find(&rq->s->path);
    if (*which < 0)
        return conn_rights(rq->c, rq->s->root) & rights ? *which : -EACCES;
    if (domain_privileged(d) ||
        (perms_rights(rq->s->special[*which], d->domid, d->target) & rights) ==
            rights)
        return 0;
    return -EACCES;
}

static int find_perms(struct request *rq, struct perms **perms)
{
    struct node *n;
    int which, err;

    if (rq->s->path.special) {
        err = special_perms(rq, PERM_READ, &which);
        if (!err)
            *perms = rq->s->special[which];
        return err;
    }
    err = op_node(rq, PERM_READ, TXN_READ, &n);
    if (!err)
        *perms = n->perms;
    return err;
}

int req_get_perms(struct request *rq)
{
    struct perms *perms = NULL;
    size_t len = 0;
    char *out;
    int err = only_path(rq, true);

    if (!err)
        err = find_perms(rq, &perms);
    if (err)
        return err;
    out = reply_begin(rq);
    if (!out)
        return -ENOMEM;
    for (unsigned int i = 0; i < perms->n; i++) {
        char one[PERM_STR_MAX];
        size_t size = perm_format(&perms->e[i], one);

        if (len + size > XENSTORE_PAYLOAD_MAX)
            return -E2BIG;
        memcpy(out + len, one, size);
        len += size;
    }
    return reply_end(rq, len);
}

/*
 * Marks entries for domains that do not exist as inactive, for good. The owner
 * must exist.
 */
static int check_domains(struct request *rq, struct perm *e, int n)
{
    struct domain *d;

    for (int i = 0; i < n; i++) {
        int err = 0;

        if (i && e[i].domid == PERM_ANY_DOMID) {
            if (!(rq->c->dom->features & XS_FEATURE_DOMID_ANY))
                e[i].bits |= PERM_INACTIVE;
            continue;
        }
        err = domain_get(rq->s, e[i].domid, &d);
        if (err == -ENOMEM || (err && i == 0))
            return err;
        if (err)
            e[i].bits |= PERM_INACTIVE;
    }
    return 0;
}

/* The list of permissions in the payload from `rest` on. */
static int parse_perms(struct request *rq, size_t rest, struct perms **out)
{
    static const char *str[PERMS_MAX];
    struct domain *d = rq->c->dom;
    struct perm e[PERMS_MAX];
    int n = wire_strings(rq->data + rest, rq->len - rest, str, PERMS_MAX), err;

    if (n < 1 || n > PERMS_MAX)
        return -EINVAL;
    if (!domain_privileged(d) && d->quota.limit[QUOTA_PERMS] &&
        (uint32_t)n > d->quota.limit[QUOTA_PERMS])
        return -ENOSPC;
    domain_peak(d, QUOTA_PERMS, n);
    for (int i = 0; i < n; i++) {
        err = perm_parse(str[i], strlen(str[i]), &e[i]);
        if (err) /* an owner that is no domain's number does not exist */
            return err == -ERANGE && i == 0 ? -ENOENT : -EINVAL;
    }
    err = check_domains(rq, e, n);
    if (err)
        return err;
    *out = perms_get(e, (unsigned int)n);
    return *out ? 0 : -ENOMEM;
}

static int set_special_perms(struct request *rq, struct perms *perms)
{
    int which, err = special_perms(rq, PERM_WRITE | PERM_OWNER, &which);

    if (err)
        return err;
    if (!conn_privileged(rq->c) &&
        perms_owner(perms) != perms_owner(rq->s->special[which]))
        return -EPERM;
    perms_unref(rq->s->special[which]);
    rq->s->special[which] = perms_ref(perms);
    return 0;
}

int req_set_perms(struct request *rq)
{
    struct perms *perms = NULL;
    size_t rest;
    int err = first_path(rq, true, &rest);

    if (!err)
        err = parse_perms(rq, rest, &perms);
    if (err)
        return err;
    if (rq->s->path.special)
        err = set_special_perms(rq, perms);
    else
        err = op_set_perms(rq, perms);
    perms_unref(perms);
    return err ? err : reply_ack(rq);
}
