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

static void test_options(void **state)
{
    char a[] = "ringside.poll_us=7", b[] = "ringside.poll_us",
         *argv[] = { b, a, NULL };

    (void)state;
    assert_string_equal(cmdline_option(argv, "ringside.poll_us"), "7");
    assert_null(cmdline_option(argv, "ringside"));
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
        cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_stack_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
