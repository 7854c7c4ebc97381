/*
 * Paths: parsed once, used everywhere.
 *
 * A request's path is checked, made absolute and cut into hashed components
 * in one pass. All later walks (tree, watches, transactions) use the parsed
 * form. Rules and lengths are those of docs/misc/xenstore.txt and of the C
 * daemon; see docs/xenstore.md.
 */
#ifndef XS_PATH_H
#define XS_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen_compat.h"

/* "/local/domain/65535/" in front of the longest relative path. */
#define PATH_STR_MAX (XENSTORE_ABS_PATH_MAX + 32)
/* "/a/a/a...": a component takes two characters at least. */
#define PATH_DEPTH_MAX (PATH_STR_MAX / 2 + 1)

struct path_comp {
    uint16_t off, len; /* in str; without slashes */
    uint32_t hash;
};

struct path {
    uint16_t len;    /* of str */
    uint16_t depth;  /* components; 0: the root */
    uint16_t prefix; /* str + prefix is what a relative caller sees; 0: all */
    bool special;    /* "@name": one component or more, outside the tree */
    char str[PATH_STR_MAX + 1];
    struct path_comp comp[PATH_DEPTH_MAX];
};

/*
 * Parses the len characters at s, relative to /local/domain/<domid>. Special
 * paths ("@...") are refused unless `special`. 0, or -EINVAL.
 */
int path_parse(struct path *p, const char *s, size_t len, unsigned int domid,
               bool special);

/* Length of the path's first n components, as a string with its slash. */
static inline size_t path_prefix_len(const struct path *p, unsigned int n)
{
    return n ? (size_t)p->comp[n - 1].off + p->comp[n - 1].len : 1;
}

/* Shortens the path to its first n components. */
void path_cut(struct path *p, unsigned int n);

/*
 * Where the part after "/local/domain/<number>/" begins in an absolute path,
 * or 0.
 */
size_t path_domain_prefix(const char *s, size_t len);

#endif
