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

static const struct group {
    const char *name;
    int (*run)(const struct bench_options *o);
} groups[] = {
    { "boot", bench_boot },         { "hypercall", bench_hypercall },
    { "event", bench_event },       { "blk", bench_blk },
    { "net", bench_net },           { "vchan", bench_vchan },
    { "xenstore", bench_xenstore },
};
#define NR_GROUPS (sizeof(groups) / sizeof(groups[0]))

static int set_option(void *arg, int letter, const char *value)
{
    struct bench_options *o = arg;
    char *end;
    long n;

    if (letter == 'j') {
        o->json = true;
        return 0;
    }
    n = strtol(value, &end, 10);
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

static const struct group *find_group(const char *name)
{
    for (size_t i = 0; i < NR_GROUPS; i++)
        if (!strcmp(groups[i].name, name))
            return &groups[i];
    complain("no bench '%s'; there are boot, hypercall, event, blk, net, "
             "vchan and xenstore",
             name);
    return NULL;
}

/* Those named, or all; a wrong name is told before anything is measured. */
static int run_groups(char **names, int n, const struct bench_options *o)
{
    int err = 0;

    for (int i = 0; i < n; i++)
        if (!find_group(names[i]))
            return -EINVAL;
    if (!o->json)
        printf("%-32s %10s %-7s %10s  %8s  baseline is\n", "figure", "median",
               "", "baseline", "ratio");
    for (int i = 0; i < n && !err; i++)
        err = find_group(names[i])->run(o);
    for (size_t i = 0; n == 0 && i < NR_GROUPS && !err; i++)
        err = groups[i].run(o);
    return err;
}

int verb_bench(int argc, char **argv)
{
    static const char *const names[] = { "json", "runs" };
    const struct option_spec spec = { .letters = "jr:",
                                      .names = names,
                                      .set = set_option,
                                      .max = NR_GROUPS,
                                      .wants = "names of benches" };
    struct bench_options o = { .runs = 7 };
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
