/*
 * The emergency console: what a guest writes by CONSOLEIO_write, and what the
 * hypervisor itself says about a domain. (The guest's ordinary console is a
 * ring to the driver domain.)
 *
 * An embedding program's callback gets the guest's bytes as they are. Where
 * people read them, in a tool's descriptor or in the host's log, they are shown
 * as printable.h says, every line begins with the domain ("(d3) " and "domain 3
 * console: "), so that no line of a guest looks like one of ours, and a domain
 * has a budget of 64 KiB and 16 KiB a second. What goes beyond is dropped and
 * its size is reported.
 */
#ifndef RINGSIDE_CONSOLE_H
#define RINGSIDE_CONSOLE_H

#include <stddef.h>

struct domain;

/* Where a domain's bytes go as they are; NULL sink: to the host's log. */
int console_open(struct domain *d,
                 void (*sink)(void *data, const char *bytes, size_t n),
                 void *data);
void console_free(struct domain *d);

/* Where lines for people go; free() is called when the console is freed. */
struct console_output {
    void (*write)(void *data, const char *bytes, size_t n);
    void (*free)(void *data);
    void *data;
};

/* Shows there what else would go to the host's log. Takes out->data. */
void console_show(struct domain *d, const struct console_output *out);

/* What the guest writes, by whatever means. */
void console_write(struct domain *d, const char *s, size_t n);

/* A line of the hypervisor's own, without its newline. */
void console_say(struct domain *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
