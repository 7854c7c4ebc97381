/*
 * What `ringside bench` makes of samples: medians, percentiles, ratios, and
 * the table's own order. The machine is one whose ticks are nanoseconds.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/figures.h"
#include "bench/machine.h"
#include "tools/say.h"

const struct machine *machine(void)
{
    static const struct machine m = {
        .tsc_mhz = 1000, .version = "1", .engine = "e", .placement = "p"
    };

    return &m;
}

/* What figures_print() writes, with an end. */
static const char *printed(enum bench_form form, const char *prefix)
{
    static char text[64 * 1024];
    const struct bench_options o = { .form = form };
    FILE *f = tmpfile();
    int out = dup(STDOUT_FILENO);
    size_t n;

    assert_non_null(f);
    fflush(stdout);
    dup2(fileno(f), STDOUT_FILENO);
    figures_print(&o, prefix);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    rewind(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

/* The other figures of a report, and what is said of those that are none. */
static const char *reported(enum bench_form form, const struct bench_series *s,
                            const struct bench_series *baseline)
{
    static char text[1024];
    const struct bench_options o = { .form = form };
    FILE *f = tmpfile();
    int out = dup(STDOUT_FILENO);
    size_t n;

    assert_non_null(f);
    fflush(stdout);
    dup2(fileno(f), STDOUT_FILENO);
    bench_report(&o, "boot.x", s, "KiB", baseline, "nothing \"much\"");
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    rewind(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static void reports(void **state)
{
    struct bench_series s = { .n = 0 }, base = { .n = 0 };

    (void)state;
    bench_add(&s, 3);
    assert_string_equal(reported(BENCH_JSON, &s, NULL),
                        "{\"name\": \"boot.x\", \"median\": 3, \"unit\": "
                        "\"KiB\", \"baseline\": null, \"ratio\": null, "
                        "\"runs\": 1, \"baseline_name\": null}\n");
    bench_add(&base, 2);
    assert_string_equal(reported(BENCH_JSON, &s, &base),
                        "{\"name\": \"boot.x\", \"median\": 3, \"unit\": "
                        "\"KiB\", \"baseline\": 2, \"ratio\": 1.5, "
                        "\"runs\": 1, \"baseline_name\": "
                        "\"nothing \\\"much\\\"\"}\n");
    base.value[0] = 0; /* no ratio, and no "inf" */
    assert_non_null(strstr(reported(BENCH_JSON, &s, &base),
                           "\"baseline\": 0, \"ratio\": null, "));
    assert_non_null(strstr(reported(BENCH_CSV, &s, &base), "boot.x,3,KiB,,,"));
    s.value[0] = 0;
    assert_non_null(strstr(reported(BENCH_CSV, &s, NULL), "boot.x,0,KiB,"));
    assert_int_equal(bench_report_failed(), 0);
}

/* What cannot be right is no figure. */
static void impossible(void **state)
{
    static const double wrong[] = { -287.7, -1e-9, NAN, INFINITY };
    struct bench_series s = { .n = 0 }, good = { .n = 0 };

    (void)state;
    bench_add(&good, 1);
    complain_silently(true);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        s.n = 0;
        bench_add(&s, wrong[i]);
        for (int form = BENCH_TEXT; form <= BENCH_CSV; form++) {
            assert_string_equal(reported((enum bench_form)form, &s, &good), "");
            assert_non_null(strstr(complaint(), "boot.x came out as "));
            assert_int_not_equal(bench_report_failed(), 0);
            assert_int_equal(bench_report_failed(), 0);
        }
        assert_string_equal(reported(BENCH_JSON, &good, &s), "");
        assert_non_null(strstr(complaint(), "the baseline of boot.x (noth"));
        assert_int_not_equal(bench_report_failed(), 0);
    }
    s.n = 0;
    assert_string_equal(reported(BENCH_TEXT, &s, NULL), "");
    assert_int_not_equal(bench_report_failed(), 0);
    complain_silently(false);
}

/* What gnuplot is told, by one that repeats it. */
static const char *drawn(void)
{
    static char text[64 * 1024];
    char dir[] = "/tmp/ringside-test-XXXXXX", program[64], file[64];
    const char *path = getenv("PATH");
    char *saved = strdup(path != NULL ? path : ""), *all;
    size_t n;
    FILE *f;

    assert_non_null(mkdtemp(dir));
    snprintf(program, sizeof(program), "%s/gnuplot", dir);
    snprintf(file, sizeof(file), "%s/chart", dir);
    f = fopen(program, "we");
    assert_non_null(f);
    fputs("#!/bin/sh\nexec cat\n", f);
    fclose(f);
    assert_int_equal(chmod(program, 0700), 0);
    assert_true(asprintf(&all, "%s:%s", dir, saved) > 0);
    setenv("PATH", all, 1);
    assert_int_equal(plot_draw(file), 0);
    setenv("PATH", saved, 1);
    f = fopen(file, "re");
    assert_non_null(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    unlink(file);
    unlink(program);
    rmdir(dir);
    free(all);
    free(saved);
    return text;
}

static void chart(void **state)
{
    const char *text;

    (void)state;
    figures_begin();
    figure_add("native.call", 0.1, 0.5, 1);
    figure_add("hypercall.native_syscall", 100, 150, 1);
    figure_add("hypercall.trap", 4000, 250000, 1);
    figure_add("native.mmap_page", 300000, 400000, 1);
    figure_add("hypercall.multicall256", 10, 12, 1);
    figure_add("grant.map_unmap16", 900, 950, 1);
    text = drawn();
    assert_non_null(strstr(text, "\"native.call\" \"0.1 ns\" \"◀\" \"\"\n"));
    assert_non_null(
        strstr(text, "\"hypercall.native_syscall\" \"100 ns\" \"\" \"\"\n"));
    assert_non_null(
        strstr(text, "\"hypercall.trap\" \"4.00 µs\" \"\" \"▶\"\n"));
    assert_non_null(
        strstr(text, "\"native.mmap_page\" \"300.0 µs\" \"\" \"▶\"\n"));
    assert_non_null(strstr(text, "◀▶: beyond the axis"));
    assert_non_null(strstr(text, "set yrange [8:*]\n"));
    figures_begin();
}

static void medians(void **state)
{
    struct bench_series s = { .n = 0 };

    (void)state;
    assert_true(bench_median(&s) == 0);
    assert_true(bench_percentile(&s, 99) == 0);
    bench_add(&s, 3);
    assert_true(bench_median(&s) == 3);
    bench_add(&s, 1);
    assert_true(bench_median(&s) == 2);
    bench_add(&s, 9);
    assert_true(bench_median(&s) == 3);
    for (int i = 3; i < BENCH_MAX_RUNS + 10; i++)
        bench_add(&s, 5);
    assert_int_equal(s.n, BENCH_MAX_RUNS);
}

static void percentiles(void **state)
{
    struct bench_series s = { .n = 0 };

    (void)state;
    for (int i = 100; i >= 1; i--)
        bench_add(&s, i);
    assert_true(bench_percentile(&s, 99) == 99);
    assert_true(bench_percentile(&s, 1) == 1);
    assert_true(bench_percentile(&s, 100) == 100);
}

static unsigned int ran;

static void operation(void *arg)
{
    (void)arg;
    ran++;
}

/* 1, 2, 3 ... for as many as there are. */
static uint64_t counted(void *arg)
{
    return ++*(uint64_t *)arg;
}

static void samples(void **state)
{
    static struct samples s;
    double median, p99;
    uint64_t n = 0;

    (void)state;
    samples_take_some(&s, operation, NULL, 7, 100);
    assert_int_equal(ran, 7 * 110); /* a tenth warms up */
    assert_int_equal(s.n, 100);
    samples_take_told(&s, counted, &n);
    samples_sum_up(&s, &median, &p99);
    assert_true(median == SAMPLES / 10 + SAMPLES / 2 + 1);
    assert_true(p99 == SAMPLES / 10 + SAMPLES * 99 / 100 + 1);
    s.batch = 2;
    samples_sum_up(&s, &median, &p99);
    assert_true(median == (double)(SAMPLES / 10 + SAMPLES / 2 + 1) / 2);
}

static void table_is_sound(void **state)
{
    const struct figure *f;

    (void)state;
    for (unsigned int i = 0; (f = figure_at(i)); i++) {
        assert_non_null(f->what);
        if (!f->name)
            continue;
        assert_ptr_equal(figure_find(f->name), f); /* once */
        if (f->baseline) {
            assert_non_null(figure_find(f->baseline));
            /* What is compared has one unit. */
            assert_true(!f->unit == !figure_find(f->baseline)->unit);
        }
        assert_true(f->ratio == 0 || f->baseline);
        assert_true(f->least == 0 || f->unit);
    }
    assert_null(figure_find("no.such"));
}

static void ratios(void **state)
{
    const char *text;

    (void)state;
    figures_begin();
    figure_add("hypercall.native_syscall", 100, 150, 100);
    for (int i = 0; i < 3; i++) {
        figure_add("native.notify", 2000 + i, 3000, 1);
        figure_add("hypercall.trap", 3001.5 + i, 9000, 1);
    }
    text = printed(BENCH_JSON, "hypercall.trap");
    assert_non_null(strstr(text, "{\"name\": \"hypercall.trap\", \"median\": "
                                 "3002.5, \"unit\": \"ns\", \"baseline\": "
                                 "2001, \"ratio\": 1.5, \"runs\": 3, \"p99\": "
                                 "9000, \"cycles\": 3002.5, \"p99_of\": 1, "
                                 "\"syscalls\": 30.02, "));
    assert_non_null(strstr(text, "\"baseline_name\": \"native.notify\""));
    text = printed(BENCH_CSV, "hypercall.trap");
    assert_string_equal(text, "hypercall.trap,3002.5,ns,2001,1.5,3,"
                              "native.notify,9000,1,3002.5,30.02,<= 1.25 x\n");
    text = printed(BENCH_TEXT, "hypercall.trap");
    assert_non_null(strstr(text, "1.5 x native.notify (aim: <= 1.25 x)"));
}

static void rates(void **state)
{
    const char *text;

    (void)state;
    figures_begin();
    for (int i = 1; i <= 100; i++)
        figure_add_value("vchan.throughput", i);
    text = printed(BENCH_CSV, "vchan.throughput");
    /* Its p99 is the bad end; there is no baseline to compare with. */
    assert_string_equal(text, "vchan.throughput,50.5,Gbit/s,,,100,"
                              "native.socket_stream,1,,,,>= 40 Gbit/s\n");
}

static void left_out(void **state)
{
    const char *text;

    (void)state;
    figures_begin();
    figure_leave_out("vchan.rtt", "a reason");
    text = printed(BENCH_JSON, "vchan.rtt");
    assert_string_equal(text, "{\"name\": \"vchan.rtt\", \"median\": null, "
                              "\"left_out\": \"a reason\"}\n");
    text = printed(BENCH_CSV, "vchan.rtt");
    assert_string_equal(text, "# vchan.rtt: a reason\n");
    assert_non_null(strstr(printed(BENCH_TEXT, "vchan.rtt"), "a reason"));
}

/* A run's figures are not the next one's. */
static void begins_anew(void **state)
{
    (void)state;
    figure_add("native.call", 1, 1, 1);
    figures_begin();
    assert_int_equal(figure_measured(figure_find("native.call"))->median.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports),        cmocka_unit_test(impossible),
        cmocka_unit_test(chart),          cmocka_unit_test(medians),
        cmocka_unit_test(percentiles),    cmocka_unit_test(samples),
        cmocka_unit_test(table_is_sound), cmocka_unit_test(ratios),
        cmocka_unit_test(rates),          cmocka_unit_test(left_out),
        cmocka_unit_test(begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
