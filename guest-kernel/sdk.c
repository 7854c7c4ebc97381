/*
 * <ringside/guest.h> on top of the kernel's rooms: handles instead of embedded
 * structures, timeouts instead of deadlines.
 */
#include <errno.h>
#include <ringside/guest.h>
#include <stdlib.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/events.h"
#include "guest-kernel/grants.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/smp.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/xenbus.h"

_Static_assert(RS_PAGE_SIZE == PAGE_SIZE, "page size");
_Static_assert(RS_DOMID_SELF == DOMID_SELF, "DOMID_SELF");
_Static_assert(sizeof(uint32_t) == sizeof(grant_ref_t), "references");

struct rs_mutex {
    struct mutex mutex;
};

struct rs_semaphore {
    struct semaphore semaphore;
};

struct rs_event {
    evtchn_port_t port;
    bool pending;
    struct wait_queue queue;
};

struct rs_mapping {
    struct grant_map map;
};

struct rs_watch {
    struct xenbus_watch watch;
    void (*fn)(void *arg, const char *path);
    void *arg;
};

uint64_t rs_now(void)
{
    return clock_now();
}

void rs_sleep(uint64_t ns)
{
    thread_sleep(ns);
}

struct rs_thread *rs_thread_create(const char *name, void (*fn)(void *arg),
                                   void *arg, size_t stack_bytes)
{
    return (struct rs_thread *)thread_create_program(name, fn, arg,
                                                     stack_bytes);
}

void rs_thread_join(struct rs_thread *t)
{
    thread_join((struct thread *)t);
}

void rs_thread_detach(struct rs_thread *t)
{
    thread_detach((struct thread *)t);
}

void rs_thread_yield(void)
{
    thread_yield();
}

unsigned int rs_vcpus_online(void)
{
    return smp_online();
}

unsigned int rs_vcpu(void)
{
    return this_vcpu()->id;
}

struct rs_mutex *rs_mutex_new(void)
{
    struct rs_mutex *m = malloc(sizeof(*m));

    if (m)
        mutex_init(&m->mutex);
    return m;
}

void rs_mutex_free(struct rs_mutex *m)
{
    free(m);
}

void rs_mutex_lock(struct rs_mutex *m)
{
    mutex_lock(&m->mutex);
}

void rs_mutex_unlock(struct rs_mutex *m)
{
    mutex_unlock(&m->mutex);
}

struct rs_semaphore *rs_semaphore_new(unsigned int count)
{
    struct rs_semaphore *s = malloc(sizeof(*s));

    if (s)
        semaphore_init(&s->semaphore, count);
    return s;
}

void rs_semaphore_free(struct rs_semaphore *s)
{
    free(s);
}

int rs_semaphore_down(struct rs_semaphore *s, uint64_t timeout)
{
    return semaphore_down(&s->semaphore, clock_deadline(timeout));
}

void rs_semaphore_up(struct rs_semaphore *s)
{
    semaphore_up(&s->semaphore);
}

void *rs_pages_alloc(size_t n)
{
    IN_KERNEL();
    return pages_alloc_zeroed(n);
}

void rs_pages_free(void *addr, size_t n)
{
    IN_KERNEL();
    pages_free(addr, n);
}

static void event_came(evtchn_port_t port, void *arg)
{
    struct rs_event *e = arg;

    (void)port;
    e->pending = true;
    wait_queue_wake_all(&e->queue);
}

static struct rs_event *event_new(void)
{
    struct rs_event *e = calloc(1, sizeof(*e));

    if (e)
        wait_queue_init(&e->queue);
    return e;
}

/* Keeps the new event, or frees it when it could not be bound. */
static int event_result(int err, struct rs_event *e, struct rs_event **out)
{
    if (err)
        free(e);
    else
        *out = e;
    return err;
}

int rs_event_listen(unsigned int domid, struct rs_event **out)
{
    IN_KERNEL();
    struct rs_event *e = event_new();
    int err;

    if (!e)
        return -ENOMEM;
    err = event_alloc_unbound((domid_t)domid, event_came, e, &e->port);
    return event_result(err, e, out);
}

int rs_event_connect(unsigned int domid, uint32_t port, struct rs_event **out)
{
    IN_KERNEL();
    struct rs_event *e = event_new();
    int err;

    if (!e)
        return -ENOMEM;
    err = event_bind_interdomain((domid_t)domid, port, event_came, e, &e->port);
    return event_result(err, e, out);
}

uint32_t rs_event_port(const struct rs_event *e)
{
    return e->port;
}

void rs_event_notify(struct rs_event *e)
{
    event_notify(e->port);
}

int rs_event_wait(struct rs_event *e, uint64_t timeout)
{
    int err = wait_event(&e->queue, e->pending, clock_deadline(timeout));

    if (!err)
        e->pending = false;
    return err;
}

void rs_event_close(struct rs_event *e)
{
    IN_KERNEL();
    event_close(e->port);
    free(e);
}

int rs_grant(unsigned int domid, const void *addr, bool read_only,
             uint32_t *ref)
{
    IN_KERNEL();
    if ((uintptr_t)addr % PAGE_SIZE)
        return -EINVAL;
    return grant_access((domid_t)domid, addr, read_only, ref);
}

int rs_grant_end(uint32_t ref)
{
    IN_KERNEL();
    return grant_end(ref);
}

int rs_grant_read(unsigned int domid, uint32_t ref, unsigned int offset,
                  void *to, unsigned int n)
{
    return grant_copy_from((domid_t)domid, ref, offset, to, n);
}

int rs_grant_write(unsigned int domid, uint32_t ref, unsigned int offset,
                   const void *from, unsigned int n)
{
    return grant_copy_to((domid_t)domid, ref, offset, from, n);
}

int rs_map(unsigned int domid, const uint32_t *refs, unsigned int n,
           bool read_only, struct rs_mapping **out)
{
    IN_KERNEL();
    struct rs_mapping *m = malloc(sizeof(*m));
    int err;

    if (!m)
        return -ENOMEM;
    err = grant_map((domid_t)domid, refs, n, read_only, &m->map);
    if (err)
        free(m);
    else
        *out = m;
    return err;
}

void *rs_map_address(const struct rs_mapping *m)
{
    return m->map.addr;
}

void rs_unmap(struct rs_mapping *m)
{
    IN_KERNEL();
    grant_unmap(&m->map);
    free(m);
}

int rs_store_read(const char *path, char **value)
{
    IN_KERNEL();
    return xenbus_read(XENBUS_NO_TX, path, value, NULL);
}

int rs_store_write(const char *path, const char *value)
{
    IN_KERNEL();
    return xenbus_write(XENBUS_NO_TX, path, value);
}

int rs_store_remove(const char *path)
{
    IN_KERNEL();
    return xenbus_rm(XENBUS_NO_TX, path);
}

int rs_store_list(const char *path, char ***names, size_t *n)
{
    IN_KERNEL();
    return xenbus_ls(XENBUS_NO_TX, path, names, n);
}

static void watch_fired(struct xenbus_watch *watch, const char *path)
{
    struct rs_watch *w = container_of(watch, struct rs_watch, watch);

    w->fn(w->arg, path);
}

int rs_store_watch(const char *path, void (*fn)(void *arg, const char *path),
                   void *arg, struct rs_watch **out)
{
    IN_KERNEL();
    struct rs_watch *w = calloc(1, sizeof(*w));
    int err;

    if (!w)
        return -ENOMEM;
    w->watch.fn = watch_fired;
    w->fn = fn;
    w->arg = arg;
    err = xenbus_watch(&w->watch, path);
    if (err)
        free(w);
    else
        *out = w;
    return err;
}

void rs_store_unwatch(struct rs_watch *w)
{
    IN_KERNEL();
    xenbus_unwatch(&w->watch);
    free(w);
}

void rs_usage(struct rs_usage *out)
{
    *out = (struct rs_usage){
        .pages_free = pages_free_count(),
        .grants = grant_used_count(),
        .events = event_count(),
        .threads = thread_count(),
    };
}
