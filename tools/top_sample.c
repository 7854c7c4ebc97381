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
                      const struct rs_domain_info *d)
{
    for (int i = 0; i < f->n; i++)
        if (domain_is(d, f->names[i]))
            return true;
    return f->n == 0;
}

static void take_details(struct top_details *d, unsigned int domid,
                         const struct rs_client_stats *s)
{
    d->domid = domid;
    d->valid = true;
    d->at_ns = now_ns();
    d->stats = *s;
}

/* Domains 0 and 1 send as processes do, and nobody counts that. */
static void take_domains(const struct host *h,
                         const struct rs_domain_info *list, unsigned int n,
                         const struct top_filter *filter, int details_of,
                         struct top_sample *s)
{
    struct rs_client_stats stats;

    for (unsigned int i = 0; i < n; i++) {
        struct top_domain *d = &s->domains[s->n];

        if (!is_wanted(filter, &list[i]) ||
            rs_client_domain_stats(h->client, (uint16_t)list[i].domid,
                                   &stats) != 0)
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
        struct top_domain *d = top_find(s, io[i].domid);

        for (unsigned int k = 0; d != NULL && k < IO_VALUES; k++)
            if (to[k] != 0)
                d->count[to[k]] += io[i].value[k];
    }
    free(io);
}

int top_take(const struct host *h, const struct top_filter *filter,
             int details_of, struct top_sample *s)
{
    struct rs_domain_info *list;
    int n = domain_list(h, &list);

    *s = (struct top_sample){ .at_ns = now_ns() };
    if (n < 0)
        return n;
    s->domains = calloc((size_t)n + 1, sizeof(*s->domains));
    s->rows = calloc((size_t)n + 1, sizeof(*s->rows));
    if (s->domains == NULL || s->rows == NULL ||
        rs_client_host_info(h->client, &s->host) != 0) {
        free(list);
        return complain("the host does not answer");
    }
    s->host_cpu_ns = cpu_of((pid_t)s->host.pid);
    take_domains(h, list, (unsigned int)n, filter, details_of, s);
    free(list);
    take_io(h->rundir, s);
    return 0;
}

void top_free(struct top_sample *s)
{
    free(s->domains);
    free(s->rows);
    *s = (struct top_sample){ .n = 0 };
}
