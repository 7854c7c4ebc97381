/*
 * The store: two connections to it.
 *
 * One is libxenstore's, for watches, whose events its own thread reads and
 * announces on a pipe. The other is for requests, which need not wait for each
 * other there (xs_pipeline.h). The daemon handles its connections in order, so
 * a request made after an event sees what caused it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include <event2/event.h>

#include "buckets.h"
#include "store.h"
#include "xen_compat.h"
#include "xs_pipeline.h"

#define FETCHED_MAX 16

/* A node that was read ahead; value NULL: error says why. */
struct fetched {
    char *path, *value;
    int error;
};

struct store {
    struct xs_pipeline *requests;
    struct xs_handle *watches;
    struct fetched fetched[FETCHED_MAX];
    unsigned int nr_fetched;
    int write_error; /* of writes that nobody waited for */
    struct event *readable, *gone;
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

static void forget_fetched(struct store *s)
{
    for (unsigned int i = 0; i < s->nr_fetched; i++) {
        free(s->fetched[i].path);
        free(s->fetched[i].value);
    }
    s->nr_fetched = 0;
}

static void store_readable(evutil_socket_t fd, short what, void *arg)
{
    struct store *s = arg;
    char **event;

    (void)fd;
    (void)what;
    while ((event = xs_check_watch(s->watches)) != NULL) {
        struct store_watch *w = watch_find(s, event[XS_WATCH_TOKEN]);

        forget_fetched(s);
        if (w)
            w->fn(w->arg, event[XS_WATCH_PATH]);
        free(event);
    }
    if (errno != EAGAIN)
        event_active(s->gone, 0, 0);
}

static void store_gone(evutil_socket_t fd, short what, void *arg)
{
    struct store *s = arg;

    (void)fd;
    (void)what;
    event_del(s->readable);
    if (s->lost)
        s->lost(s->lost_arg);
    s->lost = NULL;
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
    err = xs_pipeline_open(&s->requests);
    if (err)
        goto fail;
    errno = EIO;
    s->watches = xs_open(0);
    err = -errno;
    if (!s->watches)
        goto fail;
    err = -ENOMEM;
    s->readable = event_new(base, xs_fileno(s->watches), EV_READ | EV_PERSIST,
                            store_readable, s);
    s->gone = event_new(base, -1, 0, store_gone, s);
    if (!s->gone || !s->readable || event_add(s->readable, NULL))
        goto fail;
    *out = s;
    return 0;
fail:
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
    if (s->gone)
        event_free(s->gone);
    if (s->watches)
        xs_close(s->watches);
    xs_pipeline_close(s->requests);
    forget_fetched(s);
    free(s);
}

/* dir/node in buf; -ENAMETOOLONG. */
static int join(char *buf, size_t n, const char *dir, const char *node)
{
    int len = snprintf(buf, n, "%s/%s", dir, node);

    return len < 0 || (size_t)len >= n ? -ENAMETOOLONG : 0;
}

/* ---- reading ---- */

/* Whoever uses a store that is gone learns it from the loop. */
static void check(struct store *s)
{
    if (xs_pipeline_broken(s->requests) && s->gone)
        event_active(s->gone, 0, 0);
}

static int run(struct store *s)
{
    int err = xs_pipeline_run(s->requests);

    check(s);
    return err;
}

/* Sends the writes that wait, so that no answer is mixed up with theirs. */
static void settle(struct store *s)
{
    int err = run(s);

    if (!s->write_error)
        s->write_error = err;
}

/* Takes what was read ahead; false: nothing was. */
static bool take_fetched(struct store *s, const char *path, char **value)
{
    for (unsigned int i = 0; i < s->nr_fetched; i++) {
        struct fetched *f = &s->fetched[i];

        if (strcmp(f->path, path))
            continue;
        *value = f->value;
        errno = f->error;
        free(f->path);
        *f = s->fetched[--s->nr_fetched];
        return true;
    }
    return false;
}

char *store_read(struct store *s, const char *dir, const char *node)
{
    char path[XENSTORE_ABS_PATH_MAX + 1], *value;
    const char *answer;

    if (join(path, sizeof(path), dir, node)) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    if (take_fetched(s, path, &value))
        return value;
    settle(s);
    answer = xs_pipeline_ask(s->requests, XS_READ, path, NULL, 0);
    if (answer)
        return strdup(answer);
    check(s);
    return NULL;
}

void store_read_ahead(struct store *s, const char *dir,
                      const char *const nodes[])
{
    char path[XENSTORE_ABS_PATH_MAX + 1];
    unsigned int n = 0;
    size_t len;

    forget_fetched(s);
    settle(s);
    for (; nodes[n] && n < FETCHED_MAX; n++) {
        struct fetched *f = &s->fetched[n];

        if (join(path, sizeof(path), dir, nodes[n]))
            break;
        f->path = strdup(path);
        f->value = NULL;
        if (!f->path)
            break;
        s->nr_fetched++;
        if (xs_pipeline_add(s->requests, XS_READ, 0, path, NULL, 0) != (int)n)
            break;
    }
    run(s);
    for (unsigned int i = 0; i < s->nr_fetched; i++) {
        const char *answer = xs_pipeline_answer(s->requests, i, &len);

        s->fetched[i].value = answer ? strdup(answer) : NULL;
        s->fetched[i].error = errno;
    }
    /* What could not be asked for is asked for when it is read. */
    if (nodes[n] && n < FETCHED_MAX)
        forget_fetched(s);
}

/* The names of a list, as pointers and then their text. */
static char **cut_names(const char *list, size_t len, unsigned int *n)
{
    unsigned int count = 0, i = 0;
    char **names, *text;

    for (size_t at = 0; at < len; at++)
        count += list[at] == '\0';
    names = malloc(count * sizeof(*names) + len + 1);
    if (!names)
        return NULL;
    text = memcpy(names + count, list, len + 1);
    for (char *at = text; i < count; at += strlen(at) + 1)
        names[i++] = at;
    *n = count;
    return names;
}

char **store_list(struct store *s, const char *path, unsigned int *n)
{
    char *list, **names;
    size_t len;

    settle(s);
    list = xs_pipeline_list(s->requests, path, &len);
    check(s);
    if (!list)
        return NULL;
    names = cut_names(list, len, n);
    free(list);
    return names;
}

/* ---- writing ---- */

/* The first error stays until somebody asks. */
static void queue_write(struct store *s, const char *dir, const char *node,
                        const char *fmt, va_list ap)
{
    char path[XENSTORE_ABS_PATH_MAX + 1], value[1024];
    int len = vsnprintf(value, sizeof(value), fmt, ap), err = -E2BIG;

    forget_fetched(s);
    if (len >= 0 && (size_t)len < sizeof(value))
        err = join(path, sizeof(path), dir, node);
    if (!err)
        xs_pipeline_add(s->requests, XS_WRITE, 0, path, value, (size_t)len);
    else if (!s->write_error)
        s->write_error = err;
}

void store_write_soon(struct store *s, const char *dir, const char *node,
                      const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    queue_write(s, dir, node, fmt, ap);
    va_end(ap);
}

int store_write(struct store *s, const char *dir, const char *node,
                const char *fmt, ...)
{
    va_list ap;
    int err;

    va_start(ap, fmt);
    queue_write(s, dir, node, fmt, ap);
    va_end(ap);
    settle(s);
    err = s->write_error;
    s->write_error = 0;
    return err;
}

/* ---- watches ---- */

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
