/* Interned permission lists; see perms.h. */
#include "tree/perms.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define BUCKETS_MIN 1024u

/*
 * There are few lists, one per domain and role, unless guests give each of
 * their nodes another one.
 */
static struct perms *few[BUCKETS_MIN], **perms_table = few;
static uint32_t perms_buckets = BUCKETS_MIN, perms_count;

uint64_t perms_strips;

static struct perms **perms_bucket(uint32_t hash)
{
    return &perms_table[hash & (perms_buckets - 1)];
}

/* If there is no memory the buckets become longer. */
static void perms_rehash(uint32_t buckets)
{
    uint32_t old_buckets = perms_buckets;
    struct perms **old = perms_table, **table = few, *p;

    if (buckets > BUCKETS_MIN)
        table = calloc(buckets, sizeof(*table));
    if (!table)
        return;
    perms_table = table;
    perms_buckets = buckets;
    for (uint32_t i = 0; i < old_buckets; i++) {
        while ((p = old[i])) {
            old[i] = p->next;
            p->next = *perms_bucket(p->hash);
            *perms_bucket(p->hash) = p;
        }
    }
    if (old != few)
        free(old);
}

struct perms *perms_get(const struct perm *e, unsigned int n)
{
    size_t size = n * sizeof(*e);
    uint32_t hash = hash_bytes(e, size);
    struct perms **head = perms_bucket(hash), *p;

    assert(n >= 1 && n <= PERMS_MAX); /* entry 0 is the owner */
    for (p = *head; p; p = p->next)
        if (p->hash == hash && p->n == n && !memcmp(p->e, e, size))
            return perms_ref(p);
    p = malloc(sizeof(*p) + size);
    if (!p)
        return NULL;
    p->refs = 1;
    p->hash = hash;
    p->n = (uint16_t)n;
    p->stripped = false;
    memcpy(p->e, e, size);
    p->next = *head;
    *head = p;
    if (++perms_count > perms_buckets)
        perms_rehash(4 * perms_buckets);
    return p;
}

struct perms *perms_ref(struct perms *p)
{
    assert(p->refs);
    p->refs++;
    return p;
}

void perms_unref(struct perms *p)
{
    struct perms **at;

    assert(!p || p->refs);
    if (!p || --p->refs)
        return;
    for (at = perms_bucket(p->hash); *at != p; at = &(*at)->next)
        assert(*at); /* every list is in the table */
    *at = p->next;
    free(p);
    if (--perms_count < BUCKETS_MIN / 4 && perms_table != few)
        perms_rehash(BUCKETS_MIN);
}

struct perms *perms_with_owner(struct perms *p, unsigned int domid)
{
    struct perm e[PERMS_MAX];

    if (perms_owner(p) == domid)
        return perms_ref(p);
    memcpy(e, p->e, p->n * sizeof(*e));
    e[0].domid = (uint16_t)domid;
    return perms_get(e, p->n);
}

/* Two lists can become equal when a domain is stripped from one of them. */
bool perms_equal(const struct perms *a, const struct perms *b)
{
    return a == b ||
           (a->n == b->n && !memcmp(a->e, b->e, a->n * sizeof(a->e[0])));
}

static bool perm_is_for(const struct perm *e, unsigned int domid, int target)
{
    return e->domid == domid || (target >= 0 && e->domid == target) ||
           e->domid == PERM_ANY_DOMID;
}

unsigned int perms_rights(const struct perms *p, unsigned int domid, int target)
{
    if (p->e[0].domid == domid || (target >= 0 && p->e[0].domid == target))
        return PERM_READ | PERM_WRITE | PERM_OWNER;
    for (unsigned int i = 1; i < p->n; i++)
        if (!(p->e[i].bits & PERM_INACTIVE) &&
            perm_is_for(&p->e[i], domid, target))
            return p->e[i].bits & (PERM_READ | PERM_WRITE);
    return p->e[0].bits & (PERM_READ | PERM_WRITE);
}

static void perms_strip_one(struct perms *p, unsigned int domid)
{
    unsigned int n = 1;

    for (unsigned int i = 1; i < p->n; i++)
        if (p->e[i].domid != domid)
            p->e[n++] = p->e[i];
    p->n = (uint16_t)n;
    p->stripped = true;
}

static bool perms_name(const struct perms *p, unsigned int domid)
{
    for (unsigned int i = 1; i < p->n; i++)
        if (p->e[i].domid == domid)
            return true;
    return false;
}

void perms_strip(unsigned int domid)
{
    struct perms *changed = NULL, *p, **at;

    for (unsigned int i = 0; i < perms_buckets; i++) {
        for (at = &perms_table[i]; (p = *at);) {
            if (!perms_name(p, domid)) {
                at = &p->next;
                continue;
            }
            *at = p->next;
            p->next = changed;
            changed = p;
        }
    }
    perms_strips += changed != NULL;
    while ((p = changed)) {
        changed = p->next;
        perms_strip_one(p, domid);
        p->hash = hash_bytes(p->e, p->n * sizeof(p->e[0]));
        at = perms_bucket(p->hash);
        p->next = *at;
        *at = p;
    }
}

void perms_settle(void)
{
    for (unsigned int i = 0; i < perms_buckets; i++)
        for (struct perms *p = perms_table[i]; p; p = p->next)
            p->stripped = false;
}

int perm_parse(const char *s, size_t len, struct perm *e)
{
    static const char letters[] = "nrwb"; /* bits 0, READ, WRITE, both */
    const char *l = len > 1 ? memchr(letters, s[0], 4) : NULL;
    unsigned int id = 0;

    if (!l)
        return -EINVAL;
    for (size_t i = 1; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -EINVAL;
        id = id * 10 + (unsigned int)(s[i] - '0');
        if (id > UINT16_MAX)
            return -ERANGE;
    }
    e->domid = (uint16_t)id;
    e->bits = (uint16_t)(l - letters);
    return 0;
}

size_t perm_format(const struct perm *e, char out[PERM_STR_MAX])
{
    char letter = "nrwb"[e->bits & (PERM_READ | PERM_WRITE)];

    return (size_t)snprintf(out, PERM_STR_MAX, "%c%u", letter, e->domid) + 1;
}
