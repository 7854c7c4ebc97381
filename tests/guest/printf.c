/*
 * What printf and scanf take: arguments by position, wide characters, and
 * numbers that read back as what they were.
 */
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "tests/guest/tap.h"

#define NUMBERS 2000

static char text[400];

/* Formats are in variables: the compiler need not know the positions. */
#define SAYS(wanted, fmt, ...)                                          \
    do {                                                                \
        const char *volatile f_ = (fmt);                                \
        int n_ = snprintf(text, sizeof(text), f_, ##__VA_ARGS__);       \
                                                                        \
        point(n_ == (int)strlen(wanted) && strcmp(text, (wanted)) == 0, \
              "%s: '%s'", #fmt, text);                                  \
    } while (0)

#define SAYS_WIDE(wanted, fmt, ...)                                         \
    do {                                                                    \
        const wchar_t *volatile f_ = (fmt);                                 \
        wchar_t w_[100];                                                    \
        int n_ = swprintf(w_, 100, f_, ##__VA_ARGS__);                      \
                                                                            \
        point(n_ == (int)wcslen(wanted) && wcscmp(w_, (wanted)) == 0, "%s", \
              #fmt);                                                        \
    } while (0)

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

/* As translated texts have them. */
static void by_position(void)
{
    int a = 0, b = 0;
    char word[10] = "";

    SAYS("pos 5", "%2$s %1$d", 5, "pos");
    SAYS("9 8 7 6 5 4 3 2 1 0",
         "%10$d %9$d %8$d %7$d %6$d %5$d %4$d %3$d "
         "%2$d %1$d",
         0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    SAYS("2.50 -7 x 2.5 (a)", "%3$.2f %2$ld %4$c %3$.1f (%1$s)", "a", -7l, 2.5,
         'x');
    SAYS("1.5 2", "%2$.1Lf %1$hhd", 2, 1.5L);
    SAYS("[    7|3.142]", "[%1$*2$d|%3$.*4$f]", 7, 5, 3.14159265, 3);
    SAYS("same same", "%1$s %1$s", "same");
    SAYS_WIDE(L"pos 5", L"%2$s %1$d", 5, "pos");
    point(sscanf("12 word 34", "%3$d %1$9s %2$d", word, &a, &b) == 3 &&
              b == 12 && a == 34 && strcmp(word, "word") == 0,
          "sscanf by position");
}

static void wide(void)
{
    char memory[40] = "";
    FILE *f;

    SAYS("wide", "%ls", L"wide");
    SAYS("[ wid]", "[%4.3ls]", L"wide");
    SAYS("W", "%lc", (wint_t)L'W');
    errno = 0;
    point(snprintf(text, sizeof(text), "%ls", L"\u20ac") == -1 &&
              errno == EILSEQ,
          "what the C locale has no character for");
    point(setlocale(LC_CTYPE, "C.UTF-8") != NULL, "a locale of UTF-8");
    SAYS("\u20ac", "%ls", L"\u20ac");
    SAYS_WIDE(L"wide 3 narrow \u20ac 1.5", L"%ls %d %s %s %g", L"wide", 3,
              "narrow", "\u20ac", 1.5);
    f = fmemopen(memory, sizeof(memory), "w");
    point(f && fwprintf(f, L"%ls %d\u20ac", L"to", 5) == 5 && !fclose(f) &&
              strcmp(memory, "to 5\u20ac") == 0,
          "fwprintf: %s", memory);
    setlocale(LC_CTYPE, "C");
}

static double any_double(void)
{
    union {
        unsigned int part[2];
        double d;
    } u;

    do {
        for (int i = 0; i < 2; i++)
            u.part[i] = (unsigned int)rand() << 16 ^ (unsigned int)rand();
    } while (!isfinite(u.d));
    return u.d;
}

static void numbers(void)
{
    int doubles = 0, longs = 0;

    SAYS("0.1", "%.14g", 0.1);
    SAYS("0.1000000000000000055511151231257827", "%.34f", 0.1);
    SAYS("1.797693134862315708e+308", "%.18e", DBL_MAX);
    SAYS("4.9406564584124654418e-324", "%.19e", 4.9406564584124654e-324);
    SAYS("0.3333333333333333333424", "%.22Lf", 1 / 3.0L);
    SAYS("1.18973149535723176502e+4932", "%.20Le", LDBL_MAX);
    SAYS("-0 -0.0 inf nan", "%g %.1f %g %g", -0.0, -0.04, INFINITY, NAN);
    SAYS("0 2 2 4 1e+06", "%.0f %.0f %.0f %.0f %g", 0.5, 1.5, 2.5, 3.5, 1e6);
    SAYS("0x1p-1 0x1.999999999999ap-4 -0x1.8p+1", "%a %a %a", 0.5, 0.1, -3.0);
    SAYS("0x1.5555555555555556p-2", "%La", 1 / 3.0L);
    SAYS("0x1.fffffffffffffffep+16383", "%La", LDBL_MAX);
    SAYS("0x1p-16445 0x0p+0", "%La %La", LDBL_MIN * LDBL_EPSILON, 0.0L);
    SAYS_WIDE(L"0x1.fffffffffffffffep+16383", L"%La", LDBL_MAX);
    for (int i = 0; i < NUMBERS; i++) {
        double d = any_double();
        long double l = d + (long double)d / 3 * 1e-16L;

        snprintf(text, sizeof(text), "%.17g", d);
        doubles += strtod(text, NULL) == d;
        snprintf(text, sizeof(text), "%.21Lg", l);
        longs += strtold(text, NULL) == l;
    }
    point(doubles == NUMBERS, "%d of %d numbers read back", doubles, NUMBERS);
    point(longs == NUMBERS, "%d of %d long ones", longs, NUMBERS);
}

/* The output ends where there can be no argument; nothing else is written. */
static void position_limit(void)
{
    static const char *const bad[] = { "%1$d %33$d",   "%1$d %4000$d",
                                       "%4000$d",      "%1$d %2$.*4000$f",
                                       "%1$d %2$*0$d", "%1$d %99999999999$d" };
    static const wchar_t *const wide[] = { L"%1$d %33$d", L"%1$d %4000$d",
                                           L"%1$d %2$*0$d" };
    const char *volatile zero = "%0$d";
    wchar_t w[100];
    int n = 0;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *volatile fmt = bad[i];

        n += snprintf(text, sizeof(text), fmt, 1, 2, 3) <= 2;
    }
    point(n == 6, "%d of 6 formats end at what is no argument", n);
    n = 0;
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        const wchar_t *volatile fmt = wide[i];

        n += swprintf(w, 100, fmt, 1, 2, 3) <= 2;
    }
    point(n == 3, "%d of 3 wide ones do", n);
    SAYS("1 32", "%1$d %32$d", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
         0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
    point(sscanf("7", zero, &n) <= 0, "scanf has no argument 0");
}

int main(void)
{
    plan(35);
    by_position();
    position_limit();
    wide();
    numbers();
    return done();
}
