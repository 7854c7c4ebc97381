/*
 * The emergency console: what a guest writes by CONSOLEIO_write, and what the
 * hypervisor itself says about a domain. (The guest's ordinary console is a
 * ring to the driver domain.)
 */
#ifndef RINGSIDE_CONSOLE_H
#define RINGSIDE_CONSOLE_H

#include <stddef.h>

struct domain;

/* Where a domain's bytes go; NULL sink: to the host's log, line by line. */
int console_open(struct domain *d,
                 void (*sink)(void *data, const char *bytes, size_t n),
                 void *data);
void console_free(struct domain *d);

/* Calls fn(data) when the console is freed: the end of the sink's owner. */
void console_on_free(struct domain *d, void (*fn)(void *data), void *data);

/* What the guest writes, by whatever means. */
void console_write(struct domain *d, const char *s, size_t n);

/* A line of the hypervisor's own. */
void console_say(struct domain *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
