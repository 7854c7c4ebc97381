/* CONTROL log, logfile and memreport; see control.h. */
#include "request/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "txn/txn_snapshot.h"

static int log_show(struct request *rq)
{
    struct text t = { .len = 0 };

    text_add(&t, "tracing is %s, with these switches:\n",
             log_tracing() ? "on" : "off");
    for (int i = 0; i < LOG_SWITCHES; i++)
        text_add(&t, "%c%s\t%s\n", log_switched((enum log_switch)i) ? '+' : '-',
                 log_switch_info[i].name, log_switch_info[i].what);
    return reply_string(rq, t.s);
}

/* "log", "log on", "log off", "log +io", "log -io". */
int control_log(struct request *rq, int n, const char *arg[])
{
    bool on;
    int which;

    if (n == 0)
        return log_show(rq);
    if (n > 1)
        return -EINVAL;
    on = !strcmp(arg[0], "on");
    if (on || !strcmp(arg[0], "off")) {
        log_set_trace(on);
        return reply_ack(rq);
    }
    on = arg[0][0] == '+';
    which = on || arg[0][0] == '-' ? log_switch_by_name(arg[0] + 1) : -EINVAL;
    if (which < 0)
        return -EINVAL;
    log_set_switch((enum log_switch)which, on);
    return reply_ack(rq);
}

/* Whether the daemon may open this file for its client. */
static int check_file(const struct request *rq, const char *file)
{
    if (!rq->s->may_open_files)
        return -EACCES;
    return file[0] == '/' ? 0 : -EINVAL;
}

int control_logfile(struct request *rq, int n, const char *arg[])
{
    int err = n == 1 ? check_file(rq, arg[0]) : -EINVAL;

    if (!err)
        err = log_open(arg[0]);
    return err ? err : reply_ack(rq);
}

static void report(const struct store *s, FILE *f)
{
    struct list *pos;

    fprintf(f, "nodes %llu bytes %llu\n", (unsigned long long)node_stats.nodes,
            (unsigned long long)node_stats.bytes);
    fprintf(f, "watches %u transactions %u keeping %lld\n", s->watches.count,
            s->open_txns, (long long)txn_snapshot_memory(s));
    fprintf(f, "requests %llu events %llu commits %llu conflicts %llu\n",
            (unsigned long long)s->requests, (unsigned long long)s->events,
            (unsigned long long)s->commits, (unsigned long long)s->conflicts);
    if (s->saver)
        s->saver->report(s->saver, f);
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

/* Writes to a file, or answers with as much as fits a reply. */
int control_memreport(struct request *rq, int n, const char *arg[])
{
    char text[XENSTORE_PAYLOAD_MAX] = "";
    int err = n ? -EINVAL : 0;
    FILE *f;

    if (n == 1)
        err = check_file(rq, arg[0]);
    if (err)
        return err;
    f = n ? log_append(arg[0]) : fmemopen(text, sizeof(text), "w");
    if (!f)
        return -errno;
    report(rq->s, f);
    fclose(f);
    text[sizeof(text) - 1] = '\0';
    return n ? reply_ack(rq) : reply_string(rq, text);
}
