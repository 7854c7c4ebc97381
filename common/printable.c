/* Text of strangers, made harmless; see printable.h. */
#include "printable.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Well-formed UTF-8 that does more than print, or nothing that is seen. */
static const struct {
    uint32_t first, last;
} hidden[] = {
    { 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x00ad, 0x00ad },
    { 0x061c, 0x061c }, { 0x180e, 0x180e }, { 0x200b, 0x200f },
    { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff },
    { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0xe0fff },
};

static bool is_hidden(uint32_t c)
{
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        if (c >= hidden[i].first && c <= hidden[i].last)
            return true;
    return false;
}

/* How many bytes a character has that begins with this one; 0: none does. */
static unsigned int utf8_length(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0; /* a continuation, overlong, or beyond U+10FFFF */
    return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Decodes a character; its length, 0: not well-formed, -1: cut off. */
static int decode(const char *s, size_t n, uint32_t *c)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    static const unsigned char mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    unsigned int len = n ? utf8_length((unsigned char)s[0]) : 1;

    if (!len)
        return 0;
    if (!n)
        return -1;
    *c = (unsigned char)s[0] & mask[len];
    for (unsigned int i = 1; i < len; i++) {
        if (i == n)
            return -1;
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return 0;
        *c = *c << 6 | ((unsigned char)s[i] & 0x3f);
    }
    if (*c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
        return 0;
    return (int)len;
}

int printable_char(const char *s, size_t n)
{
    uint32_t c = 0;
    int len = decode(s, n, &c);

    return len > 0 && is_hidden(c) ? 0 : len;
}

size_t printable_length(const char *s, size_t n)
{
    uint32_t c = 0;
    int len = decode(s, n, &c);

    return len > 0 ? (size_t)len : 0;
}

size_t printable_escape(char out[PRINTABLE_GROWTH], char byte)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char b = (unsigned char)byte;

    out[0] = '\\';
    out[1] = 'x';
    out[2] = digits[b >> 4];
    out[3] = digits[b & 15];
    return PRINTABLE_GROWTH;
}

size_t printable(char *out, size_t size, const char *text, size_t len)
{
    size_t at = 0;

    while (len) {
        int n = printable_char(text, len);
        size_t take = n > 0 ? (size_t)n : 1, put = n > 0 ? take : 4;

        if (put > size - 1 - at)
            break;
        if (n > 0)
            memcpy(out + at, text, take);
        else
            printable_escape(out + at, *text);
        at += put;
        text += take;
        len -= take;
    }
    out[at] = '\0';
    return at;
}

const char *printable_string(char *out, size_t size, const char *s)
{
    printable(out, size, s, strlen(s));
    return out;
}

void printable_line(char *line, size_t size)
{
    size_t len = strlen(line), at = 0;
    char *copy;

    while (at < len && printable_char(line + at, len - at) > 0)
        at += (size_t)printable_char(line + at, len - at);
    if (at == len)
        return;
    copy = strdup(line + at);
    if (copy)
        printable(line + at, size - at, copy, len - at);
    else
        line[at] = '\0';
    free(copy);
}
