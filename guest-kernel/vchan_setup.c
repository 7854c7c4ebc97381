/*
 * How the two ends of a vchan find each other. See vchan.h.
 *
 * The server writes two nodes, which the client alone may read: `ring-ref` (the
 * grant of the first page) and `event-channel`. The first page names the
 * grants of the others. The client trusts none of it: it copies the sizes once,
 * and a channel works with what was copied.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/vchan.h"
#include "guest-kernel/xenbus.h"
#include "guest-kernel/vcpu.h"

/* ---- the end ---- */

static void pages_release(struct vchan_pages *p)
{
    for (unsigned int i = 0; i < p->n; i++)
        grant_end_and_free(p->refs[i], p->addr + i * PAGE_SIZE);
    free(p->refs);
}

static void unmap(struct grant_map *map)
{
    if (map->n)
        grant_unmap(map);
}

/* Channels that are announced, or about to be. */
static struct list announced = LIST_INIT(announced);
static unsigned int withdrawn; /* counts those that are no more */

static bool is_missing(xenbus_tx tx, const char *path)
{
    char *value;
    int err = xenbus_read(tx, path, &value, NULL);

    if (!err)
        free(value);
    return err == -ENOENT;
}

/* How much of a path is there already: up to a '/', or all of it. */
static size_t existing(xenbus_tx tx, const char *path)
{
    char part[XENBUS_PATH_MAX];
    size_t n = 0, end;

    while (path[n]) {
        end = n + 1 + strcspn(path + n + 1, "/");
        if (end >= sizeof(part))
            break;
        snprintf(part, sizeof(part), "%.*s", (int)end, path);
        if (is_missing(tx, part))
            break;
        n = end;
    }
    return n;
}

static int remove_in(xenbus_tx tx, const char *dir)
{
    char **names;
    size_t n;
    int err = xenbus_ls(tx, dir, &names, &n);

    if (err)
        return err;
    free(names);
    return n ? -ENOTEMPTY : xenbus_rm(tx, dir);
}

/* A directory in which nobody puts anything meanwhile. */
static int remove_empty(const char *dir)
{
    xenbus_tx tx;
    int err;

    do {
        err = xenbus_begin(&tx);
        if (err)
            return err;
        err = remove_in(tx, dir);
        if (err)
            xenbus_end(tx, false);
        else
            err = xenbus_end(tx, true);
    } while (err == -EAGAIN);
    return err;
}

static size_t kept(const struct rs_vchan *v)
{
    return v->found < v->left_to_us ? v->found : v->left_to_us;
}

/*
 * The first n characters of v's path are a directory that is not empty: those
 * who are in it remove it when they go. False: nobody of ours is in it.
 */
static bool leave_to_others(const struct rs_vchan *v, size_t n)
{
    struct list *pos;
    bool any = false;

    list_for_each(pos, &announced) {
        struct rs_vchan *other = container_of(pos, struct rs_vchan, announced);

        if (other == v || strncmp(other->path, v->path, n) ||
            other->path[n] != '/')
            continue;
        any = true;
        if (other->left_to_us > kept(v))
            other->left_to_us = kept(v);
    }
    return any;
}

/*
 * Removes the directory that the first n characters of v's path name; true: it
 * is gone. Another channel may have gone from it while we looked, without
 * having heard that it is left to it: then we look again.
 */
static bool remove_or_leave(const struct rs_vchan *v, size_t n)
{
    char dir[XENBUS_PATH_MAX];
    unsigned int seen;
    int err;

    snprintf(dir, sizeof(dir), "%.*s", (int)n, v->path);
    do {
        seen = withdrawn;
        err = remove_empty(dir);
    } while (err == -ENOTEMPTY && !leave_to_others(v, n) && seen != withdrawn);
    return !err || err == -ENOENT;
}

/* Removes our nodes, and the empty directories that were made for them. */
static void withdraw(struct rs_vchan *v)
{
    size_t n = strlen(v->path);
    char node[XENBUS_PATH_MAX];

    if (!xenbus_path(node, v->path, "ring-ref"))
        xenbus_rm(XENBUS_NO_TX, node);
    if (!xenbus_path(node, v->path, "event-channel"))
        xenbus_rm(XENBUS_NO_TX, node);
    while (n > kept(v) && n < sizeof(node) && remove_or_leave(v, n)) {
        while (n && v->path[n - 1] != '/')
            n--;
        n = n ? n - 1 : 0;
    }
    /* From the last look at kept() to here no other thread ran. */
    list_del(&v->announced);
    withdrawn++;
}

void vchan_free(struct rs_vchan *v)
{
    if (v->path)
        withdraw(v);
    if (v->port)
        event_close(v->port);
    pages_release(&v->left);
    pages_release(&v->right);
    pages_release(&v->page);
    unmap(&v->left_map);
    unmap(&v->right_map);
    unmap(&v->page_map);
    free(v->path);
    free(v);
}

static struct rs_vchan *vchan_new(unsigned int domid)
{
    struct rs_vchan *v = calloc(1, sizeof(*v));

    if (v) {
        v->peer = (domid_t)domid;
        list_init(&v->announced);
        wait_queue_init(&v->changed);
    }
    return v;
}

/* ---- the server ---- */

/* Makes n zeroed pages that the peer may map; `refs` gets their references. */
static int pages_share(struct vchan_pages *p, domid_t peer, unsigned int n)
{
    int err;

    if (!n)
        return 0;
    p->refs = calloc(n, sizeof(*p->refs));
    p->addr = p->refs ? pages_alloc_zeroed(n) : NULL;
    if (!p->addr)
        return -ENOMEM;
    while (p->n < n) {
        err = grant_access(peer, p->addr + p->n * PAGE_SIZE, false,
                           &p->refs[p->n]);
        if (err) {
            pages_free(p->addr + p->n * PAGE_SIZE, n - p->n);
            return err;
        }
        p->n++;
    }
    return 0;
}

static int server_rings(struct rs_vchan *v, size_t left, size_t right)
{
    unsigned int left_order, right_order;
    struct vchan_interface *page;
    int err = vchan_orders(left, right, &left_order, &right_order);

    if (!err)
        err = pages_share(&v->page, v->peer, 1);
    if (!err)
        err = pages_share(&v->left, v->peer, vchan_pages(left_order));
    if (!err)
        err = pages_share(&v->right, v->peer, vchan_pages(right_order));
    if (err)
        return err;
    page = (struct vchan_interface *)v->page.addr;
    page->left_order = (uint16_t)left_order;
    page->right_order = (uint16_t)right_order;
    page->cli_live = VCHAN_NOT_YET;
    page->srv_live = VCHAN_HERE;
    if (v->left.n)
        memcpy(page->grants, v->left.refs, v->left.n * sizeof(uint32_t));
    if (v->right.n)
        memcpy(page->grants + v->left.n, v->right.refs,
               v->right.n * sizeof(uint32_t));
    vchan_end_init(&v->end, page, true, left_order, right_order, v->left.addr,
                   v->right.addr);
    return 0;
}

/* One node, for us and the peer. */
static int announce_node(xenbus_tx tx, const struct rs_vchan *v,
                         unsigned int self, const char *leaf,
                         unsigned int value)
{
    char node[XENBUS_PATH_MAX];
    int err = xenbus_path(node, v->path, leaf);

    if (!err)
        err = xenbus_printf(tx, node, "%u", value);
    if (!err)
        err = xenbus_share(tx, node, (domid_t)self, v->peer);
    return err;
}

/* What is there is looked up in the transaction: it fails if that changes. */
static int announce_once(struct rs_vchan *v, unsigned int self)
{
    xenbus_tx tx;
    int err = xenbus_begin(&tx);

    if (err)
        return err;
    v->found = existing(tx, v->path);
    err = announce_node(tx, v, self, "ring-ref", v->page.refs[0]);
    if (!err)
        err = announce_node(tx, v, self, "event-channel", v->port);
    if (!err)
        return xenbus_end(tx, true);
    xenbus_end(tx, false);
    return err;
}

/* Both nodes at once, or none. */
static int announce(struct rs_vchan *v)
{
    uint64_t self;
    int err = xenbus_read_uint(XENBUS_NO_TX, "domid", &self);

    if (err)
        return err;
    do
        err = announce_once(v, (unsigned int)self);
    while (err == -EAGAIN);
    return err;
}

int rs_vchan_listen(unsigned int domid, const char *path, size_t read_size,
                    size_t write_size, struct rs_vchan **out)
{
    IN_KERNEL();
    struct rs_vchan *v = vchan_new(domid);
    int err = v ? server_rings(v, read_size, write_size) : -ENOMEM;

    if (!err)
        err = event_alloc_unbound(v->peer, vchan_event, v, &v->port);
    if (!err && !(v->path = strdup(path)))
        err = -ENOMEM;
    if (!err) {
        v->found = v->left_to_us = strlen(path);
        list_add_tail(&announced, &v->announced);
        err = announce(v);
    }
    if (err) {
        if (v)
            vchan_free(v);
        return err;
    }
    vchan_start(v);
    *out = v;
    return 0;
}

/* ---- the client ---- */

/* What the server announced; -ENOENT or -EACCES until it has. */
static int look_up(const char *dir, uint32_t *ref, uint32_t *port)
{
    char node[XENBUS_PATH_MAX];
    uint64_t a, b;
    int err = xenbus_path(node, dir, "ring-ref");

    if (!err)
        err = xenbus_read_uint(XENBUS_NO_TX, node, &a);
    if (!err)
        err = xenbus_path(node, dir, "event-channel");
    if (!err)
        err = xenbus_read_uint(XENBUS_NO_TX, node, &b);
    if (!err && (a > UINT32_MAX || b > UINT32_MAX))
        err = -EINVAL;
    if (err)
        return err;
    *ref = (uint32_t)a;
    *port = (uint32_t)b;
    return 0;
}

static void node_changed(struct xenbus_watch *w, const char *path)
{
    (void)path;
    semaphore_up(w->arg);
}

static int wait_for_server(const char *dir, uint64_t deadline, uint32_t *ref,
                           uint32_t *port)
{
    struct semaphore changed = SEMAPHORE_INIT(changed, 0);
    struct xenbus_watch w = { .fn = node_changed, .arg = &changed };
    int err = xenbus_watch(&w, dir);

    if (err)
        return err;
    do {
        err = semaphore_down(&changed, deadline);
        if (!err)
            err = look_up(dir, ref, port);
    } while (err == -ENOENT || err == -EACCES);
    xenbus_unwatch(&w);
    return err;
}

static int client_map(struct rs_vchan *v, const uint32_t *refs, unsigned int n,
                      struct grant_map *map)
{
    return n ? grant_map(v->peer, refs, n, false, map) : 0;
}

static int client_rings(struct rs_vchan *v, uint32_t ref)
{
    uint32_t refs[2u << (VCHAN_ORDER_MAX - PAGE_SHIFT)];
    struct vchan_interface *page;
    unsigned int left_order, right_order, n;
    int err = client_map(v, &ref, 1, &v->page_map);

    if (err)
        return err;
    page = v->page_map.addr;
    left_order = READ_ONCE(page->left_order);
    right_order = READ_ONCE(page->right_order);
    if (!vchan_orders_valid(left_order, right_order))
        return -EINVAL;
    n = vchan_pages(left_order);
    memcpy(refs, page->grants, (n + vchan_pages(right_order)) * sizeof(*refs));
    err = client_map(v, refs, n, &v->left_map);
    if (!err)
        err = client_map(v, refs + n, vchan_pages(right_order), &v->right_map);
    if (!err)
        vchan_end_init(&v->end, page, false, left_order, right_order,
                       v->left_map.addr, v->right_map.addr);
    return err;
}

static int client_open(unsigned int domid, uint32_t ref, uint32_t port,
                       struct rs_vchan **out)
{
    struct rs_vchan *v = vchan_new(domid);
    int err = v ? client_rings(v, ref) : -ENOMEM;

    if (!err)
        err = event_bind_interdomain(v->peer, port, vchan_event, v, &v->port);
    if (err) {
        if (v)
            vchan_free(v);
        return err;
    }
    WRITE_ONCE(*v->end.live, VCHAN_HERE);
    vchan_start(v);
    event_notify(v->port);
    *out = v;
    return 0;
}

int rs_vchan_connect(unsigned int domid, const char *path, uint64_t timeout,
                     struct rs_vchan **out)
{
    IN_KERNEL();
    char dir[XENBUS_PATH_MAX];
    uint32_t ref, port;
    int n = path[0] == '/' ? snprintf(dir, sizeof(dir), "%s", path)
                           : snprintf(dir, sizeof(dir), "/local/domain/%u/%s",
                                      domid, path);
    int err = (size_t)n < sizeof(dir) ? 0 : -ENAMETOOLONG;

    if (!err)
        err = wait_for_server(dir, clock_deadline(timeout), &ref, &port);
    return err ? err : client_open(domid, ref, port, out);
}
