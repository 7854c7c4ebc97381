/*
 * The figures, in the table's order. A job or a native function that says a
 * name which is not here is a mistake; a figure that nobody said is left out,
 * with a reason.
 *
 * To add one: its line here, and the code that says it: in guest_calls.c,
 * guest_peers.c (the line "NAME MEDIAN P99 BATCH") or in a native_*.c.
 */
#include "figures.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"

#define SYSCALL "hypercall.native_syscall"
#define NOTIFY  "native.notify"

static const struct figure figures[] = {
    { .what = "native" },
    { "native.call", "function call" },
    { "native.vdso_clock", "clock_gettime() by vDSO" },
    { SYSCALL, "getppid()" },
    { "native.eventfd_write", "write to an eventfd" },
    { "native.eventfd_epoll_write", "to one in an edge-triggered epoll set" },
    { "native.gp_signal", "#GP, SIGSEGV handler, return" },
    { "native.fault_signal", "#PF, SIGSEGV handler, return" },
    { "native.timer_signal", "timer's deadline to its handler's end" },
    { "native.memcpy4k", "memcpy() of 4 KiB" },
    { "native.mmap_page", "mmap, touch, munmap of a page of a file" },
    { NOTIFY, "seccomp notification, two processes" },
    { "native.pipe_pingpong", "round trip over pipes, one CPU" },
    { "native.pipe_pingpong_across", "the same across CPUs" },
    { "native.eventfd_pingpong", "round trip over eventfds, one CPU" },
    { "native.eventfd_pingpong_across", "the same across CPUs" },
    { "native.socket_pingpong_across", "UNIX socket, 8 bytes, across CPUs" },
    { "native.word_pingpong", "both watch a word of memory" },
    { "native.socket_stream", "one stream over a UNIX socket",
      .unit = "Gbit/s" },

    { .what = "hypercall, by carrier" },
    { "hypercall.trap", "xen_version: notification", NOTIFY, .ratio = 1.25 },
    { "hypercall.direct_send", "EVTCHNOP_send: Linux alone",
      "native.eventfd_epoll_write", .ratio = 1.3 },
    { "hypercall.ring", "xen_version: mailbox, polled", "native.word_pingpong",
      .ns = 400 },

    { .what = "multicall, per call" },
    { "hypercall.multicall1", "1 call in a batch", "hypercall.trap" },
    { "hypercall.multicall2", "2 calls", "hypercall.trap" },
    { "hypercall.multicall4", "4 calls", "hypercall.trap" },
    { "hypercall.multicall8", "8 calls", "hypercall.trap" },
    { "hypercall.multicall16", "16 calls", "hypercall.trap" },
    { "hypercall.multicall32", "32 calls", "hypercall.trap" },
    { "hypercall.multicall64", "64 calls", "hypercall.trap", .ns = 150 },
    { "hypercall.multicall128", "128 calls", "hypercall.trap" },
    { "hypercall.multicall256", "256 calls", "hypercall.trap" },

    { .what = "privileged instruction: paravirtual, emulated" },
    { "hypercall.pv_cli", "set the upcall mask" },
    { "hypercall.emulated_cli", "cli", "hypercall.pv_cli" },
    { "hypercall.in_stub_cli", "cli, decoded in the guest's process",
      "hypercall.pv_cli" },
    { "hypercall.pv_sti", "clear it, look what is pending" },
    { "hypercall.emulated_sti", "sti", "hypercall.pv_sti" },
    { "hypercall.in_stub_sti", "sti, decoded in the guest's process",
      "hypercall.pv_sti" },
    { "hypercall.pv_hlt", "mask, SCHEDOP_block, an event pending" },
    { "hypercall.emulated_hlt", "cli; sti; hlt, an interrupt pending",
      "hypercall.pv_hlt" },
    { "hypercall.pv_in", "the clock, from shared memory" },
    { "hypercall.emulated_in", "in, of the timer's counter",
      "hypercall.pv_in" },
    { "hypercall.pv_out", "set_timer_op" },
    { "hypercall.emulated_out", "out, one of 3 that set the timer",
      "hypercall.pv_out" },
    { "hypercall.pv_rdmsr", "read the thread pointer" },
    { "hypercall.emulated_rdmsr", "rdmsr", "hypercall.pv_rdmsr" },
    { "hypercall.pv_wrmsr", "set the thread pointer" },
    { "hypercall.emulated_wrmsr", "wrmsr", "hypercall.pv_wrmsr" },
    { "hypercall.pv_invlpg", "update_va_mapping" },
    { "hypercall.emulated_invlpg", "invlpg after such a change",
      "hypercall.pv_invlpg" },
    { "hypercall.pv_lidt", "set_trap_table" },
    { "hypercall.emulated_lidt", "lidt", "hypercall.pv_lidt" },
    /* Without a counterpart: segments and page tables are the engine's. */
    { "hypercall.emulated_lgdt", "lgdt" },
    { "hypercall.emulated_mov_cr3", "mov to cr3" },

    { .what = "traps, timer, threads of a guest" },
    { "guest.page_fault", "#PF, handler, return", "native.fault_signal" },
    { "guest.timer", "deadline to its handler's end, computing",
      "native.timer_signal" },
    { "guest.timer_idle", "deadline to the thread that waits, idle",
      "native.timer_signal" },
    { "guest.thread_switch", "from one thread to another" },

    { .what = "events" },
    { "event.send", "EVTCHNOP_send, nobody waits",
      "native.eventfd_epoll_write" },
    { "event.pingpong_block", "two guests that block, one CPU",
      "native.eventfd_pingpong" },
    { "event.pingpong_block_across", "the same across CPUs",
      "native.eventfd_pingpong_across" },
    { "event.pingpong_poll", "both watch a granted page instead",
      "native.word_pingpong" },

    { .what = "grants" },
    { "grant.map_unmap", "map, touch, unmap", "native.mmap_page" },
    { "grant.map_unmap4", "4 at a time, each", "native.mmap_page" },
    { "grant.map_unmap16", "16 at a time, each", "native.mmap_page" },
    { "grant.map_unmap64", "64 at a time, each", "native.mmap_page" },
    { "grant.map_unmap256", "256 at a time, each", "native.mmap_page" },
    { "grant.copy64", "GNTTABOP_copy of 64 bytes", "hypercall.trap" },
    { "grant.copy1k", "of 1 KiB", "hypercall.trap" },
    { "grant.copy4k", "of 4 KiB", "hypercall.trap" },
    { "grant.copy64k", "of 16 pages by one hypercall", "hypercall.trap" },
    { "grant.kept4k", "memcpy() from a mapping that is kept",
      "native.memcpy4k" },

    { .what = "vchan" },
    { "vchan.rtt", "8 bytes there and back, both poll",
      "native.socket_pingpong_across", .ns = 1000 },
    { "vchan.throughput", "one stream", "native.socket_stream",
      .unit = "Gbit/s", .least = 40 },

    { .what = "whole programs: paravirtual, trapped" },
    { "program.blkcheck", "from creation to power off", .unit = "ms" },
    { "program.blkcheck_trap", "the native twin", "program.blkcheck",
      .unit = "ms" },
    { "program.webserver", "requests, 4 connections", .unit = "1/s" },
    { "program.webserver_trap", "the native twin", "program.webserver",
      .unit = "1/s" },
};
#define NR_FIGURES (sizeof(figures) / sizeof(figures[0]))

static struct measured measured[NR_FIGURES];

void figures_begin(void)
{
    memset(measured, 0, sizeof(measured));
}

const struct figure *figure_at(unsigned int i)
{
    return i < NR_FIGURES ? &figures[i] : NULL;
}

const struct figure *figure_find(const char *name)
{
    for (size_t i = 0; i < NR_FIGURES; i++)
        if (figures[i].name && !strcmp(figures[i].name, name))
            return &figures[i];
    return NULL;
}

struct measured *figure_measured(const struct figure *f)
{
    return &measured[f - figures];
}

static struct measured *of_name(const char *name)
{
    const struct figure *f = figure_find(name);

    assert(f);
    return figure_measured(f);
}

void figure_add(const char *name, double median, double p99, unsigned int batch)
{
    struct measured *m = of_name(name);

    bench_add(&m->median, median);
    bench_add(&m->p99, p99);
    m->batch = batch;
}

void figure_add_samples(const char *name, struct samples *s)
{
    double median, p99;

    samples_sum_up(s, &median, &p99);
    figure_add(name, median, p99, s->batch);
}

void figure_add_value(const char *name, double value)
{
    bench_add(&of_name(name)->median, value);
}

void figure_leave_out(const char *name, const char *why)
{
    of_name(name)->left_out = why;
}

/* ---- what is told ---- */

static double told(const struct figure *f, double value)
{
    return f->unit ? value : value / machine()->tsc_mhz * 1e3;
}

double figure_value(const struct figure *f)
{
    return told(f, bench_median(&figure_measured(f)->median));
}

/* Of a rate it is the bad end, too: what 99% of the rounds reach. */
double figure_p99(const struct figure *f)
{
    const struct measured *m = figure_measured(f);

    if (!f->unit)
        return told(f, bench_median(&m->p99));
    return bench_percentile(&m->median, strcmp(f->unit, "ms") ? 1 : 99);
}

static bool is_there(const struct figure *f)
{
    return f && figure_measured(f)->median.n > 0;
}

/* Its ratio to another; 0: one of them is not there. */
static double ratio_to(const struct figure *f, const char *name)
{
    const struct figure *to = name ? figure_find(name) : NULL;

    return is_there(to) ? figure_value(f) / figure_value(to) : 0;
}

static double ratio_to_syscall(const struct figure *f)
{
    return f->unit ? 0 : ratio_to(f, SYSCALL);
}

static const char *why_not(const struct figure *f)
{
    const char *why = figure_measured(f)->left_out;

    return why ? why : "this build does not measure it";
}

static const char *number(char *buf, size_t n, const char *format, double value)
{
    if (value > 0)
        snprintf(buf, n, format, value);
    else
        snprintf(buf, n, "null");
    return buf;
}

/* "<= 1.25 x" and the like; "": nothing is aimed at. */
static const char *target_of(const struct figure *f, char *buf, size_t n)
{
    buf[0] = '\0';
    if (f->ratio > 0)
        snprintf(buf, n, "<= %g x", f->ratio);
    else if (f->ns > 0)
        snprintf(buf, n, "<= %g ns", f->ns);
    else if (f->least > 0)
        snprintf(buf, n, ">= %g %s", f->least, f->unit);
    return buf;
}

/* ---- the table ---- */

static void print_heading(const char *what)
{
    printf("\n%-44s %5s %10s %12s %6s %8s\n", what, "median", "cycles", "p99",
           "of", "syscalls");
}

static const char *with_unit(const struct figure *f, double value, char *buf,
                             size_t n)
{
    if (f->unit)
        snprintf(buf, n, "%.*f %s", value < 1000, value, f->unit);
    else
        snprintf(buf, n, "%.*f ns", value < 100, value);
    return buf;
}

static const char *as_ratio(double ratio, char *buf, size_t n)
{
    snprintf(buf, n, ratio < 100 ? "%.3g" : "%.0f", ratio);
    return buf;
}

static void print_values(const struct figure *f)
{
    char median[24], p99[24], cycles[24] = "", of[16] = "", syscalls[24] = "";

    if (!f->unit) {
        snprintf(cycles, sizeof(cycles), "%.0f",
                 figure_value(f) * machine()->tsc_mhz / 1e3);
        snprintf(of, sizeof(of), "%u", figure_measured(f)->batch);
        as_ratio(ratio_to_syscall(f), syscalls, sizeof(syscalls));
    }
    printf("%14s %10s %14s %4s %8s",
           with_unit(f, figure_value(f), median, sizeof(median)), cycles,
           with_unit(f, figure_p99(f), p99, sizeof(p99)), of, syscalls);
}

static void print_text(const struct figure *f)
{
    char target[32], ratio[24];

    printf("  %-34s", f->name);
    if (!is_there(f)) {
        printf("%14s  %s\n", "-", why_not(f));
        return;
    }
    print_values(f);
    if (ratio_to(f, f->baseline) > 0)
        printf("  %s x %s",
               as_ratio(ratio_to(f, f->baseline), ratio, sizeof(ratio)),
               f->baseline);
    if (*target_of(f, target, sizeof(target)))
        printf(" (aim: %s)", target);
    putchar('\n');
}

static void print_json(const struct figure *f)
{
    const struct figure *base = f->baseline ? figure_find(f->baseline) : NULL;
    const struct measured *m = figure_measured(f);
    char buf[32];

    printf("{\"name\": \"%s\", \"median\": ", f->name);
    if (!is_there(f)) {
        printf("null, \"left_out\": \"%s\"}\n", why_not(f));
        return;
    }
    printf("%.6g, \"unit\": \"%s\"", figure_value(f), f->unit ? f->unit : "ns");
    printf(", \"baseline\": %s",
           number(buf, sizeof(buf), "%.6g",
                  is_there(base) ? figure_value(base) : 0));
    printf(", \"ratio\": %s",
           number(buf, sizeof(buf), "%.4g", ratio_to(f, f->baseline)));
    printf(", \"runs\": %u, \"p99\": %.6g", m->median.n, figure_p99(f));
    if (!f->unit)
        printf(", \"cycles\": %.6g, \"p99_of\": %u, \"syscalls\": %.4g",
               figure_value(f) * machine()->tsc_mhz / 1e3, m->batch,
               ratio_to_syscall(f));
    printf(", \"what\": \"%s\"", f->what);
    if (f->baseline)
        printf(", \"baseline_name\": \"%s\"", f->baseline);
    else
        printf(", \"baseline_name\": null");
    if (*target_of(f, buf, sizeof(buf)))
        printf(", \"target\": \"%s\"", buf);
    printf("}\n");
}

/* The columns are named by run_groups(). */
static void print_csv(const struct figure *f)
{
    const struct figure *base = f->baseline ? figure_find(f->baseline) : NULL;
    const struct measured *m = figure_measured(f);
    char target[32];

    if (!is_there(f)) {
        printf("# %s: %s\n", f->name, why_not(f));
        return;
    }
    printf("%s,%.6g,%s,", f->name, figure_value(f), f->unit ? f->unit : "ns");
    if (is_there(base))
        printf("%.6g,%.4g", figure_value(base), ratio_to(f, f->baseline));
    else
        putchar(',');
    printf(",%u,%s,%.6g,", m->median.n, f->baseline ? f->baseline : "",
           figure_p99(f));
    if (f->unit)
        printf(",,");
    else
        printf("%u,%.6g,%.4g", m->batch,
               figure_value(f) * machine()->tsc_mhz / 1e3, ratio_to_syscall(f));
    printf(",%s\n", target_of(f, target, sizeof(target)));
}

static bool begins_with(const char *s, const char *prefix)
{
    return !prefix || !strncmp(s, prefix, strlen(prefix));
}

void figures_print(const struct bench_options *o, const char *prefix)
{
    const char *heading = NULL;

    for (size_t i = 0; i < NR_FIGURES; i++) {
        const struct figure *f = &figures[i];

        if (!f->name) {
            heading = f->what;
            continue;
        }
        if (!begins_with(f->name, prefix))
            continue;
        if (o->form == BENCH_TEXT && heading)
            print_heading(heading);
        heading = NULL;
        if (o->form == BENCH_JSON)
            print_json(f);
        else if (o->form == BENCH_CSV)
            print_csv(f);
        else
            print_text(f);
    }
    fflush(stdout);
}
