/* Unit tests for text of strangers (common/printable.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "printable.h"

static const char *shown(const char *text, size_t n)
{
    static char out[256];

    size_t len = printable(out, sizeof(out), text, n);

    assert_int_equal(len, strlen(out));
    return out;
}

#define SHOWN(text) shown(text, sizeof(text) - 1)

static void test_what_prints(void **state)
{
    (void)state;
    assert_string_equal(SHOWN(""), "");
    assert_string_equal(SHOWN(" !azAZ09~\\"), " !azAZ09~\\");
    assert_string_equal(SHOWN("\xc2\xb5s \xe2\x82\xac \xf0\x9f\x98\x80"),
                        "\xc2\xb5s \xe2\x82\xac \xf0\x9f\x98\x80");
}

static void test_controls(void **state)
{
    (void)state;
    assert_string_equal(SHOWN("a\033[2Jb"), "a\\x1b[2Jb");
    assert_string_equal(SHOWN("a\nb\rc\td\0e\177"),
                        "a\\x0ab\\x0dc\\x09d\\x00e\\x7f");
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        const char *s = shown(&byte, 1);

        assert_int_equal(strlen(s), c >= ' ' && c < 127 ? 1 : 4);
    }
    /* C1, as a byte and as UTF-8. */
    assert_string_equal(SHOWN("\x9b[2J"), "\\x9b[2J");
    assert_string_equal(SHOWN("\xc2\x9b[2J\xc2\x80\xc2\x9f"),
                        "\\xc2\\x9b[2J\\xc2\\x80\\xc2\\x9f");
}

static void test_what_moves_or_hides(void **state)
{
    static const char *const hidden[] = {
        "\xc2\xad",     "\xd8\x9c",         "\xe2\x80\x8b", "\xe2\x80\x8f",
        "\xe2\x80\xa8", "\xe2\x80\xa9",     "\xe2\x80\xaa", "\xe2\x80\xae",
        "\xe2\x81\xa0", "\xe2\x81\xa6",     "\xe2\x81\xa9", "\xef\xbb\xbf",
        "\xef\xbf\xbe", "\xf3\xa0\x80\x81",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        assert_int_equal(strlen(shown(hidden[i], strlen(hidden[i]))),
                         4 * strlen(hidden[i]));
}

static void test_no_utf8(void **state)
{
    (void)state;
    assert_string_equal(SHOWN("\xff\xfe"), "\\xff\\xfe");
    assert_string_equal(SHOWN("\x80x"), "\\x80x");
    assert_string_equal(SHOWN("\xc3"), "\\xc3"); /* cut off */
    assert_string_equal(SHOWN("\xe2\x82"), "\\xe2\\x82");
    assert_string_equal(shown("\xc2\xb5", 1),
                        "\\xc2"); /* the rest is not ours */
    assert_int_equal(printable_char("\xc2\xb5", 1), -1);
    assert_string_equal(SHOWN("\xe2\x82z"), "\\xe2\\x82z");
    assert_string_equal(SHOWN("\xe2\033"), "\\xe2\\x1b");
    /* Overlong: an escape, a slash; surrogates; beyond U+10FFFF. */
    assert_string_equal(SHOWN("\xc0\x9b"), "\\xc0\\x9b");
    assert_string_equal(SHOWN("\xe0\x80\x9b"), "\\xe0\\x80\\x9b");
    assert_string_equal(SHOWN("\xf0\x80\x80\x9b"), "\\xf0\\x80\\x80\\x9b");
    assert_string_equal(SHOWN("\xc0\xaf"), "\\xc0\\xaf");
    assert_string_equal(SHOWN("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");
    assert_string_equal(SHOWN("\xf0\x82\x82\xac"), "\\xf0\\x82\\x82\\xac");
    assert_string_equal(SHOWN("\xed\xa0\x80"), "\\xed\\xa0\\x80");
    assert_string_equal(SHOWN("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
    assert_string_equal(SHOWN("\xf8\x88\x80\x80\x80"),
                        "\\xf8\\x88\\x80\\x80\\x80");
}

/* Neither a character nor an escape is cut. */
static void test_bounds(void **state)
{
    char out[8];

    (void)state;
    memset(out, 'y', sizeof(out));
    assert_int_equal(printable(out, 1, "abc", 3), 0);
    assert_string_equal(out, "");
    assert_int_equal(printable(out, 3, "abc", 3), 2);
    assert_string_equal(out, "ab");
    assert_int_equal(printable(out, 5, "a\033", 2), 1);
    assert_int_equal(printable(out, 6, "a\033", 2), 5);
    assert_int_equal(printable(out, 3, "a\xc2\xb5", 3), 1);
    assert_int_equal(printable(out, 4, "a\xc2\xb5", 3), 3);
    assert_int_equal(out[7], 'y');
}

static void test_a_line(void **state)
{
    char line[12] = "plain", small[8] = "\033\033";

    (void)state;
    printable_line(line, sizeof(line));
    assert_string_equal(line, "plain");
    strcpy(line, "ab\ncd");
    printable_line(line, sizeof(line));
    assert_string_equal(line, "ab\\x0acd");
    printable_line(small, sizeof(small));
    assert_string_equal(small, "\\x1b");
    assert_string_equal(printable_string(line, sizeof(line), "x\n"), "x\\x0a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_prints),
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_what_moves_or_hides),
        cmocka_unit_test(test_no_utf8),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_a_line),
    };

    return cmocka_run_group_tests_name("printable", tests, NULL, NULL);
}
