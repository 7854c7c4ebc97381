/*
 * The store through Debian's libxenstore.
 *
 * Two connections: one for watches, whose events libxenstore's own thread
 * reads and announces on a pipe, and one for requests, which therefore needs no
 * thread and answers without a switch between two. The daemon handles its
 * connections in order, so a request made after an event sees what caused it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include <event2/event.h>

#include "buckets.h"
#include "store.h"
#include "xen_compat.h"

struct store {
    struct xs_handle *requests, *watches;
    struct event *readable;
    struct buckets watched; /* by token */
    unsigned long next_token;
    void (*lost)(void *arg);
    void *lost_arg;
};

/*
 * The token names the watch by a number that is never used again, because
 * events of a removed watch may still be on their way.
 */
struct store_watch {
    struct list link;
    char *path;
    unsigned long number;
    char token[24]; /* the number */
    store_watch_fn *fn;
    void *arg;
};

static struct store_watch *watch_find(struct store *s, const char *token)
{
    unsigned long number = strtoul(token, NULL, 10);
    struct list *pos, *list = bucket(&s->watched, (uint32_t)number);

    list_for_each(pos, list) {
        struct store_watch *w = container_of(pos, struct store_watch, link);

        if (w->number == number)
            return w;
    }
    return NULL;
}

static void store_readable(evutil_socket_t fd, short what, void *arg)
{
    struct store *s = arg;
    char **event;

    (void)fd;
    (void)what;
    while ((event = xs_check_watch(s->watches)) != NULL) {
        struct store_watch *w = watch_find(s, event[XS_WATCH_TOKEN]);

        if (w)
            w->fn(w->arg, event[XS_WATCH_PATH]);
        free(event);
    }
    if (errno != EAGAIN && s->lost) {
        event_del(s->readable);
        s->lost(s->lost_arg);
    }
}

int store_open(struct event_base *base, void (*lost)(void *arg), void *arg,
               struct store **out)
{
    struct store *s = calloc(1, sizeof(*s));
    int err;

    if (!s)
        return -ENOMEM;
    buckets_init(&s->watched);
    s->lost = lost;
    s->lost_arg = arg;
    errno = EIO;
    s->requests = xs_open(0);
    s->watches = s->requests ? xs_open(0) : NULL;
    if (!s->watches)
        goto fail;
    errno = ENOMEM;
    s->readable = event_new(base, xs_fileno(s->watches), EV_READ | EV_PERSIST,
                            store_readable, s);
    if (!s->readable || event_add(s->readable, NULL))
        goto fail;
    *out = s;
    return 0;
fail:
    err = errno ? -errno : -EIO;
    store_close(s);
    return err;
}

void store_close(struct store *s)
{
    struct list *pos, *tmp;

    if (!s)
        return;
    for (uint32_t key = 0; key < BUCKETS; key++)
        list_for_each_safe(pos, tmp, bucket(&s->watched, key))
            store_unwatch(s, container_of(pos, struct store_watch, link));
    if (s->readable)
        event_free(s->readable);
    xs_close(s->watches);
    xs_close(s->requests);
    free(s);
}

/* dir/node in buf; -ENAMETOOLONG. node may be NULL: the directory itself. */
static int join(char *buf, size_t n, const char *dir, const char *node)
{
    int len = snprintf(buf, n, node ? "%s/%s" : "%s", dir, node);

    return len < 0 || (size_t)len >= n ? -ENAMETOOLONG : 0;
}

char *store_read(struct store *s, const char *dir, const char *node)
{
    char path[XENSTORE_ABS_PATH_MAX + 1];
    unsigned int len;

    if (join(path, sizeof(path), dir, node)) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return xs_read(s->requests, XBT_NULL, path, &len);
}

int store_write(struct store *s, const char *dir, const char *node,
                const char *fmt, ...)
{
    char path[XENSTORE_ABS_PATH_MAX + 1], value[1024];
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= sizeof(value))
        return -E2BIG;
    if (join(path, sizeof(path), dir, node))
        return -ENAMETOOLONG;
    if (!xs_write(s->requests, XBT_NULL, path, value, len))
        return -errno;
    return 0;
}

bool store_exists(struct store *s, const char *path)
{
    unsigned int len;
    void *value = xs_read(s->requests, XBT_NULL, path, &len);

    free(value);
    return value != NULL;
}

int store_rm(struct store *s, const char *dir, const char *node)
{
    char path[XENSTORE_ABS_PATH_MAX + 1];

    if (join(path, sizeof(path), dir, node))
        return -ENAMETOOLONG;
    if (!xs_rm(s->requests, XBT_NULL, path) && errno != ENOENT)
        return -errno;
    return 0;
}

char **store_list(struct store *s, const char *path, unsigned int *n)
{
    return xs_directory(s->requests, XBT_NULL, path, n);
}

struct store_watch *store_watch(struct store *s, const char *path,
                                store_watch_fn *fn, void *arg)
{
    struct store_watch *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->fn = fn;
    w->arg = arg;
    w->path = strdup(path);
    w->number = ++s->next_token;
    snprintf(w->token, sizeof(w->token), "%lu", w->number);
    if (!w->path || !xs_watch(s->watches, path, w->token)) {
        free(w->path);
        free(w);
        return NULL;
    }
    list_add_tail(bucket(&s->watched, (uint32_t)w->number), &w->link);
    return w;
}

void store_unwatch(struct store *s, struct store_watch *w)
{
    if (!w)
        return;
    xs_unwatch(s->watches, w->path, w->token);
    list_del(&w->link);
    free(w->path);
    free(w);
}
