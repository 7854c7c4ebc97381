/* See fake_host.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "fake_host.h"
#include "hypercall.h"
#include "list.h"

/* ---- hypervisor ---- */

struct fake_host fake;

void fake_host_reset(void)
{
    for (int i = 0; i < FAKE_PORTS; i++) {
        if (fake.rx[i] > 0)
            close(fake.rx[i]);
    }
    free(fake.memory);
    memset(&fake, 0, sizeof(fake));
    fake.memory = aligned_alloc(4096, FAKE_PAGES * 4096);
    memset(fake.memory, 0, FAKE_PAGES * 4096);
}

int rs_client_map_grants(struct rs_client *client, uint16_t domid,
                         const uint32_t *refs, unsigned int n, bool read_only,
                         struct rs_client_mapping *out)
{
    unsigned int ok = 0;

    (void)client;
    fake.map_calls++;
    for (unsigned int i = 0; i < n; i++) {
        bool good = refs[i] < FAKE_PAGES && !fake.denied[refs[i]] &&
                    (read_only || !fake.read_only[refs[i]]);

        out[i] = (struct rs_client_mapping){ .domid = domid, .ref = refs[i] };
        out[i].status = good ? GNTST_okay : GNTST_bad_gntref;
        if (!good)
            continue;
        out[i].addr = fake_page(refs[i]);
        out[i].handle = refs[i];
        fake.mapped[refs[i]]++;
        fake.maps++;
        ok++;
    }
    return (int)ok;
}

int rs_client_unmap_grants(struct rs_client *client,
                           struct rs_client_mapping *maps, unsigned int n)
{
    (void)client;
    fake.unmap_calls++;
    for (unsigned int i = 0; i < n; i++) {
        if (maps[i].ref >= FAKE_PAGES || !fake.mapped[maps[i].ref]) {
            fprintf(stderr, "unmapping %u, which is not mapped\n", maps[i].ref);
            abort();
        }
        fake.mapped[maps[i].ref]--;
        fake.maps--;
    }
    return 0;
}

static long fake_bind(struct evtchn_bind_interdomain *op)
{
    evtchn_port_t port = 1;

    if (fake.bind_error)
        return fake.bind_error;
    while (port < FAKE_PORTS && fake.rx[port])
        port++;
    if (port == FAKE_PORTS)
        return -ENOSPC;
    fake.rx[port] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fake.bound++;
    op->local_port = port;
    return 0;
}

long hypercall_op(unsigned int nr, unsigned int cmd, void *arg, size_t size)
{
    (void)size;
    if (nr != __HYPERVISOR_event_channel_op)
        return -ENOSYS;
    if (cmd == EVTCHNOP_bind_interdomain)
        return fake_bind(arg);
    if (cmd == EVTCHNOP_close) {
        evtchn_port_t port = ((struct evtchn_close *)arg)->port;

        close(fake.rx[port]);
        fake.rx[port] = 0;
        fake.bound--;
        return 0;
    }
    return -ENOSYS;
}

long hypercall_op_n(unsigned int nr, unsigned int cmd, void *arg, size_t size,
                    unsigned int n)
{
    (void)nr;
    (void)cmd;
    (void)arg;
    (void)size;
    (void)n;
    return -ENOSYS;
}

int rs_client_port_fds(const struct rs_client *client, uint32_t port, int *rx,
                       int *tx)
{
    (void)client;
    if (port >= FAKE_PORTS || !fake.rx[port])
        return -ENOENT;
    *rx = fake.rx[port];
    *tx = -1;
    return 0;
}

int rs_client_notify(struct rs_client *client, uint32_t port)
{
    (void)client;
    (void)port;
    fake.notified++;
    return 0;
}

void fake_guest_sends(void)
{
    uint64_t one = 1;

    for (int i = 0; i < FAKE_PORTS; i++) {
        if (fake.rx[i] > 0 && write(fake.rx[i], &one, sizeof(one)) < 0)
            abort();
    }
}

/* ---- store ---- */

struct node {
    struct list link;
    char *path, *value;
};

struct store_watch {
    struct list link;
    struct store *store;
    char *path;
    store_watch_fn *fn;
    void *arg;
};

/* An event on its way; it names its watch, which may be gone by then. */
struct news {
    struct list link;
    struct store_watch *watch;
    char *path;
};

struct store {
    struct list nodes, watches, news;
    struct list
        ahead; /* struct node: read ahead; value NULL: it was not there */
    struct event *deliver;
};

static bool is_below(const char *path, const char *top)
{
    size_t n = strlen(top);

    return !strncmp(path, top, n) && (path[n] == '/' || path[n] == '\0');
}

static void tell(struct store *s, struct store_watch *w, const char *path)
{
    struct news *news = calloc(1, sizeof(*news));

    news->watch = w;
    news->path = strdup(path);
    list_add_tail(&s->news, &news->link);
    event_active(s->deliver, 0, 0);
}

/* A change at path; one that removed it also concerns watches below. */
static void changed(struct store *s, const char *path, bool removed)
{
    struct list *pos;

    list_for_each(pos, &s->watches) {
        struct store_watch *w = container_of(pos, struct store_watch, link);

        if (is_below(path, w->path))
            tell(s, w, path);
        else if (removed && is_below(w->path, path))
            tell(s, w, w->path);
    }
}

static void node_free(struct node *n)
{
    list_del(&n->link);
    free(n->path);
    free(n->value);
    free(n);
}

static void forget_ahead(struct store *s)
{
    while (!list_empty(&s->ahead))
        node_free(container_of(s->ahead.next, struct node, link));
}

static void deliver(evutil_socket_t fd, short what, void *arg)
{
    struct store *s = arg;

    (void)fd;
    (void)what;
    while (!list_empty(&s->news)) {
        struct news *news = container_of(s->news.next, struct news, link);
        struct list *pos;

        list_del(&news->link);
        forget_ahead(s);
        list_for_each(pos, &s->watches) {
            struct store_watch *w = container_of(pos, struct store_watch, link);

            if (w == news->watch) {
                w->fn(w->arg, news->path);
                break;
            }
        }
        free(news->path);
        free(news);
    }
}

struct store *fake_store_new(struct event_base *base)
{
    struct store *s = calloc(1, sizeof(*s));

    list_init(&s->nodes);
    list_init(&s->watches);
    list_init(&s->news);
    list_init(&s->ahead);
    s->deliver = event_new(base, -1, 0, deliver, s);
    return s;
}

void store_close(struct store *s)
{
    forget_ahead(s);
    while (!list_empty(&s->nodes))
        node_free(container_of(s->nodes.next, struct node, link));
    while (!list_empty(&s->watches))
        store_unwatch(s,
                      container_of(s->watches.next, struct store_watch, link));
    while (!list_empty(&s->news)) {
        struct news *news = container_of(s->news.next, struct news, link);

        list_del(&news->link);
        free(news->path);
        free(news);
    }
    event_free(s->deliver);
    free(s);
}

static struct node *find_in(struct list *list, const char *path)
{
    struct list *pos;

    list_for_each(pos, list) {
        struct node *n = container_of(pos, struct node, link);

        if (!strcmp(n->path, path))
            return n;
    }
    return NULL;
}

static struct node *node_find(struct store *s, const char *path)
{
    return find_in(&s->nodes, path);
}

void fake_store_set(struct store *s, const char *path, const char *value)
{
    struct node *n = node_find(s, path);

    if (!n) {
        n = calloc(1, sizeof(*n));
        n->path = strdup(path);
        list_add_tail(&s->nodes, &n->link);
    }
    free(n->value);
    n->value = strdup(value);
    changed(s, path, false);
}

void fake_store_remove(struct store *s, const char *path)
{
    struct list *pos, *tmp;

    list_for_each_safe(pos, tmp, &s->nodes)
    {
        struct node *n = container_of(pos, struct node, link);

        if (is_below(n->path, path))
            node_free(n);
    }
    changed(s, path, true);
}

const char *fake_store_get(struct store *s, const char *path)
{
    struct node *n = node_find(s, path);

    return n ? n->value : NULL;
}

char *store_read(struct store *s, const char *dir, const char *node)
{
    char path[512], *value;
    struct node *n;

    snprintf(path, sizeof(path), "%s/%s", dir, node);
    n = find_in(&s->ahead, path);
    if (n) {
        value = n->value;
        n->value = NULL;
        node_free(n);
    } else {
        n = node_find(s, path);
        value = n ? strdup(n->value) : NULL;
    }
    errno = ENOENT;
    return value;
}

static void vwrite(struct store *s, const char *dir, const char *node,
                   const char *fmt, va_list ap)
{
    char path[512], value[512];

    vsnprintf(value, sizeof(value), fmt, ap);
    snprintf(path, sizeof(path), "%s/%s", dir, node);
    forget_ahead(s);
    fake_store_set(s, path, value);
}

int store_write(struct store *s, const char *dir, const char *node,
                const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vwrite(s, dir, node, fmt, ap);
    va_end(ap);
    return 0;
}

void store_write_soon(struct store *s, const char *dir, const char *node,
                      const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vwrite(s, dir, node, fmt, ap);
    va_end(ap);
}

void store_read_ahead(struct store *s, const char *dir,
                      const char *const nodes[])
{
    char path[512];

    forget_ahead(s);
    for (; *nodes; nodes++) {
        struct node *n = calloc(1, sizeof(*n)), *now;

        snprintf(path, sizeof(path), "%s/%s", dir, *nodes);
        now = node_find(s, path);
        n->path = strdup(path);
        n->value = now ? strdup(now->value) : NULL;
        list_add_tail(&s->ahead, &n->link);
    }
}

/* The names right below path, each once, in one allocation. */
char **store_list(struct store *s, const char *path, unsigned int *n)
{
    char **names = calloc(64, sizeof(*names) + 64);
    char *text = (char *)(names + 64);
    struct list *pos;
    size_t len = strlen(path);

    *n = 0;
    list_for_each(pos, &s->nodes) {
        const char *p = container_of(pos, struct node, link)->path;
        unsigned int i = 0;
        int part;

        if (!is_below(p, path) || p[len] != '/' || *n == 64)
            continue;
        part = (int)strcspn(p + len + 1, "/");
        snprintf(text, 64, "%.*s", part, p + len + 1);
        while (i < *n && strcmp(names[i], text))
            i++;
        if (i == *n) {
            names[(*n)++] = text;
            text += 64;
        }
    }
    return names;
}

struct store_watch *store_watch(struct store *s, const char *path,
                                store_watch_fn *fn, void *arg)
{
    struct store_watch *w = calloc(1, sizeof(*w));

    w->store = s;
    w->path = strdup(path);
    w->fn = fn;
    w->arg = arg;
    list_add_tail(&s->watches, &w->link);
    tell(s, w, path);
    return w;
}

void store_unwatch(struct store *s, struct store_watch *w)
{
    (void)s;
    if (!w)
        return;
    list_del(&w->link);
    free(w->path);
    free(w);
}
