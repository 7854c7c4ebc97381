/* What the command says to its user; see say.h. */
#include "say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "printable.h"

static char last[1024];
static bool silent, quiet_notes;

int complain(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(last, sizeof(last), fmt, ap);
    va_end(ap);
    printable_line(last, sizeof(last));
    return silent ? -EINVAL : complain_again();
}

int complain_again(void)
{
    fflush(stdout);
    fprintf(stderr, "ringside: %s\n", last);
    return -EINVAL;
}

const char *complaint(void)
{
    return last;
}

void complain_silently(bool silently)
{
    silent = silently;
}

void note_quiet(bool quiet)
{
    quiet_notes = quiet;
}

static void print_note(const char *fmt, va_list ap)
{
    char line[512];

    vsnprintf(line, sizeof(line), fmt, ap);
    printable_line(line, sizeof(line));
    fprintf(stderr, "%s%s%s\n", paint(stderr, "dim"), line,
            paint(stderr, "reset"));
}

void note(const char *fmt, ...)
{
    va_list ap;

    if (quiet_notes)
        return;
    va_start(ap, fmt);
    print_note(fmt, ap);
    va_end(ap);
}

void note_about(const char *subject, const char *fmt, ...)
{
    char name[256];
    va_list ap;

    if (quiet_notes)
        return;
    fprintf(stderr, "%s%s%s ", paint(stderr, "bold"),
            printable_string(name, sizeof(name), subject),
            paint(stderr, "reset"));
    va_start(ap, fmt);
    print_note(fmt, ap);
    va_end(ap);
}

const char *paint(FILE *where, const char *how)
{
    static const struct {
        const char *name, *code;
    } codes[] = {
        { "bold", "\033[1m" },   { "dim", "\033[2m" },
        { "green", "\033[32m" }, { "yellow", "\033[33m" },
        { "red", "\033[31m" },   { "reset", "\033[0m" },
    };
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

    if (!isatty(fileno(where)) || (no != NULL && no[0] != '\0') ||
        term == NULL || strcmp(term, "dumb") == 0)
        return "";
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(codes[i].name, how) == 0)
            return codes[i].code;
    }
    return "";
}

const char *format_ns(unsigned long long ns, char *buf, size_t n)
{
    if (ns < 1000000)
        snprintf(buf, n, "%llu µs", ns / 1000);
    else if (ns < 100000000)
        snprintf(buf, n, "%.1f ms", (double)ns / 1e6);
    else if (ns < 1000000000)
        snprintf(buf, n, "%llu ms", ns / 1000000);
    else if (ns < 120000000000ULL)
        snprintf(buf, n, "%.1f s", (double)ns / 1e9);
    else
        snprintf(buf, n, "%llu min %llu s", ns / 60000000000ULL,
                 ns / 1000000000ULL % 60);
    return buf;
}

const char *format_bytes(unsigned long long bytes, char *buf, size_t n)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes;
    size_t u = 0;

    for (; value >= 1024 && u < 4; u++)
        value /= 1024;
    if (u == 0 || value >= 100 || value == (double)(int)value)
        snprintf(buf, n, "%.0f %s", value, units[u]);
    else
        snprintf(buf, n, "%.1f %s", value, units[u]);
    return buf;
}

/* A character of UTF-8 that does not print, as JSON's escapes; its length. */
static size_t print_json_escape(const char *s, size_t n)
{
    static const unsigned char mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    size_t len = printable_length(s, n);
    unsigned int c;

    if (len == 0) {
        printf("\\ufffd");
        return 1;
    }
    c = (unsigned char)s[0] & mask[len];
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)s[i] & 0x3f);
    if (c < 0x10000)
        printf("\\u%04x", c);
    else
        printf("\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
               0xdc00 + (c & 0x3ff));
    return len;
}

void print_json_string(const char *s)
{
    size_t left = strlen(s);

    putchar('"');
    while (left > 0) {
        int n = printable_char(s, left);
        size_t len = n > 0 ? (size_t)n : 0;

        if (*s == '"' || *s == '\\')
            putchar('\\');
        if (len > 0)
            fwrite(s, 1, len, stdout);
        else
            len = print_json_escape(s, left);
        s += len;
        left -= len;
    }
    putchar('"');
}
