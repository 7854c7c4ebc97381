/* Parsing of paths; see path.h. */
#include "tree/path.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

#define DOMAIN_DIR "/local/domain/"

static bool path_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '@';
}

size_t path_domain_prefix(const char *s, size_t len)
{
    size_t start = sizeof(DOMAIN_DIR) - 1, i = start;

    if (len <= start || memcmp(s, DOMAIN_DIR, start))
        return 0;
    while (i < len && i < start + 5 && s[i] >= '0' && s[i] <= '9')
        i++;
    if (i == start || i >= len || s[i] != '/')
        return 0;
    return i + 1;
}

/* Cuts str from offset `at` into components; -EINVAL for a bad one. */
static int path_split(struct path *p, size_t at)
{
    while (at < p->len) {
        struct path_comp *c = &p->comp[p->depth];
        size_t start = at;
        uint64_t h = hash_seed;

        while (at < p->len && p->str[at] != '/') {
            if (!path_char((unsigned char)p->str[at]))
                return -EINVAL;
            h = hash_step(h, (unsigned char)p->str[at++]);
        }
        if (at == start)
            return -EINVAL;
        c->off = (uint16_t)start;
        c->len = (uint16_t)(at - start);
        c->hash = hash_end(h);
        p->depth++;
        if (at < p->len && ++at == p->len)
            return -EINVAL;
    }
    return 0;
}

static int path_check_len(const struct path *p)
{
    size_t cut = path_domain_prefix(p->str, p->len);

    if (cut || p->special)
        return p->len - cut > XENSTORE_REL_PATH_MAX ? -EINVAL : 0;
    return p->len > XENSTORE_ABS_PATH_MAX ? -EINVAL : 0;
}

int path_parse(struct path *p, const char *s, size_t len, unsigned int domid,
               bool special)
{
    size_t n = 0;
    int err;

    if (len == 0 || len > XENSTORE_ABS_PATH_MAX)
        return -EINVAL;
    p->special = s[0] == '@';
    p->depth = 0;
    p->prefix = 0;
    if (p->special && !special)
        return -EINVAL;
    if (s[0] != '/' && !p->special) {
        if (len > XENSTORE_REL_PATH_MAX)
            return -EINVAL;
        n = (size_t)snprintf(p->str, sizeof(p->str), DOMAIN_DIR "%u/", domid);
        p->prefix = (uint16_t)n;
    }
    memcpy(p->str + n, s, len);
    p->len = (uint16_t)(n + len);
    p->str[p->len] = '\0';
    err = path_check_len(p);
    return err ? err : path_split(p, p->special ? 0 : 1);
}

void path_cut(struct path *p, unsigned int n)
{
    assert(n <= p->depth);
    p->depth = (uint16_t)n;
    p->len = (uint16_t)path_prefix_len(p, n);
    p->str[p->len] = '\0';
}
