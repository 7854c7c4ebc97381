/*
 * What `ringside bench` makes of samples: medians, percentiles, ratios, and
 * the table's own order. The machine is one whose ticks are nanoseconds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/figures.h"
#include "bench/machine.h"

const struct machine *machine(void)
{
    static const struct machine m = { .tsc_mhz = 1000 };

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
        cmocka_unit_test(medians),  cmocka_unit_test(percentiles),
        cmocka_unit_test(samples),  cmocka_unit_test(table_is_sound),
        cmocka_unit_test(ratios),   cmocka_unit_test(rates),
        cmocka_unit_test(left_out), cmocka_unit_test(begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
