/*
 * `ringside bench`: groups of figures, each beside what the machine does
 * without us, taken in the same run.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/options.h"
#include "tools/say.h"
#include "tools/verbs.h"

#include "bench.h"
#include "figures.h"
#include "machine.h"

/* Some are a part of the table that hypercall prints; BY_NAME: not among all.
 */
static const struct group {
    const char *name;
    int (*run)(const struct bench_options *o);
    unsigned int runs; /* by default */
    enum { WHOLE, TABLE, PART, BY_NAME } kind;
} groups[] = {
    { "boot", bench_boot, 7, WHOLE },
    { "hypercall", bench_hypercall, 31, TABLE },
    { "event", bench_event, 31, PART },
    { "grant", bench_grant, 31, PART },
    { "vchan", bench_vchan, 31, PART },
    { "blk", bench_blk, 7, WHOLE },
    { "net", bench_net, 7, WHOLE },
    { "xenstore", bench_xenstore, 7, WHOLE },
    { "scale", bench_scale, 7, WHOLE },
    { "hostile", bench_hostile, 1, BY_NAME },
};
#define NR_GROUPS (sizeof(groups) / sizeof(groups[0]))

#define CSV_COLUMNS                                                \
    "name,median,unit,baseline,ratio,runs,baseline_is,p99,p99_of," \
    "cycles,syscalls,target\n"

static int set_option(void *arg, int letter, const char *value)
{
    struct bench_options *o = arg;
    char *end;
    long n;

    if (letter == 'j' || letter == 'c') {
        o->form = letter == 'j' ? BENCH_JSON : BENCH_CSV;
        return 0;
    }
    if (letter == 'p') {
        o->plot = value;
        return 0;
    }
    if (letter == 'f') {
        o->growth = value;
        return 0;
    }
    n = strtol(value, &end, 10);
    if (letter == 'g') {
        if (*end != '\0' || n < 110 || n > 30000)
            return complain("--guests %s: a number from 110 to 30000 is wanted",
                            value);
        o->guests = (unsigned int)n;
        return 0;
    }
    if (*end != '\0' || n < 1 || n > BENCH_MAX_RUNS)
        return complain("--runs %s: a number from 1 to %d is wanted", value,
                        BENCH_MAX_RUNS);
    o->runs = (unsigned int)n;
    return 0;
}

/* Beside the command in a build tree, else where it was installed. */
static int find_guest(char *path, size_t n)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (len > 0) {
        self[len] = '\0';
        if (snprintf(path, n, "%s/bench/guest.elf", dirname(self)) < (int)n &&
            access(path, R_OK) == 0)
            return 0;
    }
    snprintf(path, n, "%s", BENCH_GUEST);
    if (access(path, R_OK) == 0)
        return 0;
    return complain("the bench guest is not there: %s", path);
}

void bench_guest_beside(const struct bench_options *o, const char *name,
                        char *path, size_t n)
{
    const char *end = strrchr(o->guest, '/');

    snprintf(path, n, "%.*s/%s", (int)(end - o->guest), o->guest, name);
}

static const struct group *find_group(const char *name)
{
    for (size_t i = 0; i < NR_GROUPS; i++)
        if (!strcmp(groups[i].name, name))
            return &groups[i];
    complain("no bench '%s'; there are boot, hypercall, event, grant, vchan, "
             "blk, net, xenstore, scale and hostile",
             name);
    return NULL;
}

/* A figure that cannot be right fails its group, not those after it. */
static int run_group(const struct group *g, const struct bench_options *o,
                     bool *wrong)
{
    struct bench_options own = *o;
    int err;

    if (!own.runs)
        own.runs = g->runs;
    if (g->kind == WHOLE || g->kind == BY_NAME)
        bench_begin(&own);
    err = g->run(&own);
    *wrong |= bench_report_failed() != 0;
    return err;
}

/* What can be told to be wrong before anything is measured. */
static int check(char **names, int n, const struct bench_options *o)
{
    bool has_table = n == 0;

    for (int i = 0; i < n; i++) {
        const struct group *g = find_group(names[i]);

        if (!g)
            return -EINVAL;
        has_table |= g->kind == TABLE;
    }
    if (o->plot && !has_table)
        return complain("--plot draws the figures of the bench 'hypercall'");
    if (o->growth && plot_is_svg(o->growth)) {
        int err = plot_check("--growth", o->growth);

        if (err)
            return err;
    }
    return o->plot ? plot_check("--plot", o->plot) : 0;
}

/* Those named, or all. */
static int run_groups(char **names, int n, const struct bench_options *o)
{
    int err = check(names, n, o);
    bool wrong = false;

    if (err)
        return err;
    machine_print(o);
    if (o->form == BENCH_CSV)
        printf(CSV_COLUMNS);
    for (int i = 0; i < n && !err; i++)
        err = run_group(find_group(names[i]), o, &wrong);
    for (size_t i = 0; n == 0 && i < NR_GROUPS && !err; i++)
        if (groups[i].kind != PART && groups[i].kind != BY_NAME)
            err = run_group(&groups[i], o, &wrong);
    return wrong ? -EINVAL : err;
}

int verb_bench(int argc, char **argv)
{
    static const char *const names[] = { "json", "csv",    "plot",
                                         "runs", "guests", "growth" };
    const struct option_spec spec = { .letters = "jcp:r:g:f:",
                                      .names = names,
                                      .set = set_option,
                                      .max = NR_GROUPS,
                                      .wants = "names of benches" };
    struct bench_options o = { .form = BENCH_TEXT, .guests = 1000 };
    char guest[PATH_MAX];
    int rest, err;

    err = options_parse(argc, argv, &spec, &o, &rest);
    if (!err)
        err = find_guest(guest, sizeof(guest));
    if (err)
        return EXIT_FAILURE;
    o.guest = guest;
    err = run_groups(argv + rest, argc - rest, &o);
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
