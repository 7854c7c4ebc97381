/*
 * Permission lists, interned: nodes with equal lists share one object.
 *
 * Entry 0 is the owner and the rights of everybody who has no entry of his
 * own; the rest are domains in order. An entry whose domain did not exist when
 * the list was set is inactive (it is shown, but matches nobody), and remains
 * so when that number is used again.
 *
 * Lists are immutable but for one thing: the death of a domain strips it from
 * every list at once, which is why stripping costs no walk through the tree
 * and reaches the snapshots of open transactions too.
 */
#ifndef XS_PERMS_H
#define XS_PERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PERM_READ      1
#define PERM_WRITE     2
#define PERM_INACTIVE  4
#define PERM_OWNER     8      /* never in a list: asked of perms_allow() */
#define PERM_ANY_DOMID 0x7ff5 /* DOMID_ANY: an entry that matches everybody */
#define PERMS_MAX      2048   /* more do not fit a message */
#define PERM_STR_MAX   8      /* "b65535" and its NUL */

struct perm {
    uint16_t domid;
    uint16_t bits;
};

struct perms {
    uint32_t refs;
    uint32_t hash;
    struct perms *next; /* in the table of all lists */
    uint16_t n;
    bool stripped; /* since perms_settle() */
    struct perm e[];
};

/* The one list with these entries, with a reference; NULL: no memory. */
struct perms *perms_get(const struct perm *e, unsigned int n);
struct perms *perms_ref(struct perms *p);
void perms_unref(struct perms *p);

/* `p` with its owner replaced. */
struct perms *perms_with_owner(struct perms *p, unsigned int domid);

bool perms_equal(const struct perms *a, const struct perms *b);

static inline unsigned int perms_owner(const struct perms *p)
{
    return p->e[0].domid;
}

/*
 * The rights (PERM_READ, _WRITE, _OWNER) of an unprivileged domain; `target`
 * is the domain whose rights it has too, or -1.
 */
unsigned int perms_rights(const struct perms *p, unsigned int domid,
                          int target);

/* Removes a dead domain's entries from every list that exists. */
void perms_strip(unsigned int domid);
/*
 * How often lists were stripped, for db.c, which saves lists. perms_settle()
 * clears `stripped` of all lists, when they are saved.
 */
extern uint64_t perms_strips;
void perms_settle(void);

/*
 * One "r12" of len characters into *e. 0, -EINVAL, or -ERANGE for a number
 * that is no domain's.
 */
int perm_parse(const char *s, size_t len, struct perm *e);
/* Writes "r12" and a NUL; returns the length with the NUL. */
size_t perm_format(const struct perm *e, char out[PERM_STR_MAX]);

#endif
