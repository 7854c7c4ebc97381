/* The store: how it begins and ends; see store_life.h. */
#include "serve/store_life.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn/conn.h"
#include "conn/throttle.h"
#include "session/session.h"
#include "store/store.h"
#include "tree/tree.h"

static int store_mkdir(struct store *s, const char *name)
{
    struct perm owner = { 0, 0 };
    struct perms *perms = perms_get(&owner, 1);
    int err =
        perms ? path_parse(&s->path, name, strlen(name), 0, false) : -ENOMEM;

    if (!err)
        err = tree_add(&s->root, &s->path, s->path.depth, NULL, 0, perms);
    perms_unref(perms);
    return err;
}

/* Every domain may see that one has ended, for it may have granted it pages. */
static int store_open_special(struct store *s)
{
    static const struct perm all[] = { { 0, 0 },
                                       { PERM_ANY_DOMID, PERM_READ } };

    s->special[SPECIAL_INTRODUCE] = perms_get(all, 1);
    s->special[SPECIAL_RELEASE] = perms_get(all, 2);
    return s->special[SPECIAL_INTRODUCE] && s->special[SPECIAL_RELEASE]
               ? 0
               : -ENOMEM;
}

static int store_fill(struct store *s)
{
    static const char *const dirs[] = { "/tool", "/tool/xenstored", "/local",
                                        "/local/domain", "/vm" };
    int err = store_open_special(s);

    if (err)
        return err;
    s->root = tree_new(s->special[SPECIAL_INTRODUCE]);
    if (!s->root)
        return -ENOMEM;
    for (size_t i = 0; !err && i < sizeof(dirs) / sizeof(dirs[0]); i++)
        err = store_mkdir(s, dirs[i]);
    return err;
}

struct store *store_new(const struct hv_ops *hv, void *hv_ctx)
{
    struct store *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->hv = hv;
    s->hv_ctx = hv_ctx;
    list_init(&s->conns);
    list_init(&s->domain_list);
    list_init(&s->dirty);
    list_init(&s->ready);
    s->tick_ms = UINT64_MAX;
    quota_defaults(&s->quota);
    throttle_init(s);
    fair_init(&s->fair);
    if (watches_init(&s->watches) || store_fill(s) ||
        domain_get(s, 0, &s->dom0)) {
        store_free(s);
        return NULL;
    }
    s->dom0->introduced = true;
    return s;
}

void store_free(struct store *s)
{
    struct list *pos, *tmp;

    list_for_each_safe(pos, tmp, &s->conns)
        conn_end(container_of(pos, struct conn, entry));
    domains_free(s);
    watches_free(&s->watches);
    fair_free(&s->fair);
    node_unref(s->root);
    while (node_reap(UINT32_MAX))
        ;
    for (int i = 0; i < SPECIAL_COUNT; i++)
        perms_unref(s->special[i]);
    free(s);
}
