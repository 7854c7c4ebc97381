/*
 * What the guest kernel does with text and addresses: command lines, symbol
 * tables, stacks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guest-kernel/console.h"
#include "guest-kernel/libc.h"
#include "guest-kernel/symbols.h"

/* Splits a line and joins the words again with '|'. */
static const char *split(const char *line)
{
    static char joined[200];
    char copy[200], *argv[8];
    int argc;

    snprintf(copy, sizeof(copy), "%s", line);
    argc = cmdline_split(copy, argv, 8);
    assert_null(argv[argc]);
    joined[0] = '\0';
    for (int i = 0; i < argc; i++) {
        strcat(joined, argv[i]);
        strcat(joined, "|");
    }
    return joined;
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(split(""), "");
    assert_string_equal(split("   "), "");
    assert_string_equal(split("one"), "one|");
    assert_string_equal(split("  one\ttwo \n three "), "one|two|three|");
}

static void test_quotes(void **state)
{
    (void)state;
    assert_string_equal(split("'a b' \"c d\""), "a b|c d|");
    assert_string_equal(split("x'y z'w"), "xy zw|");
    assert_string_equal(split("'' \"\""), "||");
    assert_string_equal(split("\"it's\" 'say \"so\"'"), "it's|say \"so\"|");
    assert_string_equal(split("a\\ b \\\\ \\'"), "a b|\\|'|");
    assert_string_equal(split("'no \\escape'"), "no \\escape|");
    assert_string_equal(split("'open end"), "open end|");
    assert_string_equal(split("end\\"), "end\\|");
}

static void test_too_many_words(void **state)
{
    (void)state;
    assert_string_equal(split("1 2 3 4 5 6 7 8 9"), "1|2|3|4|5|6|7|");
}

/* ---- options ---- */

static char told[1000];
static unsigned int a_value, b_value;

void console_report(const char *fmt, ...)
{
    size_t n = strlen(told);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(told + n, sizeof(told) - n, fmt, ap);
    va_end(ap);
}

static void set_a(unsigned int n)
{
    a_value = n;
}

static void set_b(unsigned int n)
{
    b_value = n;
}

static const struct cmdline_option options[] = {
    { "a", 0, 1000, set_a },
    { "bb", 1, 8, set_b },
};

/* What is left of the words of a line. */
static const char *take(const char *line)
{
    static char copy[200], rest[200];
    char *argv[10];
    int n;

    snprintf(copy, sizeof(copy), "%s", line);
    a_value = b_value = 77;
    told[0] = rest[0] = '\0';
    cmdline_split(copy, argv, 10);
    n = cmdline_take_options(argv, options, 2);
    assert_null(argv[n]);
    for (int i = 0; i < n; i++) {
        strcat(rest, argv[i]);
        strcat(rest, "|");
    }
    return rest;
}

static void test_options(void **state)
{
    (void)state;
    assert_string_equal(
        take("x ringside.a=5 ip=dhcp y ringside.bb=8 ringside.a=0"), "x|y|");
    assert_int_equal(a_value, 0);
    assert_int_equal(b_value, 8);
    assert_string_equal(told, "");
    assert_string_equal(take("ring ringsidea=1 ip xip=1"),
                        "ring|ringsidea=1|ip|xip=1|");
    assert_string_equal(take("ip1=dhcp ip12=x ip1 ipx=1 i=1 ip1x=2"),
                        "ip1|ipx=1|i=1|ip1x=2|");
    assert_string_equal(told, "");
}

static void test_bad_values(void **state)
{
    static const char *const bad[] = {
        "",    "=",     "=x",  "=1x", "=-1",
        "=+1", "=1001", "= 1", "==1", "=99999999999999999999"
    };
    char line[60];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(line, sizeof(line), "'ringside.a%s'", bad[i]);
        assert_string_equal(take(line), "");
        assert_int_equal(a_value, 77);
        assert_non_null(strstr(told, "is ignored: a number from 0 to 1000"));
        assert_ptr_equal(strchr(told, '\n'), told + strlen(told) - 1);
    }
}

static void test_unknown_options(void **state)
{
    (void)state;
    assert_string_equal(take("ringside.b=1 x ringside. ringside.bbb=1"), "x|");
    assert_int_equal(b_value, 77);
    assert_non_null(strstr(told, "ringside.b=1 is ignored: no such option"));
    assert_non_null(strstr(told, "ringside.bbb=1 is ignored"));
    assert_non_null(strstr(told, "has ringside.a=N, ringside.bb=N\n"));
}

static void test_symbols(void **state)
{
    const struct ksym table[] = { { 100, 0 }, { 200, 1 }, { 201, 2 } };

    (void)state;
    assert_null(ksym_find(table, 3, 99));
    assert_ptr_equal(ksym_find(table, 3, 100), &table[0]);
    assert_ptr_equal(ksym_find(table, 3, 199), &table[0]);
    assert_ptr_equal(ksym_find(table, 3, 200), &table[1]);
    assert_ptr_equal(ksym_find(table, 3, 5000), &table[2]);
    assert_null(ksym_find(table, 0, 100));
}

static void test_stack_walk(void **state)
{
    uintptr_t stack[16] = { 0 }, out[8];
    uintptr_t low = (uintptr_t)stack, high = (uintptr_t)(stack + 16);

    (void)state;
    stack[0] = (uintptr_t)&stack[4];
    stack[1] = 0x1111;
    stack[4] = (uintptr_t)&stack[14];
    stack[5] = 0x2222;
    stack[14] = 0;
    stack[15] = 0x3333;
    assert_int_equal(stack_walk(low, low, high, out, 8), 3);
    assert_int_equal(out[2], 0x3333);
    assert_int_equal(stack_walk(low, low, high, out, 2), 2);
    /* Out of the stack, unaligned, back down, in a circle, at its very end. */
    assert_int_equal(stack_walk(low - 8, low, high, out, 8), 0);
    assert_int_equal(stack_walk(low + 1, low, high, out, 8), 0);
    stack[4] = low;
    assert_int_equal(stack_walk(low, low, high, out, 8), 2);
    stack[4] = (uintptr_t)&stack[4];
    assert_int_equal(stack_walk(low, low, high, out, 8), 2);
    stack[4] = (uintptr_t)&stack[15];
    assert_int_equal(stack_walk(low, low, high, out, 8), 2);
    stack[4] = high;
    assert_int_equal(stack_walk(low, low, high, out, 8), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_too_many_words),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_unknown_options),
        cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_stack_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
