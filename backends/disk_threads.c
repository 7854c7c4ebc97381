/*
 * Blocking I/O in a few threads, for machines without io_uring.
 *
 * Two lists under one lock: requests that wait and requests that are done. An
 * eventfd tells the loop about the latter. The threads touch nothing else.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "disk_io.h"
#include "list.h"

#define N_THREADS 4

struct disk_threads {
    struct disk_async async;
    pthread_t thread[N_THREADS];
    unsigned int n_threads;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct disk_io *head, **tail; /* waiting, in order */
    struct disk_io *finished;
    bool stop;
    int fd; /* eventfd: something finished */
    struct event *event;
};

static void *worker(void *arg)
{
    struct disk_threads *t = arg;
    uint64_t one = 1;

    pthread_mutex_lock(&t->lock);
    for (;;) {
        struct disk_io *io = t->head;

        if (!io && t->stop)
            break;
        if (!io) {
            pthread_cond_wait(&t->more, &t->lock);
            continue;
        }
        t->head = io->next;
        if (!t->head)
            t->tail = &t->head;
        pthread_mutex_unlock(&t->lock);
        io->result = disk_io_run(io, 0);
        pthread_mutex_lock(&t->lock);
        io->next = t->finished;
        t->finished = io;
        if (write(t->fd, &one, sizeof(one)) < 0)
            continue; /* the counter is full: the loop knows */
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static void threads_finished(evutil_socket_t fd, short what, void *arg)
{
    struct disk_threads *t = arg;
    struct disk_io *io, *next;
    uint64_t count;

    (void)what;
    if (read(fd, &count, sizeof(count)) < 0)
        return;
    pthread_mutex_lock(&t->lock);
    io = t->finished;
    t->finished = NULL;
    pthread_mutex_unlock(&t->lock);
    for (; io; io = next) {
        next = io->next;
        disk_queue_done(io, io->result);
    }
    disk_queue_kick(&t->async);
}

static void threads_submit(struct disk_async *a, struct disk_io *io)
{
    struct disk_threads *t = container_of(a, struct disk_threads, async);

    io->next = NULL;
    pthread_mutex_lock(&t->lock);
    *t->tail = io;
    t->tail = &io->next;
    pthread_cond_signal(&t->more);
    pthread_mutex_unlock(&t->lock);
}

static void threads_kick(struct disk_async *a)
{
    (void)a; /* they started at once */
}

static void threads_free(struct disk_async *a)
{
    struct disk_threads *t = container_of(a, struct disk_threads, async);

    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_broadcast(&t->more);
    pthread_mutex_unlock(&t->lock);
    for (unsigned int i = 0; i < t->n_threads; i++)
        pthread_join(t->thread[i], NULL);
    if (t->event)
        event_free(t->event);
    if (t->fd >= 0)
        close(t->fd);
    pthread_cond_destroy(&t->more);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* Signals belong to the loop's thread. */
static int start_threads(struct disk_threads *t)
{
    sigset_t all, old;
    int err = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (!err && t->n_threads < N_THREADS) {
        err = pthread_create(&t->thread[t->n_threads], NULL, worker, t);
        if (!err)
            t->n_threads++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return t->n_threads ? 0 : -err;
}

int disk_threads_new(struct event_base *base, struct disk_async **out)
{
    struct disk_threads *t = calloc(1, sizeof(*t));
    int err = -ENOMEM;

    if (!t)
        return -ENOMEM;
    t->async.submit = threads_submit;
    t->async.kick = threads_kick;
    t->async.free = threads_free;
    t->async.parallel = 4 * N_THREADS; /* the next ones wait beside them */
    list_init(&t->async.busy);
    t->tail = &t->head;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->more, NULL);
    t->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->fd >= 0)
        t->event =
            event_new(base, t->fd, EV_READ | EV_PERSIST, threads_finished, t);
    if (t->event && !event_add(t->event, NULL))
        err = start_threads(t);
    if (err) {
        threads_free(&t->async);
        return err;
    }
    *out = &t->async;
    return 0;
}
