/*
 * TAP for guest tests: a plan, points, and the exit status.
 *
 *     int main(void)
 *     {
 *         plan(2);
 *         point(1 + 1 == 2, "numbers add up");
 *         ...
 *         return done();
 *     }
 */
#ifndef RINGSIDE_TESTS_GUEST_TAP_H
#define RINGSIDE_TESTS_GUEST_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_planned, tap_seen, tap_failed;

static inline void plan(int n)
{
    tap_planned = n;
    printf("1..%d\n", n);
}

/* One result; returns ok, so that dependent points can be left out. */
__attribute__((format(printf, 2, 3))) static inline bool
point(bool ok, const char *fmt, ...)
{
    va_list ap;

    printf("%sok %d - ", ok ? "" : "not ", ++tap_seen);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    tap_failed += !ok;
    return ok;
}

/* The exit status: 0 when all that was planned ran and passed. */
static inline int done(void)
{
    return tap_failed || tap_seen != tap_planned;
}

#endif
