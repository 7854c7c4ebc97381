/*
 * CONTROL: what an administrator asks of the daemon (xenstore-control).
 * One table of commands; each answers "OK" or text.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"
#include "tree.h"

#define ARGS_MAX 8

struct control {
    const char *name;
    int (*run)(struct request *rq, int n, const char *arg[]);
    const char *usage;
};

/* A text that grows, at most one payload with its NUL. */
struct text {
    char s[XENSTORE_PAYLOAD_MAX];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *t,
                                                           const char *fmt, ...)
{
    size_t room = sizeof(t->s) - t->len;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->s + t->len, room, fmt, ap);
    va_end(ap);
    t->len += (size_t)n < room ? (size_t)n : room - 1;
}

/*
 * Counts the tree and compares with the accounts; a difference is a bug of
 * ours and is logged.
 */
static int control_check(struct request *rq, int n, const char *arg[])
{
    struct tree_walk w;
    struct node *node;
    int64_t *count = calloc(XS_DOMIDS, sizeof(*count));

    (void)arg;
    if (n || !count) {
        free(count);
        return n ? -EINVAL : -ENOMEM;
    }
    tree_walk_begin(&w, rq->s->root);
    while ((node = tree_walk_next(&w)))
        if (perms_owner(node->perms) < XS_DOMIDS)
            count[perms_owner(node->perms)]++;
    for (unsigned int i = 1; i < XS_DOMIDS; i++) {
        const struct domain *d = domain_find(rq->s, i);

        if (count[i] != (d ? d->used[QUOTA_NODES] : 0))
            log_line("check: domain %u owns %lld nodes, %lld are booked", i,
                     (long long)count[i],
                     d ? (long long)d->used[QUOTA_NODES] : 0LL);
    }
    free(count);
    return reply_ack(rq);
}

static int control_log(struct request *rq, int n, const char *arg[])
{
    if (n > 1)
        return -EINVAL;
    if (n == 1) {
        if (strcmp(arg[0], "on") && strcmp(arg[0], "off"))
            return -EINVAL;
        log_set_trace(!strcmp(arg[0], "on"));
    }
    return reply_ack(rq);
}

/* A file that the daemon may open for its client. */
static int check_file(const struct request *rq, const char *file)
{
    if (!rq->s->may_open_files)
        return -EACCES;
    return file[0] == '/' ? 0 : -EINVAL;
}

static int control_logfile(struct request *rq, int n, const char *arg[])
{
    int err = n == 1 ? check_file(rq, arg[0]) : -EINVAL;

    if (!err)
        err = log_open(arg[0]);
    return err ? err : reply_ack(rq);
}

static int control_print(struct request *rq, int n, const char *arg[])
{
    if (n != 1)
        return -EINVAL;
    log_line("control: %s", arg[0]);
    return reply_ack(rq);
}

static void report(const struct store *s, FILE *f)
{
    struct list *pos;

    fprintf(f, "nodes %llu bytes %llu\n", (unsigned long long)node_stats.nodes,
            (unsigned long long)node_stats.bytes);
    fprintf(f, "watches %u transactions %u\n", s->watches.count, s->open_txns);
    fprintf(f, "requests %llu events %llu commits %llu conflicts %llu\n",
            (unsigned long long)s->requests, (unsigned long long)s->events,
            (unsigned long long)s->commits, (unsigned long long)s->conflicts);
    list_for_each(pos, &s->domain_list) {
        const struct domain *d = domain_of(pos);

        fprintf(f,
                "domain %u: nodes %lld watches %lld transactions %lld "
                "unread %lld bytes %lld\n",
                d->domid, (long long)d->used[QUOTA_NODES],
                (long long)d->used[QUOTA_WATCHES],
                (long long)d->used[QUOTA_TXNS],
                (long long)d->used[QUOTA_OUTSTANDING],
                (long long)d->used[QUOTA_MEMORY]);
    }
}

/* To a file, or as the answer as far as it fits. */
static int control_memreport(struct request *rq, int n, const char *arg[])
{
    char text[XENSTORE_PAYLOAD_MAX] = "";
    int err = n ? -EINVAL : 0;
    FILE *f;

    if (n == 1)
        err = check_file(rq, arg[0]);
    if (err)
        return err;
    f = n ? fopen(arg[0], "ae") : fmemopen(text, sizeof(text), "w");
    if (!f)
        return -errno;
    report(rq->s, f);
    fclose(f);
    text[sizeof(text) - 1] = '\0';
    return n ? reply_ack(rq) : reply_string(rq, text);
}

/* "quota", "quota <domid>", "quota set <name> <value>". */
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

static int control_quota(struct request *rq, int n, const char *arg[])
{
    if (n == 0)
        return quota_show(rq, NULL, &rq->s->quota);
    if (n == 1)
        return quota_show_domain(rq, arg[0]);
    if (n == 3 && !strcmp(arg[0], "set"))
        return quota_set(rq, arg[1], arg[2]);
    return -EINVAL;
}

static int control_quota_soft(struct request *rq, int n, const char *arg[])
{
    struct text t = { .len = 0 };

    if (n == 0) {
        text_add(&t, "%-17s: %8u  %s\n", "memory",
                 rq->s->quota.limit[QUOTA_MEMORY_SOFT],
                 quota_info[QUOTA_MEMORY_SOFT].what);
        return reply_string(rq, t.s);
    }
    if (n == 3 && !strcmp(arg[0], "set") && !strcmp(arg[1], "memory"))
        return quota_set(rq, "memory-soft", arg[2]);
    return -EINVAL;
}

static int control_live_update(struct request *rq, int n, const char *arg[])
{
    (void)rq;
    (void)n;
    (void)arg;
    return -ENOSYS;
}

static int control_help(struct request *rq, int n, const char *arg[]);

static const struct control controls[] = {
    { "check", control_check, "" },
    { "help", control_help, "" },
    { "live-update", control_live_update, "" },
    { "log", control_log, "[on|off]" },
    { "logfile", control_logfile, "<file>" },
    { "memreport", control_memreport, "[<file>]" },
    { "print", control_print, "<string>" },
    { "quota", control_quota, "[set <name> <value>|<domid>]" },
    { "quota-soft", control_quota_soft, "[set <name> <value>]" },
};
#define CONTROLS (sizeof(controls) / sizeof(controls[0]))

static int control_help(struct request *rq, int n, const char *arg[])
{
    struct text t = { .len = 0 };

    (void)arg;
    if (n)
        return -EINVAL;
    text_add(&t, "Supported commands:\n");
    for (size_t i = 0; i < CONTROLS; i++)
        text_add(&t, "%s\t%s\n", controls[i].name, controls[i].usage);
    return reply_string(rq, t.s);
}

int req_control(struct request *rq)
{
    const char *arg[ARGS_MAX];
    int n = wire_strings(rq->data, rq->len, arg, ARGS_MAX);

    if (n < 1 || n > ARGS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < CONTROLS; i++)
        if (!strcmp(arg[0], controls[i].name))
            return controls[i].run(rq, n - 1, arg + 1);
    return -EINVAL;
}
