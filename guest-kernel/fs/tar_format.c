/*
 * The letters of the tar format: numbers, checksums, names.
 */
#include <errno.h>
#include <string.h>

#include "tar_index.h"

/* An octal number in text, or base-256 where the first bit is set. */
int tar_number_(const char *p, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;

    if (p[0] & 0x80) {
        if ((unsigned char)p[0] != 0x80)
            return -EINVAL; /* negative, or beyond 64 bits */
        for (i = 1; i < n; i++) {
            if (v >> 56)
                return -EINVAL;
            v = v << 8 | (unsigned char)p[i];
        }
        *out = v;
        return 0;
    }
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
        if (v >> 61)
            return -EINVAL;
        v = v << 3 | (unsigned int)(p[i] - '0');
    }
    for (; i < n; i++)
        if (p[i] != ' ' && p[i] != '\0')
            return -EINVAL;
    *out = v;
    return 0;
}

/* The sum over the header with its own field as spaces; old tars sum signed. */
bool tar_checksum_ok_(const struct tar_header *h)
{
    const char *p = (const char *)h;
    uint64_t want;
    long u = 0, s = 0;

    for (size_t i = 0; i < sizeof(*h); i++) {
        bool own = i >= offsetof(struct tar_header, checksum) &&
                   i < offsetof(struct tar_header, type);

        u += own ? ' ' : (unsigned char)p[i];
        s += own ? ' ' : (signed char)p[i];
    }
    if (tar_number_(h->checksum, sizeof(h->checksum), &want))
        return false;
    return (long)want == u || (long)want == s;
}

/* "./a//b/" becomes "a/b" in place; false if a component is "..". */
bool tar_path_clean_(char *path)
{
    char *to = path;
    const char *p = path;

    while (*p) {
        size_t len = strcspn(p, "/");

        if (len == 2 && p[0] == '.' && p[1] == '.')
            return false;
        if (len && !(len == 1 && p[0] == '.')) {
            if (to != path)
                *to++ = '/';
            memmove(to, p, len);
            to += len;
        }
        p += len;
        p += strspn(p, "/");
    }
    *to = '\0';
    return true;
}
