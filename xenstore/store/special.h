/*
 * Nodes outside the tree: they have permissions and can be watched, and
 * nothing else. An event on one tells of a domain.
 */
#ifndef XS_SPECIAL_H
#define XS_SPECIAL_H

struct path;

enum special {
    SPECIAL_INTRODUCE, /* "@introduceDomain" */
    SPECIAL_RELEASE,   /* "@releaseDomain" */
    SPECIAL_COUNT
};

extern const char *const special_path[SPECIAL_COUNT];

/* The special node of that path, or -ENOENT. */
int special_find(const struct path *p);

#endif
