/*
 * See grant_pool.h.
 *
 * A hash table by reference over all persistent pages; those without users are
 * also on a list, least recently used first. Mapping and unmapping go to the
 * hypervisor in batches of BATCH.
 */
#include <errno.h>
#include <stdlib.h>

#include "grant_pool.h"
#include "ringside/client.h"

#define BUCKETS 256
#define BATCH   256

struct grant_pool {
    struct rs_client *client;
    domid_t domid;
    bool persistent;
    unsigned int max, mapped;
    uint64_t total;
    struct list link; /* pools */
    struct list idle;
    struct grant_page *bucket[BUCKETS];
};

/* Of a batch under way. There is one thread. */
static struct rs_client_mapping maps[BATCH];

/* All of this process, and what they have mapped together. */
static struct list pools = { &pools, &pools };
static unsigned int n_pools, handles;
unsigned int grant_pool_handles_ = 49152;

static struct grant_page **bucket_of(struct grant_pool *pool, grant_ref_t ref)
{
    return &pool->bucket[ref % BUCKETS];
}

int grant_pool_new(struct rs_client *client, domid_t domid, bool persistent,
                   unsigned int max, struct grant_pool **out)
{
    struct grant_pool *pool = calloc(1, sizeof(*pool));

    if (!pool)
        return -ENOMEM;
    pool->client = client;
    pool->domid = domid;
    pool->persistent = persistent;
    pool->max = persistent ? max : 0;
    list_init(&pool->idle);
    list_add_tail(&pools, &pool->link);
    n_pools++;
    *out = pool;
    return 0;
}

static void unhash(struct grant_pool *pool, struct grant_page *page)
{
    struct grant_page **p = bucket_of(pool, page->ref);

    while (*p && *p != page)
        p = &(*p)->hash_next;
    if (*p)
        *p = page->hash_next;
}

/* Unmaps idle pages, least recently used first, until at most `keep` stay. */
static void shrink(struct grant_pool *pool, unsigned int keep)
{
    while (pool->mapped > keep && !list_empty(&pool->idle)) {
        unsigned int n = 0;

        while (n < BATCH && pool->mapped > keep && !list_empty(&pool->idle)) {
            struct grant_page *page =
                container_of(pool->idle.next, struct grant_page, link);

            maps[n++] = (struct rs_client_mapping){
                .addr = page->addr,
                .domid = pool->domid,
                .ref = page->ref,
                .handle = page->handle,
                .status = GNTST_okay,
            };
            list_del(&page->link);
            unhash(pool, page);
            free(page);
            pool->mapped--;
            handles--;
        }
        rs_client_unmap_grants(pool->client, maps, n);
    }
}

void grant_pool_free(struct grant_pool *pool)
{
    if (!pool)
        return;
    shrink(pool, 0);
    list_del(&pool->link);
    n_pools--;
    free(pool);
}

unsigned int grant_pool_share(void)
{
    return grant_pool_handles_ / (n_pools ? n_pools : 1);
}

/* Of those with idle pages, the pool that has most; NULL. */
static struct grant_pool *largest(void)
{
    struct grant_pool *best = NULL;
    struct list *pos;

    list_for_each(pos, &pools) {
        struct grant_pool *p = container_of(pos, struct grant_pool, link);

        if (!list_empty(&p->idle) && (!best || p->mapped > best->mapped))
            best = p;
    }
    return best;
}

/* Sees to it that n handles are free; false if they are all in use. */
static bool make_room(unsigned int n)
{
    while (handles + n > grant_pool_handles_) {
        struct grant_pool *victim = largest();

        if (!victim)
            return false;
        shrink(victim, victim->mapped > BATCH ? victim->mapped - BATCH : 0);
    }
    return true;
}

/* A page that will do: there may be one to read and one to write. */
static struct grant_page *find(struct grant_pool *pool, grant_ref_t ref,
                               bool read_only)
{
    struct grant_page *page = pool->persistent ? *bucket_of(pool, ref) : NULL;

    while (page && (page->ref != ref || (page->read_only && !read_only)))
        page = page->hash_next;
    return page;
}

static struct grant_page *add(struct grant_pool *pool,
                              const struct rs_client_mapping *map,
                              bool read_only)
{
    struct grant_page *page = calloc(1, sizeof(*page));

    if (!page)
        return NULL;
    page->addr = map->addr;
    page->ref = map->ref;
    page->handle = map->handle;
    page->read_only = read_only;
    if (pool->persistent) {
        struct grant_page **head = bucket_of(pool, page->ref);

        page->hash_next = *head;
        *head = page;
    }
    list_add_tail(&pool->idle, &page->link);
    pool->mapped++;
    pool->total++;
    handles++;
    return page;
}

/*
 * Tries those of the batch again that could not be mapped for writing: a
 * frontend need not grant more than is done with a page.
 */
static void map_to_read(struct grant_pool *pool, const grant_ref_t *refs,
                        unsigned int n, bool *only_read)
{
    static struct rs_client_mapping again[BATCH];
    grant_ref_t failed[BATCH];
    unsigned int at[BATCH], k = 0;

    for (unsigned int i = 0; i < n; i++) {
        if (maps[i].status == GNTST_okay)
            continue;
        failed[k] = refs[i];
        at[k++] = i;
    }
    if (!k || rs_client_map_grants(pool->client, pool->domid, failed, k, true,
                                   again) < 0)
        return;
    for (unsigned int i = 0; i < k; i++) {
        maps[at[i]] = again[i];
        only_read[at[i]] = true;
    }
}

/* Maps refs[0..n-1], n <= BATCH, into idle pages; all or nothing. */
static int map_batch(struct grant_pool *pool, const grant_ref_t *refs,
                     unsigned int n, bool read_only, struct grant_page **out)
{
    bool no_space = false, only_read[BATCH] = { false };
    unsigned int n_ok = 0;
    int err;

    if (!make_room(n))
        return -EAGAIN;
    err = rs_client_map_grants(pool->client, pool->domid, refs, n,
                               read_only && !pool->persistent, maps);
    if (err < 0)
        return err;
    if (read_only && pool->persistent)
        map_to_read(pool, refs, n, only_read);
    for (unsigned int i = 0; i < n; i++) {
        no_space |= maps[i].status == GNTST_no_space;
        if (maps[i].status == GNTST_okay)
            maps[n_ok++] = maps[i];
    }
    if (n_ok < n) {
        rs_client_unmap_grants(pool->client, maps, n_ok);
        return no_space ? -EAGAIN : -EFAULT;
    }
    for (unsigned int i = 0; i < n; i++) {
        out[i] = add(pool, &maps[i], only_read[i]);
        if (!out[i]) {
            rs_client_unmap_grants(pool->client, maps + i, n - i);
            return -ENOMEM; /* those before i are idle pages now */
        }
    }
    return 0;
}

static void use(struct grant_page *page)
{
    page->users++;
    list_del(&page->link);
}

static bool contains(const grant_ref_t *refs, unsigned int n, grant_ref_t ref)
{
    for (unsigned int i = 0; i < n; i++) {
        if (refs[i] == ref)
            return true;
    }
    return false;
}

/* As grant_pool_get(), for n <= BATCH. */
static int get_some(struct grant_pool *pool, const grant_ref_t *refs,
                    unsigned int n, bool read_only, struct grant_page **out)
{
    struct grant_page *fresh[BATCH];
    grant_ref_t missing[BATCH];
    unsigned int n_missing = 0, k = 0;
    int err;

    for (unsigned int i = 0; i < n; i++) {
        out[i] = find(pool, refs[i], read_only);
        if (out[i])
            use(out[i]);
        else if (!pool->persistent || !contains(missing, n_missing, refs[i]))
            missing[n_missing++] = refs[i];
    }
    if (!n_missing)
        return 0;
    err = map_batch(pool, missing, n_missing, read_only, fresh);
    for (unsigned int i = 0; i < n; i++) {
        if (!err && !out[i]) {
            out[i] =
                pool->persistent ? find(pool, refs[i], read_only) : fresh[k++];
            use(out[i]);
        } else if (err && out[i]) {
            grant_pool_put(pool, &out[i], 1);
        }
    }
    return err;
}

int grant_pool_get(struct grant_pool *pool, const grant_ref_t *refs,
                   unsigned int n, bool read_only, struct grant_page **out)
{
    for (unsigned int i = 0; i < n; i += BATCH) {
        unsigned int some = n - i < BATCH ? n - i : BATCH;
        int err = get_some(pool, refs + i, some, read_only, out + i);

        if (err) {
            grant_pool_put(pool, out, i);
            return err;
        }
    }
    return 0;
}

void grant_pool_put(struct grant_pool *pool, struct grant_page **pages,
                    unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        if (--pages[i]->users == 0)
            list_add_tail(&pool->idle, &pages[i]->link);
    }
    if (pool->mapped > pool->max)
        shrink(pool, pool->max);
}

unsigned int grant_pool_mapped(const struct grant_pool *pool)
{
    return pool->mapped;
}

uint64_t grant_pool_total(const struct grant_pool *pool)
{
    return pool->total;
}
