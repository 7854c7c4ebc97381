/* The text of scripts, and bytes; see probe.h. */
#include "tests/probe/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOME "/local/domain/"
#define DIR  "data/probe"

unsigned int text_number;

struct out {
    char *at, *end;
};

static void put(struct out *o, const char *s, size_t n)
{
    if ((size_t)(o->end - o->at) < n)
        abort(); /* a table's mistake */
    memcpy(o->at, s, n);
    o->at += n;
}

static void put_number(struct out *o, unsigned int n)
{
    char s[16];

    put(o, s, (size_t)snprintf(s, sizeof(s), "%u", n));
}

/* "{x*N}"; returns its length. */
static size_t put_repeated(struct out *o, const char *s)
{
    char *end;
    unsigned long n = strtoul(s + 3, &end, 10);

    while (n--)
        put(o, s + 1, 1);
    return (size_t)(end + 1 - s);
}

/* "\xHH" */
static size_t put_byte(struct out *o, const char *s)
{
    char hex[3] = { s[2], s[3], '\0' };
    char byte = (char)strtoul(hex, NULL, 16);

    put(o, &byte, 1);
    return 4;
}

/* One character or escape; returns its length. */
static size_t put_one(struct out *o, const char *s)
{
    switch (*s) {
    case '|':
        put(o, "", 1);
        return 1;
    case '~':
        put(o, HOME, sizeof(HOME) - 1);
        put_number(o, probe_domid);
        put(o, "/", 1);
        /* fall through */
    case '&':
        put(o, DIR, sizeof(DIR) - 1);
        return 1;
    case '$':
        put_number(o, probe_domid);
        return 1;
    case '#':
        put_number(o, text_number);
        return 1;
    case '{':
        return put_repeated(o, s);
    case '\\':
        return put_byte(o, s);
    default:
        put(o, s, 1);
        return 1;
    }
}

size_t text_expand(const char *text, size_t len, char *out, size_t room)
{
    struct out o = { out, out + room };

    for (size_t i = 0; i < len;)
        i += put_one(&o, text + i);
    return (size_t)(o.at - out);
}

const char *text_shown(const char *data, size_t len)
{
    static char text[2][4 * XENSTORE_PAYLOAD_MAX + 1];
    static int which;
    char *s = text[which = !which], *at = s;

    for (size_t i = 0; i < len; i++) {
        if (!data[i])
            *at++ = '|';
        else if (data[i] > ' ' && data[i] <= '~')
            *at++ = data[i];
        else
            at += sprintf(at, "\\x%02x", (unsigned char)data[i]);
    }
    *at = '\0';
    return s;
}

static size_t digits(const char *s, size_t len)
{
    size_t n = 0;

    while (n < len && s[n] >= '0' && s[n] <= '9')
        n++;
    return n;
}

bool text_matches(const char *want, size_t want_len, const char *got,
                  size_t got_len)
{
    size_t at = 0;

    for (size_t i = 0; i < want_len; i++) {
        size_t n = 1;

        if (want[i] == '*' && i + 1 == want_len)
            return true;
        if (want[i] == '%')
            n = digits(got + at, got_len - at);
        else if (at == got_len || want[i] != got[at])
            return false;
        if (!n)
            return false;
        at += n;
    }
    return at == got_len;
}
