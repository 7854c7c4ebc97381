/* Samples of what domains did; see top.h. */
#include "top.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest.h"
#include "io_stats.h"
#include "say.h"

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- taking ---- */

static uint64_t cpu_of(pid_t pid)
{
    struct timespec t;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool is_wanted(const struct top_filter *f,
                      const struct hypercall_info *d)
{
    for (int i = 0; i < f->n; i++)
        if (domain_is(d, f->names[i]))
            return true;
    return f->n == 0;
}

static void take_details(struct top_details *d, unsigned int domid,
                         const struct hypercall_stats *s)
{
    d->domid = domid;
    d->valid = true;
    d->at_ns = now_ns();
    d->stats = *s;
}

/* Domains 0 and 1 send as processes do, and nobody counts that. */
static void take_domains(const struct hypercall_info *list, unsigned int n,
                         const struct top_filter *filter, int details_of,
                         struct top_sample *s)
{
    struct hypercall_stats stats;

    for (unsigned int i = 0; i < n; i++) {
        struct top_domain *d = &s->domains[s->n];

        if (!is_wanted(filter, &list[i]) ||
            hypercall_domain_stats((domid_t)list[i].domid, &stats) != 0)
            continue;
        d->info = list[i];
        d->count[TOP_CPU_NS] = list[i].cpu_ns;
        d->count[TOP_HYPERCALLS] = list[i].hypercalls;
        d->count[TOP_TRAPS] = list[i].traps;
        d->count[TOP_SENDS] = stats.guest.sends;
        if (details_of >= 0 && list[i].domid == (unsigned int)details_of)
            take_details(&s->details, list[i].domid, &stats);
        s->n++;
    }
}

static struct top_domain *find(const struct top_sample *s, unsigned int domid)
{
    unsigned int low = 0, high = s->n;

    while (low < high) {
        unsigned int mid = low + (high - low) / 2;

        if (s->domains[mid].info.domid < domid)
            low = mid + 1;
        else
            high = mid;
    }
    return low < s->n && s->domains[low].info.domid == domid ? &s->domains[low]
                                                             : NULL;
}

static void take_io(const char *rundir, struct top_sample *s)
{
    static const enum top_count to[IO_VALUES] = {
        [IO_READS] = TOP_READS,           [IO_READ_BYTES] = TOP_READ_BYTES,
        [IO_WRITES] = TOP_WRITES,         [IO_WRITE_BYTES] = TOP_WRITE_BYTES,
        [IO_TX_PACKETS] = TOP_TX_PACKETS, [IO_TX_BYTES] = TOP_TX_BYTES,
        [IO_RX_PACKETS] = TOP_RX_PACKETS, [IO_RX_BYTES] = TOP_RX_BYTES,
    };
    struct device_io *io;
    unsigned int n = io_read(rundir, &io);

    for (unsigned int i = 0; i < n; i++) {
        struct top_domain *d = find(s, io[i].domid);

        for (unsigned int k = 0; d != NULL && k < IO_VALUES; k++)
            if (to[k] != 0)
                d->count[to[k]] += io[i].value[k];
    }
    free(io);
}

int top_take(const char *rundir, const struct top_filter *filter,
             int details_of, struct top_sample *s)
{
    struct hypercall_info *list;
    int n = domain_list(&list);

    *s = (struct top_sample){ .at_ns = now_ns() };
    if (n < 0)
        return n;
    s->domains = calloc((size_t)n + 1, sizeof(*s->domains));
    s->rows = calloc((size_t)n + 1, sizeof(*s->rows));
    if (s->domains == NULL || s->rows == NULL ||
        hypercall_host_info(&s->host) != 0) {
        free(list);
        return complain("the host does not answer");
    }
    s->host_cpu_ns = cpu_of((pid_t)s->host.pid);
    take_domains(list, (unsigned int)n, filter, details_of, s);
    free(list);
    take_io(rundir, s);
    return 0;
}

void top_free(struct top_sample *s)
{
    free(s->domains);
    free(s->rows);
    *s = (struct top_sample){ .n = 0 };
}

/* ---- comparing ---- */

static void rate(struct top_domain *d, const struct top_sample *before,
                 double seconds)
{
    static const struct top_domain nothing;
    const struct top_domain *old = find(before, d->info.domid);

    /* Another one, which has the number now. */
    if (old != NULL && old->info.created_ns != d->info.created_ns)
        old = NULL;
    if (old == NULL)
        old = d->info.created_ns > before->at_ns ? &nothing : d;
    for (unsigned int k = 0; k < TOP_COUNTS && seconds > 0; k++)
        d->rate[k] = (double)top_more(old->count[k], d->count[k]) / seconds;
}

/* As it is shown: tenths of a percent. */
static uint64_t cpu_used(const struct top_domain *d)
{
    return (uint64_t)(d->rate[TOP_CPU_NS] / 1e6 + 0.5);
}

/* By processor time since the last sample, then in all, then by id. */
static int by_cpu(const void *a, const void *b)
{
    const struct top_domain *x = *(struct top_domain *const *)a;
    const struct top_domain *y = *(struct top_domain *const *)b;

    if (cpu_used(x) != cpu_used(y))
        return cpu_used(x) < cpu_used(y) ? 1 : -1;
    if (x->count[TOP_CPU_NS] != y->count[TOP_CPU_NS])
        return x->count[TOP_CPU_NS] < y->count[TOP_CPU_NS] ? 1 : -1;
    return x->info.domid < y->info.domid ? -1 : 1;
}

void top_compare(struct top_sample *now, const struct top_sample *before)
{
    double seconds = (double)top_more(before->at_ns, now->at_ns) / 1e9;

    if (before->host_cpu_ns != 0 && seconds > 0)
        now->host_rate =
            (double)top_more(before->host_cpu_ns, now->host_cpu_ns) / seconds;
    for (unsigned int i = 0; i < now->n; i++) {
        rate(&now->domains[i], before, seconds);
        now->rows[i] = &now->domains[i];
    }
    qsort(now->rows, now->n, sizeof(now->rows[0]), by_cpu);
}
