/*
 * How a guest of `ringside bench` says a figure: a line on the hypervisor's
 * console, so that no device is in the way. Included by one C file of each ELF.
 */
#ifndef RINGSIDE_BENCH_GUEST_SAY_H
#define RINGSIDE_BENCH_GUEST_SAY_H

#include <stdarg.h>
#include <stdio.h>

#include "libhypercall/hypercall.h"

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
    char line[96];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    hypercall_console_write(line, (unsigned int)n);
}

#endif
