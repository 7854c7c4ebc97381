/*
 * Values of store nodes as numbers; shared by the real store and by the one of
 * the unit tests.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

/* Decimal digits only, no sign, no blank, not above max. */
static int parse_u64(const char *text, uint64_t max, uint64_t *value)
{
    uint64_t v = 0;

    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        unsigned int digit = (unsigned char)*text - '0';

        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, digit, &v))
            return -EINVAL;
    }
    if (v > max)
        return -EINVAL;
    *value = v;
    return 0;
}

int store_read_u64(struct store *s, const char *dir, const char *node,
                   uint64_t max, uint64_t *value)
{
    char *text = store_read(s, dir, node);
    int err;

    if (!text)
        return errno == ENOENT ? -ENOENT : -EINVAL;
    err = parse_u64(text, max, value);
    free(text);
    return err;
}

bool store_read_flag(struct store *s, const char *dir, const char *node)
{
    uint64_t value = 0;

    return store_read_u64(s, dir, node, 1, &value) == 0 && value;
}
