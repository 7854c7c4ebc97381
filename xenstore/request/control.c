/*
 * CONTROL: the commands of xenstore-control. One table; each command answers
 * "OK" or text. Commands about quotas are in control_quota.c, those about logs
 * and reports in control_log.c, live-update is in control_update.c.
 */
#include "request/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "tree/tree.h"

#define ARGS_MAX 8

struct control {
    const char *name;
    int (*run)(struct request *rq, int n, const char *arg[]);
    const char *usage;
};

/*
 * Counts the tree and compares with the accounts. A difference is a bug of the
 * store, and is logged.
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
            log_line("check: domain %u owns %lld nodes, %lld are accounted", i,
                     (long long)count[i],
                     d ? (long long)d->used[QUOTA_NODES] : 0LL);
    }
    free(count);
    return reply_ack(rq);
}

static int control_print(struct request *rq, int n, const char *arg[])
{
    char text[XENSTORE_PAYLOAD_MAX];

    if (n != 1)
        return -EINVAL;
    log_line("control: %s",
             log_text(text, sizeof(text), arg[0], strlen(arg[0])));
    return reply_ack(rq);
}

static int control_version(struct request *rq, int n, const char *arg[])
{
    (void)arg;
    return n ? -EINVAL
             : reply_string(rq, "ringside-xenstored " PACKAGE_VERSION);
}

static int control_help(struct request *rq, int n, const char *arg[]);

static const struct control controls[] = {
    { "check", control_check, "" },
    { "help", control_help, "" },
    { "live-update", control_live_update,
      "-f <file>|-c <arguments>|-s [-t <seconds>] [-F]|-a" },
    { "log", control_log, "[on|off|+<switch>|-<switch>]" },
    { "logfile", control_logfile, "<file>" },
    { "memreport", control_memreport, "[<file>]" },
    { "print", control_print, "<string>" },
    { "quota", control_quota, "[set <name> <value>|<domid>|max [-r]]" },
    { "quota-soft", control_quota_soft, "[set <name> <value>]" },
    { "version", control_version, "" },
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
