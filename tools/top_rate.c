/* Comparing samples; see top.h. */
#include "top.h"

#include <stdlib.h>

struct top_domain *top_find(const struct top_sample *s, unsigned int domid)
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

static void rate(struct top_domain *d, const struct top_sample *before,
                 double seconds)
{
    static const struct top_domain nothing;
    const struct top_domain *old = top_find(before, d->info.domid);

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
