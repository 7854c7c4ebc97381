/*
 * ringside top: rates out of two samples, and tables that keep their shape
 * whatever is counted and whatever a guest says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/top.h"

#define SECOND 1000000000ull
#define MAX    4

struct samples {
    struct top_domain domains[2][MAX];
    struct top_domain *rows[MAX];
    struct top_sample before, now;
};

/* Two samples, two seconds apart, the first at second 10. */
static void set_up(struct samples *s)
{
    memset(s, 0, sizeof(*s));
    s->before.domains = s->domains[0];
    s->now.domains = s->domains[1];
    s->now.rows = s->rows;
    s->before.at_ns = 10 * SECOND;
    s->now.at_ns = 12 * SECOND;
}

static struct top_domain *add(struct top_sample *s, unsigned int domid,
                              uint64_t created_ns, uint64_t count)
{
    struct top_domain *d = &s->domains[s->n++];

    d->info.domid = domid;
    d->info.created_ns = created_ns;
    for (unsigned int k = 0; k < TOP_COUNTS; k++)
        d->count[k] = count;
    return d;
}

/* ---- rates ---- */

static void test_rates(void **state)
{
    struct samples s;

    (void)state;
    set_up(&s);
    add(&s.before, 2, SECOND, 100);
    add(&s.before, 3, SECOND, 100);
    add(&s.before, 4, SECOND, 100); /* vanishes */
    add(&s.now, 2, SECOND, 300);
    add(&s.now, 3, SECOND, 50);        /* what cannot be did nothing */
    add(&s.now, 7, 11 * SECOND, 1000); /* new */
    add(&s.now, 8, SECOND, 1000);      /* was not looked at before */
    top_compare(&s.now, &s.before);
    for (unsigned int k = 0; k < TOP_COUNTS; k++) {
        assert_true(top_find(&s.now, 2)->rate[k] == 100);
        assert_true(top_find(&s.now, 3)->rate[k] == 0);
        assert_true(top_find(&s.now, 7)->rate[k] == 500);
        assert_true(top_find(&s.now, 8)->rate[k] == 0);
    }
    assert_null(top_find(&s.now, 4));
    assert_null(top_find(&s.now, 9));
}

/* A domain that died, and another one that got its number. */
static void test_number_used_again(void **state)
{
    struct samples s;

    (void)state;
    set_up(&s);
    add(&s.before, 2, SECOND, 1000);
    add(&s.now, 2, 11 * SECOND, 20);
    top_compare(&s.now, &s.before);
    assert_true(s.now.domains[0].rate[TOP_HYPERCALLS] == 10);
}

static void test_no_time(void **state)
{
    struct samples s;

    (void)state;
    set_up(&s);
    add(&s.before, 2, SECOND, 100);
    add(&s.now, 2, SECOND, 300);
    s.now.at_ns = s.before.at_ns;
    top_compare(&s.now, &s.before);
    assert_true(s.now.domains[0].rate[TOP_HYPERCALLS] == 0);
}

static void test_order(void **state)
{
    static const unsigned int want[] = { 4, 3, 2, 5 };
    struct samples s;

    (void)state;
    set_up(&s);
    for (unsigned int id = 2; id < 6; id++)
        add(&s.before, id, SECOND, 0)->count[TOP_CPU_NS] = id * SECOND;
    for (unsigned int id = 2; id < 6; id++)
        add(&s.now, id, SECOND, 0)->count[TOP_CPU_NS] = id * SECOND;
    s.now.domains[2].count[TOP_CPU_NS] += SECOND; /* 4: the busiest */
    s.now.domains[1].count[TOP_CPU_NS] += SECOND / 2;
    s.now.domains[0].count[TOP_CPU_NS] += SECOND / 4;
    s.now.domains[3].count[TOP_CPU_NS] += 1000; /* too little to be shown */
    top_compare(&s.now, &s.before);
    for (unsigned int i = 0; i < 4; i++)
        assert_int_equal(s.now.rows[i]->info.domid, want[i]);
}

/* ---- tables ---- */

static char *text;
static size_t text_n;

static struct top_page open_page(unsigned int width)
{
    struct top_page p = { .out = open_memstream(&text, &text_n),
                          .width = width };

    assert_non_null(p.out);
    return p;
}

static void close_page(struct top_page *p)
{
    fclose(p->out);
}

/* The longest line, in characters. */
static unsigned int longest(void)
{
    unsigned int most = 0, n = 0;

    for (const char *c = text; *c != '\0'; c++) {
        n = *c == '\n' ? 0 : n + (((unsigned char)*c & 0xc0) != 0x80);
        most = n > most ? n : most;
    }
    return most;
}

static struct top_domain example(const char *name, double rate)
{
    struct top_domain d = { .info = { .domid = 12345,
                                      .state = RS_DOMAIN_RUNNING,
                                      .vcpus = 8,
                                      .memory_kib = 64u << 20 } };

    snprintf(d.info.name, sizeof(d.info.name), "%s", name);
    for (unsigned int k = 0; k < TOP_COUNTS; k++)
        d.rate[k] = rate;
    return d;
}

/* Where each field of a line ends: columns stay under their headings. */
static void assert_aligned(const char *a, const char *b)
{
    size_t n = strcspn(a, "\n");

    assert_int_equal(strcspn(b, "\n"), n);
    for (size_t i = 36; i < n; i++)
        if (a[i] == ' ' && a[i - 1] != ' ')
            assert_true(b[i] == ' ' && b[i - 1] != ' ');
}

static void test_any_figure_has_its_column(void **state)
{
    static const double rates[] = { 0,    0.04,  1,    99.96, 999.5,
                                    12e3, 456e6, 5e18, 1.8e19 };
    struct top_domain d;
    struct top_page p;

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        d = example("web", rates[i]);
        d.info.domid = 12;
        p = open_page(120);
        top_heading(&p, false);
        top_row(&p, &d, false);
        close_page(&p);
        assert_aligned(text, strchr(text, '\n') + 1);
        free(text);
    }
}

static void test_lines_fit(void **state)
{
    static const char *const names[] = {
        "web",
        "a-name-that-is-much-longer-than-the-columns-that-there-are-for-it",
        "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
    };
    static const unsigned int widths[] = { 1, 10, 40, 79, 80, 81, 132, 400 };
    struct top_sample s = { .n = 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++) {
            struct top_domain d = example(names[i], 1.8e19);
            struct top_page p = open_page(widths[w]);

            top_summary(&p, &s);
            top_heading(&p, false);
            top_row(&p, &d, false);
            close_page(&p);
            assert_true(longest() <= widths[w]);
            free(text);
        }
}

/* No name can drive the terminal. */
static void test_control_characters(void **state)
{
    struct top_domain d = example("\033[2J\007\nx", 1);
    struct top_page p = open_page(80);

    (void)state;
    top_row(&p, &d, false);
    top_row(&p, &d, true);
    close_page(&p);
    assert_null(strchr(text, '\033'));
    assert_null(strchr(text, '\007'));
    /* A name is as long as it looks, and fills its column so. */
    assert_non_null(strstr(text, "\\x1b[2J\\x07 "));
    free(text);
}

static unsigned int count_fields(const char *line)
{
    unsigned int n = 0;

    for (size_t i = 0; line[i] != '\n'; i++)
        n += line[i] != ' ' && (line[i + 1] == ' ' || line[i + 1] == '\n');
    return n;
}

/* What programs read: as many words as the heading has, plain numbers. */
static void test_exact_rows(void **state)
{
    struct top_domain d = example("web", 1234567.25);
    struct top_page p = open_page(0);

    (void)state;
    d.info.memory_kib = 16384;
    top_heading(&p, true);
    top_row(&p, &d, true);
    close_page(&p);
    assert_int_equal(count_fields(text), count_fields(strchr(text, '\n') + 1));
    assert_non_null(strstr(text, " 16384 "));
    assert_non_null(strstr(text, " 1234567.2 "));
    assert_null(strstr(text, "M "));
    free(text);
}

static void test_states(void **state)
{
    struct top_domain d = example("web", 0);
    struct top_page p = open_page(0);

    (void)state;
    for (unsigned int i = 0; i < 6; i++) {
        d.info.state = i;
        top_row(&p, &d, true);
    }
    d.info.state = RS_DOMAIN_SHUTDOWN;
    d.info.shutdown_reason = 3; /* SHUTDOWN_crash */
    top_row(&p, &d, true);
    close_page(&p);
    for (const char *want = "prsd??c", *line = text; *want != '\0'; want++) {
        assert_int_equal(line[27], *want);
        line = strchr(line, '\n') + 1;
    }
    free(text);
}

/* ---- the details ---- */

static void test_details(void **state)
{
    struct top_details before = { .domid = 2, .valid = true }, now;
    struct top_page p = open_page(0);

    (void)state;
    before.at_ns = SECOND;
    before.stats.nr_calls = 1;
    before.stats.calls[0] = (struct rs_hypercall_stats){ .name = "xen_version",
                                                         .calls = 1000,
                                                         .total_ns = 5000000 };
    before.stats.calls[0].histogram[19] = 1000; /* long ago they were slow */
    now = before;
    now.at_ns = 3 * SECOND;
    now.stats.nr_calls = 2;
    now.stats.calls[0].calls += 200;
    now.stats.calls[0].total_ns += 200 * 100;
    now.stats.calls[0].histogram[2] = 200;
    now.stats.calls[1] = (struct rs_hypercall_stats){
        .name = "memory_op", .calls = 2, .failed = 2, .total_ns = 8000
    };
    now.stats.guest.sends = UINT64_MAX;
    top_show_details(&p, &now, &before);
    close_page(&p);
    assert_non_null(strstr(text, "xen_version            100       0       0   "
                                 "mean 100 ns, p50 96 ns, p99 127 ns"));
    assert_non_null(strstr(text, "memory_op                1       0       1   "
                                 "mean 4.0 µs"));
    assert_non_null(strstr(text, "as the guest reports: sends 9.22E\n"));
    free(text);
}

static void test_details_need_two_looks(void **state)
{
    struct top_details one = { .domid = 2, .valid = true, .at_ns = SECOND };
    struct top_details other = { .domid = 3, .valid = true }, none = { 0 };
    struct top_page p = open_page(0);

    (void)state;
    top_show_details(&p, &one, &other);
    top_show_details(&p, &one, &none);
    top_show_details(&p, &none, &one);
    top_show_details(&p, &one, &one);
    close_page(&p);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
        assert_int_equal(strncmp(line, "  (at the next look)\n", 21), 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_number_used_again),
        cmocka_unit_test(test_no_time),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_any_figure_has_its_column),
        cmocka_unit_test(test_lines_fit),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_exact_rows),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_details),
        cmocka_unit_test(test_details_need_two_looks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
