/*
 * Random plays: several sockets and guests do thousands of things to a store
 * and to a plain model of it (xs_model.h), and every reply, every event and
 * all accounts are compared. A play that fails is made small and printed.
 *
 *     test_xs_model [--seed N] [--seeds N] [--ops N] [--replay FILE]
 *
 * RINGSIDE_MODEL_SECONDS=600 goes on with new seeds for so long.
 */
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "xs_play.h"

static uint64_t seed = 1;
static unsigned int seeds = 40;
static uint32_t ops = 1000;
static const char *replay;
static struct play *play;

/* TAP takes lines with a # for comments. */
static void print_play(const struct outcome *o, uint32_t was)
{
    char *text = NULL, *line, *rest;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    play_print(play, f);
    fclose(f);
    print_message("# %s\n# %u steps of %u; for --replay:\n", o->why, play->n,
                  was);
    for (line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest))
        print_message("#   %s\n", line);
    free(text);
}

static void fail_play(void)
{
    uint32_t was = play->n;

    print_message("# %s; making it small\n", play_do(play)->why);
    play_shrink(play);
    print_play(play_do(play), was);
    fail();
}

static void add_counts(struct outcome *sum, const struct outcome *o)
{
    sum->commits += o->commits;
    sum->merges += o->merges;
    sum->conflicts += o->conflicts;
    sum->maybes += o->maybes;
    sum->refused += o->refused;
}

static void test_random(void **state)
{
    const char *long_time = getenv("RINGSIDE_MODEL_SECONDS");
    time_t end = long_time ? time(NULL) + atoi(long_time) : 0;
    struct outcome sum = { .failed = false };
    unsigned int done = 0;

    (void)state;
    for (; done < seeds || time(NULL) < end; done++) {
        const struct outcome *o = play_make(play, seed + done, ops);

        add_counts(&sum, o);
        if (o->failed) {
            print_message("# seed %llu\n", (unsigned long long)seed + done);
            fail_play();
        }
    }
    print_message("# %u plays of %u steps: %u commits (%u merged), %u "
                  "conflicts (%u left open), %u over quota\n",
                  done, ops, sum.commits, sum.merges, sum.conflicts, sum.maybes,
                  sum.refused);
    assert_true(sum.commits > done * ops / 200);
    assert_true(sum.merges > done * ops / 1000);
    assert_true(sum.conflicts > done * ops / 500);
}

/* A play that was kept. */
static void test_replay(void **state)
{
    FILE *f = fopen(replay, "r");
    int line;

    (void)state;
    assert_non_null(f);
    line = play_parse(play, f);
    fclose(f);
    if (line)
        fail_msg("%s:%d: not a step", replay, line);
    if (play_do(play)->failed)
        fail_play();
}

static void options(int argc, char **argv)
{
    static const struct option known[] = {
        { "seed", required_argument, NULL, 's' },
        { "seeds", required_argument, NULL, 'n' },
        { "ops", required_argument, NULL, 'o' },
        { "replay", required_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 's')
            seed = strtoull(optarg, NULL, 0);
        else if (c == 'n')
            seeds = (unsigned int)atoi(optarg);
        else if (c == 'o')
            ops = (uint32_t)atoi(optarg);
        else if (c == 'r')
            replay = optarg;
        else
            exit(1);
    }
    if (ops > PLAY_MAX)
        ops = PLAY_MAX;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest random[] = { cmocka_unit_test(test_random) };
    const struct CMUnitTest kept[] = { cmocka_unit_test(test_replay) };
    int ret;

    options(argc, argv);
    play = play_new();
    ret = replay ? cmocka_run_group_tests_name("model", kept, NULL, NULL)
                 : cmocka_run_group_tests_name("model", random, NULL, NULL);
    play_free(play);
    return ret;
}
