#include "console.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"
#include "hypercall.h"

#define LINE_MAX_BYTES 256u
/* One call copies at most this much; the caller comes again for the rest. */
#define WRITE_MAX  4096u
#define WRITE_COST (4 * HYPERCALL_SYSCALL) /* and a log line for each byte */
/* Bytes that a guest may put into the host's log in one second; an empty line
 * has some, too. */
#define LOG_RATE    16384u
#define LINE_PREFIX 24u

struct domain_console {
    void (*sink)(void *, const char *, size_t);
    void *data;
    void (*on_free)(void *);
    void *on_free_data;
    char line[LINE_MAX_BYTES];
    size_t len;
    uint64_t second; /* that `logged` counts */
    size_t logged, dropped;
};

int console_open(struct domain *d, void (*sink)(void *, const char *, size_t),
                 void *data)
{
    d->console = calloc(1, sizeof(*d->console));
    if (!d->console)
        return -ENOMEM;
    d->console->sink = sink;
    d->console->data = data;
    return 0;
}

static void log_line(struct domain *d)
{
    struct domain_console *c = d->console;
    uint64_t now = host_now() / 1000000000u;
    size_t bytes = LINE_PREFIX + c->len;

    if (now != c->second) {
        if (c->dropped)
            host_log(d->host, RS_LOG_WARN,
                     "domain %u console: %zu bytes left out", d->domid,
                     c->dropped);
        c->second = now;
        c->logged = c->dropped = 0;
    }
    if (c->logged + bytes > LOG_RATE)
        c->dropped += bytes;
    else
        host_log(d->host, RS_LOG_INFO, "domain %u console: %.*s", d->domid,
                 (int)c->len, c->line);
    c->logged += bytes;
    c->len = 0;
}

/* Control characters do not reach the log: it is read on terminals. */
static void log_bytes(struct domain *d, const char *s, size_t n)
{
    struct domain_console *c = d->console;

    for (size_t i = 0; i < n; i++) {
        bool plain = s[i] == '\t' || (unsigned char)s[i] >= ' ';

        if (s[i] == '\n' || c->len == LINE_MAX_BYTES)
            log_line(d);
        if (s[i] != '\n' && s[i] != '\r')
            c->line[c->len++] = plain && s[i] != 0x7f ? s[i] : '?';
    }
}

void console_write(struct domain *d, const char *s, size_t n)
{
    struct domain_console *c = d->console;

    if (!c)
        return;
    if (c->sink)
        c->sink(c->data, s, n);
    else
        log_bytes(d, s, n);
}

void console_say(struct domain *d, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (n > 0)
        console_write(d, line,
                      n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

void console_on_free(struct domain *d, void (*fn)(void *data), void *data)
{
    d->console->on_free = fn;
    d->console->on_free_data = data;
}

void console_free(struct domain *d)
{
    struct domain_console *c = d->console;

    if (!c)
        return;
    if (c->len)
        log_line(d);
    if (c->on_free)
        c->on_free(c->on_free_data);
    free(c);
    d->console = NULL;
}

/*
 * HYPERVISOR_console_io(cmd, count, buffer). A write is bounded per call,
 * whatever the count says; like Xen, we take all of a valid buffer and answer
 * 0. A long one is done in turns.
 */
long do_console_io(struct vcpu *v, const uint64_t args[6])
{
    unsigned int cmd = (unsigned int)args[0];
    unsigned int count = (unsigned int)args[1];
    char buf[WRITE_MAX];

    if (cmd != CONSOLEIO_write && !domain_is_privileged(v->domain))
        return -EPERM;
    if (cmd == CONSOLEIO_read)
        return count > INT_MAX ? -E2BIG : 0; /* there is no input */
    if (cmd != CONSOLEIO_write)
        return -ENOSYS;
    if (count > WRITE_MAX * 16)
        return -E2BIG;
    for (unsigned int at = 0; at < count; at += WRITE_MAX) {
        unsigned int n = count - at < WRITE_MAX ? count - at : WRITE_MAX;

        if (hypercall_turn_over(v, WRITE_COST) && at)
            return hypercall_continue(v, cmd, count - at, args[2] + at);
        if (copy_from_guest(v, buf, guest_addr(args[2] + at), n))
            return -EFAULT;
        console_write(v->domain, buf, n);
    }
    return 0;
}
