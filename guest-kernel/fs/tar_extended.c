/*
 * Extended headers of tar archives: pax records, and GNU tar's long names.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tar_scan.h"

/* The bytes of an extended header, with a NUL after them; to be freed. */
static int read_extended(struct tar_scan *s, uint64_t size, char **out)
{
    char *data;
    int err;

    if (size > TAR_EXTENDED_MAX)
        return tar_scan_fail_(s, -E2BIG, "an extended header over the limit");
    data = malloc(size + 1);
    if (!data)
        return -ENOMEM;
    for (uint64_t done = 0; done < size; done += TAR_BLOCK) {
        const char *b = tar_scan_block_(s, s->at + TAR_BLOCK + done, &err);
        uint64_t n = size - done < TAR_BLOCK ? size - done : TAR_BLOCK;

        if (!b) {
            free(data);
            return err;
        }
        memcpy(data + done, b, n);
    }
    data[size] = '\0';
    *out = data;
    return 0;
}

static int set_string(char **to, const char *from, size_t len)
{
    free(*to);
    *to = strndup(from, len);
    return *to ? 0 : -ENOMEM;
}

/* One "key=value" of a pax header; keys that do not matter are passed by. */
static int pax_record(struct tar_scan *s, const char *key, size_t key_len,
                      const char *value, size_t len)
{
    struct tar_override *o = &s->next;
    char number[32], *end;

    if (key_len == 4 && !memcmp(key, "path", 4))
        return set_string(&o->path, value, len);
    if (key_len == 8 && !memcmp(key, "linkpath", 8))
        return set_string(&o->link, value, len);
    if (key_len >= 11 && !memcmp(key, "GNU.sparse.", 11))
        return tar_scan_fail_(s, -EINVAL, "a sparse member, which is not read");
    if (key_len < 4 || len == 0 || len >= sizeof(number))
        return 0;
    memcpy(number, value, len);
    number[len] = '\0';
    errno = 0;
    if (key_len == 4 && !memcmp(key, "size", 4)) {
        o->size = strtoull(number, &end, 10);
        o->has_size = true;
        if (errno || *end || number[0] < '0' || number[0] > '9')
            return tar_scan_fail_(s, -EINVAL, "a broken pax size");
    } else if (key_len == 5 && !memcmp(key, "mtime", 5)) {
        o->mtime = strtoll(number, &end, 10);
        o->has_mtime = !errno && (*end == '\0' || *end == '.');
    }
    return 0;
}

/* Records are "LENGTH key=value\n", LENGTH counting all of it in decimal. */
static int pax_parse(struct tar_scan *s, const char *p, size_t n)
{
    while (n) {
        size_t len = 0, digits = 0;
        const char *key, *eq;
        int err;

        for (; digits < n && digits < 6; digits++) {
            if (p[digits] < '0' || p[digits] > '9')
                break;
            len = len * 10 + (size_t)(p[digits] - '0');
        }
        if (!digits || len > n || len < digits + 3 || p[digits] != ' ' ||
            p[len - 1] != '\n')
            return tar_scan_fail_(s, -EINVAL, "a broken pax record");
        key = p + digits + 1;
        eq = memchr(key, '=', (size_t)(p + len - 1 - key));
        if (!eq)
            return tar_scan_fail_(s, -EINVAL, "a broken pax record");
        err = pax_record(s, key, (size_t)(eq - key), eq + 1,
                         (size_t)(p + len - 1 - (eq + 1)));
        if (err)
            return err;
        p += len;
        n -= len;
    }
    return 0;
}

int tar_scan_extended_(struct tar_scan *s, char type, uint64_t size)
{
    char *data = NULL;
    int err = 0;

    if (type == 'g')
        return 0; /* global: comments, and defaults that nobody uses */
    err = read_extended(s, size, &data);
    if (err)
        return err;
    if (type == 'x')
        err = pax_parse(s, data, size);
    else
        err = set_string(type == 'L' ? &s->next.path : &s->next.link, data,
                         strlen(data));
    free(data);
    return err;
}
