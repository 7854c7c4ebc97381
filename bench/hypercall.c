/*
 * `ringside bench hypercall`: everything that a hypercall, an event, a grant
 * costs, beside what Linux takes for the like, in one table of one run.
 *
 * A round takes every native figure, then has a guest (or two) do each job;
 * so what is compared was measured within a second. Rounds are repeated. The
 * hypervisor, this process and guests are on the first processor that we may
 * use; the far end of what goes across processors is on the second.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "figures.h"
#include "session.h"
#include "tools/say.h"

#define GRANTS  "256"
#define MIB     "512"
#define ONE_CPU "there is one processor only"

enum elf { CALLS, PEERS, EMULATED, NR_ELFS };

static const char *const elf_names[NR_ELFS] = { "guest_calls.elf",
                                                "guest_peers.elf",
                                                "guest_emulated.native.elf" };

/* A guest does `first`; or two do, as session_start_pair() has it. */
static const struct job {
    const char *group; /* "event": its figures' names begin so */
    enum elf elf;
    const char *first, *second, *args;
    bool across;      /* the first is on the other processor */
    const char *says; /* left out if there is no other */
    enum guest_mode mode;
    bool polled; /* hypercalls by mailbox */
} jobs[] = {
    { "hypercall", CALLS, "calls" },
    { "hypercall", CALLS, "ring", NULL, NULL, true, "hypercall.ring",
      .polled = true },
    { "hypercall", CALLS, "pv" },
    { "hypercall", EMULATED, "emulated", .mode = MODE_TRAP },
    { "hypercall", EMULATED, "stub", .mode = MODE_TRAP_STUB },
    { "guest", CALLS, "traps" },
    { "event", CALLS, "send" },
    { "event", PEERS, "pong", "ping", "event.pingpong_block" },
    { "event", PEERS, "pong", "ping", "event.pingpong_block_across", true,
      "event.pingpong_block_across" },
    { "event", PEERS, "spinner", "spin", NULL, true, "event.pingpong_poll" },
    { "grant", PEERS, "granter " GRANTS, "mapper" },
    { "vchan", PEERS, "vecho", "vping", NULL, true, "vchan.rtt" },
    { "vchan", PEERS, "vsink " MIB, "vsend", MIB, true, "vchan.throughput" },
};
#define NR_JOBS (sizeof(jobs) / sizeof(jobs[0]))

struct bench {
    struct bench_session session;
    struct bench_options options[NR_ELFS]; /* with that ELF */
    char path[NR_ELFS][512];
    int away; /* the other processor, -1: there is none */
    const char *group;
};

/* "NAME MEDIAN P99 BATCH", or "NAME VALUE" of a rate. */
static int take_line(const char *line)
{
    unsigned int batch;
    double median, p99;
    char name[48];
    int n = sscanf(line, "%47s %lf %lf %u", name, &median, &p99, &batch);

    if (n < 2 || n == 3 || !figure_find(name))
        return complain("the bench guest said '%s'", line);
    if (n == 2)
        figure_add_value(name, median);
    else
        figure_add(name, median, p99, batch);
    return 0;
}

static int run_pair(struct bench *b, const struct job *j)
{
    struct bench_pair p = { .first = j->first,
                            .second = j->second,
                            .args = j->args,
                            .a_cpu = j->across ? b->away : session_cpu(0),
                            .b_cpu = session_cpu(0) };
    int err = session_start_pair(&b->session, &b->options[j->elf], &p);

    if (err)
        return err;
    err = session_lines(&p.b, take_line);
    session_end_pair(&p);
    return err;
}

static int run_single(struct bench *b, const struct job *j)
{
    struct bench_guest g;
    int err;

    b->session.guest_cpu = j->across ? b->away : session_cpu(0);
    err = session_start(&b->session, &b->options[j->elf], &g, j->first, NULL,
                        NULL);
    b->session.guest_cpu = -1;
    if (err)
        return err;
    err = session_lines(&g, take_line);
    session_end(&g);
    return err;
}

static bool wanted(const struct bench *b, const char *group)
{
    return !b->group || !strcmp(b->group, group);
}

static int run_job(struct bench *b, const struct job *j)
{
    int err;

    if (!wanted(b, j->group))
        return 0;
    if (j->across && b->away < 0) {
        figure_leave_out(j->says, ONE_CPU);
        return 0;
    }
    b->session.guest_mode = j->mode;
    b->session.guest_polled = j->polled;
    err = j->second ? run_pair(b, j) : run_single(b, j);
    b->session.guest_polled = false;
    return err;
}

static int run_round(struct bench *b)
{
    int err;

    native_calls();
    native_signals();
    err = native_notifications();
    if (!err)
        err = native_peers(b->away);
    for (size_t i = 0; i < NR_JOBS && !err; i++)
        err = run_job(b, &jobs[i]);
    return err;
}

/* Where somebody watches. */
static void show_progress(unsigned int round, unsigned int rounds)
{
    if (!isatty(STDERR_FILENO))
        return;
    if (round < rounds)
        fprintf(stderr, "\rround %u of %u ", round + 1, rounds);
    else
        fprintf(stderr, "\r%32s\r", "");
}

static int run_rounds(struct bench *b, unsigned int rounds)
{
    struct programs *p = NULL;
    int err = 0;

    if (wanted(b, "program")) {
        p = programs_begin(&b->session, &b->options[0]);
        err = p ? 0 : -1;
    }
    for (unsigned int i = 0; i < rounds && !err; i++) {
        show_progress(i, rounds);
        err = run_round(b);
        if (!err && p)
            err = programs_round(p);
    }
    show_progress(rounds, rounds);
    programs_end(p);
    return err;
}

/* group NULL: all. */
static int measure(const struct bench_options *o, const char *group)
{
    static struct bench b;
    int err;

    figures_begin();
    b.group = group;
    for (unsigned int i = 0; i < NR_ELFS; i++) {
        bench_guest_beside(o, elf_names[i], b.path[i], sizeof(b.path[i]));
        b.options[i] = *o;
        b.options[i].guest = b.path[i];
    }
    err = session_open(&b.session, BENCH_ONE_CPU);
    if (err)
        return err;
    b.away = session_cpu(1);
    err = run_rounds(&b, o->runs);
    session_close(&b.session);
    if (!err)
        figures_print(o, group);
    return err;
}

int bench_hypercall(const struct bench_options *o)
{
    int err = measure(o, NULL);

    return err || !o->plot ? err : plot_draw(o->plot);
}

int bench_event(const struct bench_options *o)
{
    return measure(o, "event");
}

int bench_grant(const struct bench_options *o)
{
    return measure(o, "grant");
}

int bench_vchan(const struct bench_options *o)
{
    return measure(o, "vchan");
}
