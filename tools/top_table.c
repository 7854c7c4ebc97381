/* The tables of ringside top; see top.h. */
#include "top.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "xen_compat.h"

#include "counters.h"
#include "printable.h"
#include "say.h"

/* ---- lines ---- */

/* Cuts after so many characters; those of UTF-8 have several bytes. */
static void cut(char *s, unsigned int width)
{
    unsigned int n = 0;

    for (; *s != '\0'; s++) {
        if (((unsigned char)*s & 0xc0) != 0x80 && n++ == width) {
            *s = '\0';
            return;
        }
    }
}

void top_line(const struct top_page *p, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    printable_line(line, sizeof(line));
    if (p->width > 0)
        cut(line, p->width);
    fprintf(p->out, "%s\n", line);
}

/* ---- the table ---- */

/* A column of rates: its heading, what it counts, and in what unit. */
struct column {
    const char *brief, *exact;
    enum top_count count;
    double unit; /* of the exact figure */
};

static const struct column columns[] = {
    { "CPU%", "CPU(%)", TOP_CPU_NS, 1e7 },
    { "HC/s", "HCALL/s", TOP_HYPERCALLS, 1 },
    { "EV/s*", "SEND/s*", TOP_SENDS, 1 },
    { "RD/s", "RD/s", TOP_READS, 1 },
    { "WR/s", "WR/s", TOP_WRITES, 1 },
    { "RDB/s", "RD(MB/s)", TOP_READ_BYTES, 1e6 },
    { "WRB/s", "WR(MB/s)", TOP_WRITE_BYTES, 1e6 },
    { "TXB/s", "TX(MB/s)", TOP_TX_BYTES, 1e6 },
    { "RXB/s", "RX(MB/s)", TOP_RX_BYTES, 1e6 },
    { "TX/s", "TX/s", TOP_TX_PACKETS, 1 },
    { "RX/s", "RX/s", TOP_RX_PACKETS, 1 },
    { "TR/s", "TRAP/s", TOP_TRAPS, 1 },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

#define NAME_MIN 11
#define NAME_MAX 32
#define BESIDE   (15 + 6 * (int)COLUMNS) /* a name, in the brief table */

/* Names get what is left of a wide page. */
static int name_width(const struct top_page *p, bool exact)
{
    int left = (int)p->width - BESIDE;

    if (exact)
        return 20;
    return left < NAME_MIN ? NAME_MIN : left > NAME_MAX ? NAME_MAX : left;
}

/* Memory comes in powers of two. */
static void format_memory(uint64_t kib, char *buf, size_t n)
{
    if (kib < 10240)
        snprintf(buf, n, "%uK", (unsigned int)kib);
    else if (kib < 10240 * 1024)
        snprintf(buf, n, "%uM", (unsigned int)(kib / 1024));
    else
        snprintf(buf, n, "%lluG", (unsigned long long)kib / 1048576);
}

void top_heading(const struct top_page *p, bool exact)
{
    char line[256];
    int n = snprintf(
        line, sizeof(line), exact ? "%-*s %5s S VCPU %10s" : "%-*s %4s S V %5s",
        name_width(p, exact), "NAME", "ID", exact ? "MEM(KiB)" : "MEM");

    for (size_t i = 0; i < COLUMNS; i++)
        n += snprintf(line + n, sizeof(line) - (size_t)n,
                      exact ? " %10s" : " %5s",
                      exact ? columns[i].exact : columns[i].brief);
    top_line(p, "%s", line);
}

static char state_letter(const struct rs_domain_info *d)
{
    static const char letters[] = "prsd";

    if (d->state == RS_DOMAIN_SHUTDOWN && d->shutdown_reason == SHUTDOWN_crash)
        return 'c';
    return d->state < 4 ? letters[d->state] : '?';
}

void top_row(const struct top_page *p, const struct top_domain *d, bool exact)
{
    int wide = name_width(p, exact), n;
    char line[512], text[32];
    char name[PRINTABLE_GROWTH * sizeof(d->info.name)];

    printable_string(name, sizeof(name), d->info.name);
    if (exact)
        snprintf(text, sizeof(text), "%10llu",
                 (unsigned long long)d->info.memory_kib);
    else
        format_memory(d->info.memory_kib, text, sizeof(text));
    n = snprintf(line, sizeof(line),
                 exact ? "%-*.*s %5u %c %4u %s" : "%-*.*s %4u %c %u %5s", wide,
                 wide, name, d->info.domid, state_letter(&d->info),
                 d->info.vcpus, text);
    for (size_t i = 0; i < COLUMNS; i++) {
        const struct column *c = &columns[i];
        double unit = exact || c->count == TOP_CPU_NS ? c->unit : 1;
        double value = d->rate[c->count] / unit;

        n += exact ? snprintf(line + n, sizeof(line) - (size_t)n, " %10.*f",
                              c->unit > 1 ? 2 : 1, value)
                   : snprintf(line + n, sizeof(line) - (size_t)n, " %5s",
                              format_short(value, text, sizeof(text)));
    }
    top_line(p, "%s", line);
}

/* ---- around it ---- */

void top_summary(const struct top_page *p, const struct top_sample *s)
{
    unsigned int states[4] = { 0 };
    char used[24], all[24], up[24];
    double cpu = 0;

    for (unsigned int i = 0; i < s->n; i++) {
        states[s->domains[i].info.state & 3]++;
        cpu += s->domains[i].rate[TOP_CPU_NS] / 1e7;
    }
    top_line(p,
             "ringside: up %s, %u domains (%u running, %u paused, %u shut "
             "down)",
             format_ns(s->host.uptime_ns, up, sizeof(up)), s->n,
             states[RS_DOMAIN_RUNNING], states[RS_DOMAIN_PAUSED],
             states[RS_DOMAIN_SHUTDOWN]);
    top_line(p,
             "CPU %.1f%% of %u%%, and the hypervisor %.1f%%; memory %s of %s",
             cpu, s->host.cpus * 100, s->host_rate / 1e7,
             format_bytes((s->host.memory_kib - s->host.memory_free_kib) * 1024,
                          used, sizeof(used)),
             format_bytes(s->host.memory_kib * 1024, all, sizeof(all)));
}

/* ---- the details ---- */

static const struct rs_hypercall_stats *
calls_of(const struct rs_client_stats *s, const char *name)
{
    static const struct rs_hypercall_stats none;

    for (unsigned int i = 0; i < s->nr_calls; i++)
        if (strcmp(s->calls[i].name, name) == 0)
            return &s->calls[i];
    return &none;
}

/* What was called between two looks; times are those of these calls. */
static void show_calls(const struct top_page *p,
                       const struct rs_hypercall_stats *now,
                       const struct rs_hypercall_stats *before, double seconds)
{
    char rate[16], batched[16], failed[16], mean[24], p50[24], p99[24];
    uint64_t calls = top_more(before->calls, now->calls);
    uint64_t times[RS_HISTOGRAM];

    for (unsigned int i = 0; i < RS_HISTOGRAM; i++)
        times[i] = top_more(before->histogram[i], now->histogram[i]);
    format_short((double)calls / seconds, rate, sizeof(rate));
    format_short((double)top_more(before->batched, now->batched) / seconds,
                 batched, sizeof(batched));
    format_short((double)top_more(before->failed, now->failed) / seconds,
                 failed, sizeof(failed));
    if (calls == 0) {
        top_line(p, "  %-18s %7s %7s %7s", now->name, rate, batched, failed);
        return;
    }
    format_duration(top_more(before->total_ns, now->total_ns) / calls, mean,
                    sizeof(mean));
    format_duration(histogram_quantile(times, 500), p50, sizeof(p50));
    format_duration(histogram_quantile(times, 990), p99, sizeof(p99));
    top_line(p, "  %-18s %7s %7s %7s   mean %s, p50 %s, p99 %s", now->name,
             rate, batched, failed, mean, p50, p99);
}

static void show_guest_counts(const struct top_page *p,
                              const struct rs_guest_counts *now,
                              const struct rs_guest_counts *before,
                              double seconds)
{
    const struct {
        const char *name;
        uint64_t more;
    } counts[] = {
        { "sends", top_more(before->sends, now->sends) },
        { "upcalls", top_more(before->upcalls, now->upcalls) },
        { "blocks", top_more(before->blocks, now->blocks) },
        { "polls", top_more(before->polls, now->polls) },
        { "unmasks", top_more(before->unmasks, now->unmasks) },
        { "timers", top_more(before->timers, now->timers) },
        { "ticks", top_more(before->ticks, now->ticks) },
        { "traps", top_more(before->traps, now->traps) },
        { "mappings", top_more(before->changes, now->changes) },
    };
    char line[400], rate[16];
    int n = 0;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (counts[i].more == 0)
            continue;
        format_short((double)counts[i].more / seconds, rate, sizeof(rate));
        n += snprintf(line + n, sizeof(line) - (size_t)n, "%s%s %s",
                      n > 0 ? ", " : "", counts[i].name, rate);
    }
    top_line(p, "  * as the guest reports: %s", n > 0 ? line : "nothing");
}

void top_show_details(const struct top_page *p, const struct top_details *now,
                      const struct top_details *before)
{
    double seconds = (double)(now->at_ns - before->at_ns) / 1e9;

    if (!now->valid || !before->valid || now->domid != before->domid ||
        seconds <= 0) {
        top_line(p, "  (at the next look)");
        return;
    }
    top_line(p, "  %-18s %7s %7s %7s   the hypervisor's time for a call",
             "HYPERCALL", "CALLS/s", "BATCH/s", "FAIL/s");
    for (unsigned int i = 0; i < now->stats.nr_calls; i++)
        show_calls(p, &now->stats.calls[i],
                   calls_of(&before->stats, now->stats.calls[i].name), seconds);
    if (now->domid > RS_DOMID_DRIVER)
        show_guest_counts(p, &now->stats.guest, &before->stats.guest, seconds);
}
