/*
 * The emergency console: lines, escapes and the budget. See console.h.
 */
#include "console.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"
#include "printable.h"

#define LINE_MAX_BYTES 256u
/* What a guest may show: at once, and per second. */
#define BURST 65536u
#define RATE  16384u
#define NS    1000000000ull

struct domain_console {
    /* An embedding program's, which gets all bytes as they are. */
    void (*sink)(void *, const char *, size_t);
    void *data;
    struct console_output out; /* NULL write: the host's log */

    char prefix[16];  /* "(d3) " */
    bool in_line;     /* the output does not stand at a line's start */
    char part[4];     /* of a character that is not complete */
    size_t part_used; /* bytes of it */
    char line[LINE_MAX_BYTES];
    size_t len; /* of the line: for the log, or not yet written */

    uint64_t refilled_ns;
    uint32_t budget; /* bytes, of what is shown */
    uint64_t dropped;
    bool dropping; /* until the budget is worth a second again */
};

int console_open(struct domain *d, void (*sink)(void *, const char *, size_t),
                 void *data)
{
    struct domain_console *c = calloc(1, sizeof(*c));

    d->console = c;
    if (!c)
        return -ENOMEM;
    c->sink = sink;
    c->data = data;
    c->budget = BURST;
    c->refilled_ns = host_now();
    snprintf(c->prefix, sizeof(c->prefix), "(d%u) ", d->domid);
    return 0;
}

void console_show(struct domain *d, const struct console_output *out)
{
    d->console->out = *out;
}

/* ---- a guest's text, as it is shown ---- */

/* Passes on what has gathered: to the log as a line, or to the output. */
static void flush(struct domain *d)
{
    struct domain_console *c = d->console;

    if (c->out.write && c->len)
        c->out.write(c->out.data, c->line, c->len);
    else if (!c->out.write)
        host_log(d->host, RS_LOG_INFO, "domain %u console: %.*s", d->domid,
                 (int)c->len, c->line);
    c->len = 0;
}

/* Adds n bytes that are fit to be seen; a new line begins with the domain. */
static void put(struct domain *d, const char *bytes, size_t n)
{
    struct domain_console *c = d->console;
    size_t prefix =
        c->in_line || !c->out.write ? 0 : strnlen(c->prefix, sizeof(c->prefix));

    if (c->len + prefix + n > sizeof(c->line))
        flush(d);
    memcpy(c->line + c->len, c->prefix, prefix);
    memcpy(c->line + c->len + prefix, bytes, n);
    c->len += prefix + n;
    c->budget -= (uint32_t)(prefix + n);
    c->in_line = true;
}

static void end_line(struct domain *d)
{
    struct domain_console *c = d->console;

    put(d, "\n", c->out.write != NULL);
    if (!c->out.write) {
        flush(d);
        c->budget -= (uint32_t)strlen("domain 12345 console: ");
    }
    c->in_line = false;
}

/* Shows the bytes of `part` that make a character or cannot belong to one. */
static void settle(struct domain *d, bool complete)
{
    struct domain_console *c = d->console;
    char escaped[PRINTABLE_GROWTH];

    while (c->part_used) {
        int n = printable_char(c->part, c->part_used);
        size_t took = n > 0 ? (size_t)n : 1;

        if (n < 0 && !complete)
            return;
        if (n > 0)
            put(d, c->part, took);
        else if (c->part[0] == '\n')
            end_line(d);
        else if (c->part[0] == '\t')
            put(d, " ", 1);
        else if (c->part[0] != '\r' || c->part_used > 1 || complete)
            put(d, escaped, printable_escape(escaped, c->part[0]));
        else
            return; /* a newline may follow, and then it is no more than that */
        c->part_used -= took;
        memmove(c->part, c->part + took, c->part_used);
    }
}

static void show_byte(struct domain *d, char byte)
{
    struct domain_console *c = d->console;

    if (byte == '\n' && c->part_used == 1 && c->part[0] == '\r')
        c->part_used = 0;
    c->part[c->part_used++] = byte;
    settle(d, false);
}

/* ---- its budget ---- */

static void refill(struct domain_console *c)
{
    uint64_t now = host_now(), ns = now - c->refilled_ns;
    uint64_t more = ns < 8 * NS ? ns * RATE / NS : BURST;

    if (!more)
        return;
    c->refilled_ns = now;
    c->budget = more < BURST - c->budget ? c->budget + (uint32_t)more : BURST;
}

/* What one byte costs at most: a prefix before it, three of an unfinished
 * character and itself, all escaped. */
#define BYTE_COSTS_MAX (32u + 4u * PRINTABLE_GROWTH)

static void tell_dropped(struct domain *d)
{
    struct domain_console *c = d->console;

    if (!c->dropped)
        return;
    console_say(d, "(hypervisor) domain %u: %llu bytes of its console dropped",
                d->domid, (unsigned long long)c->dropped);
    c->dropping = false;
    c->dropped = 0;
}

static void show(struct domain *d, const char *s, size_t n)
{
    struct domain_console *c = d->console;
    size_t i = 0;

    refill(c);
    if (c->dropping && c->budget >= RATE)
        tell_dropped(d);
    while (!c->dropping && i < n) {
        if (c->budget < BYTE_COSTS_MAX)
            c->dropping = true;
        else
            show_byte(d, s[i++]);
    }
    c->dropped += n - i;
    if (c->out.write)
        flush(d);
}

void console_write(struct domain *d, const char *s, size_t n)
{
    struct domain_console *c = d->console;

    if (!c)
        return;
    if (c->sink)
        c->sink(c->data, s, n);
    else
        show(d, s, n);
}

/* Ends the guest's line, should it stand in one. */
static void leave_line(struct domain *d)
{
    struct domain_console *c = d->console;

    c->budget += BYTE_COSTS_MAX; /* this is ours */
    settle(d, true);
    if (c->in_line)
        end_line(d);
    c->budget = c->budget > BYTE_COSTS_MAX ? c->budget - BYTE_COSTS_MAX : 0;
    if (c->out.write)
        flush(d);
}

void console_say(struct domain *d, const char *fmt, ...)
{
    struct domain_console *c = d->console;
    char line[LINE_MAX_BYTES];
    va_list ap;

    if (!c)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    if (!c->sink) {
        leave_line(d);
        printable_line(line, sizeof(line) - 1);
    }
    if (!c->sink && !c->out.write) {
        host_log(d->host, RS_LOG_INFO, "%s", line);
        return;
    }
    strcat(line, "\n");
    if (c->sink)
        c->sink(c->data, line, strlen(line));
    else
        c->out.write(c->out.data, line, strlen(line));
}

void console_free(struct domain *d)
{
    struct domain_console *c = d->console;

    if (!c)
        return;
    if (!c->sink)
        leave_line(d);
    tell_dropped(d);
    if (c->out.free)
        c->out.free(c->out.data);
    free(c);
    d->console = NULL;
}
