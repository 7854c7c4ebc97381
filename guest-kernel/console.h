/*
 * The guest's console, whichever it has.
 *
 * With a console ring (start_info) output goes to the driver domain
 * (frontends/consfront.c); without, through CONSOLEIO_write to the hypervisor's
 * log of this domain. Reports of crashes go to the log in any case.
 */
#ifndef RINGSIDE_GUEST_CONSOLE_H
#define RINGSIDE_GUEST_CONSOLE_H

#include <stdarg.h>
#include <stddef.h>

#include "xen_compat.h"

/* Writes all of it; blocks while the ring is full. Threads only. */
void console_write(const char *s, size_t n);
/*
 * At least one character; blocks. 0 = end of input: a Ctrl-D, or a domain
 * without a console ring. A CR becomes a newline. What comes after a Ctrl-V is
 * taken as it is.
 */
size_t console_read(char *buf, size_t n);

/*
 * (console_error.c) The same for standard error, which has a ring of its own if
 * the toolstack offers one: a console that is called "stderr". It is made when
 * something is written for the first time. Else, and where that ring fails, it
 * is the console's.
 */
void console_write_error(const char *s, size_t n);
void console_flush_error(void);

/* Waits (bounded) until the other end has read everything. */
void console_flush(void);

/* The same without blocking, for crashes: a few ms at most, any context. */
void console_drain(void);

/*
 * Straight to the hypervisor, in any context, without allocation or locks: for
 * reports of crashes. The format knows %s %c %d %u %x %lx %lu %p %%, with
 * width and zero padding.
 */
void console_report(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A whole line at once, so that no other output falls into it. */
void console_report_line(const char *before, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

void console_init(const struct start_info *si);

#endif
