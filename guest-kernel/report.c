/*
 * Words of the kernel itself, straight to the hypervisor: no allocation, no
 * locks, any context. A small formatter, since printf() needs a heap.
 *
 * A report goes out line by line, so that nothing of it is lost if it breaks
 * off.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "guest-kernel/arch.h"
#include "guest-kernel/console.h"

struct line {
    char text[256];
    unsigned int n;
};

static void put_char(struct line *l, char c)
{
    if (l->n < sizeof(l->text) - 1)
        l->text[l->n++] = c;
}

static void put_string(struct line *l, const char *s)
{
    while (*s)
        put_char(l, *s++);
}

static void put_number(struct line *l, uint64_t v, unsigned int base,
                       unsigned int width, char pad)
{
    char digits[24];
    unsigned int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    while (width-- > n)
        put_char(l, pad);
    while (n)
        put_char(l, digits[--n]);
}

static void put_signed(struct line *l, int v)
{
    if (v < 0)
        put_char(l, '-');
    put_number(l, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, 0, ' ');
}

/* One conversion that starts after '%'; returns its last character. */
static const char *put_conversion(struct line *l, const char *f, va_list *ap)
{
    char pad = *f == '0' ? '0' : ' ';
    unsigned int width = 0;
    bool is_long = false;

    for (; *f >= '0' && *f <= '9'; f++)
        width = width * 10 + (unsigned int)(*f - '0');
    for (; *f == 'l'; f++)
        is_long = true;
    if (*f == 's')
        put_string(l, va_arg(*ap, const char *));
    else if (*f == 'c')
        put_char(l, (char)va_arg(*ap, int));
    else if (*f == 'd')
        put_signed(l, va_arg(*ap, int));
    else if (*f == 'p')
        put_number(l, va_arg(*ap, uint64_t), 16, 16, '0');
    else if (*f == 'u' || *f == 'x')
        put_number(l, is_long ? va_arg(*ap, uint64_t) : va_arg(*ap, uint32_t),
                   *f == 'x' ? 16 : 10, width, pad);
    else if (*f)
        put_char(l, *f);
    return *f ? f : f - 1;
}

static void put_format(struct line *l, const char *fmt, va_list *ap)
{
    for (; *fmt; fmt++)
        if (*fmt == '%')
            fmt = put_conversion(l, fmt + 1, ap);
        else
            put_char(l, *fmt);
}

static void report(const char *before, const char *fmt, va_list ap,
                   const char *after)
{
    struct line l = { .n = 0 };
    va_list copy;

    put_string(&l, before);
    va_copy(copy, ap);
    put_format(&l, fmt, &copy);
    va_end(copy);
    put_string(&l, after);
    arch_log(l.text, l.n);
}

void console_report_line(const char *before, const char *fmt, va_list ap)
{
    report(before, fmt, ap, "\n");
}

void console_report(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    report("", fmt, ap, "");
    va_end(ap);
}
