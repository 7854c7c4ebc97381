/*
 * See slow_call.h.
 *
 * Threads are made when a call finds none idle, and a few stay. They belong to
 * nobody: whoever comes last, a thread or slow_calls_free(), frees what all
 * share.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "slow_call.h"

#define KEEP_IDLE 2
#define STACK     (256u << 10)

struct slow_calls {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct slow_call *head, **tail; /* waiting, in order */
    struct slow_call *finished, **last_finished;
    unsigned int n_threads, n_idle, n_waiting;
    bool stop;
    int fd; /* eventfd: something finished */
    struct event *event;
};

static void dispose(struct slow_calls *s)
{
    if (s->fd >= 0)
        close(s->fd);
    pthread_cond_destroy(&s->more);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* The next call, or NULL: this thread is not needed any more. */
static struct slow_call *next_call(struct slow_calls *s)
{
    struct slow_call *call;

    while (!s->head && !s->stop && s->n_idle < KEEP_IDLE) {
        s->n_idle++;
        pthread_cond_wait(&s->more, &s->lock);
        s->n_idle--;
    }
    call = s->stop ? NULL : s->head;
    if (!call)
        return NULL;
    s->head = call->next;
    s->n_waiting--;
    if (!s->head)
        s->tail = &s->head;
    return call;
}

/* With the lock. */
static void finish(struct slow_calls *s, struct slow_call *call)
{
    uint64_t one = 1;

    call->next = NULL;
    *s->last_finished = call;
    s->last_finished = &call->next;
    if (write(s->fd, &one, sizeof(one)) < 0)
        return; /* the counter is full: the loop knows */
}

static void *worker(void *arg)
{
    struct slow_calls *s = arg;
    struct slow_call *call;
    bool last;

    pthread_mutex_lock(&s->lock);
    while ((call = next_call(s)) != NULL) {
        pthread_mutex_unlock(&s->lock);
        call->run(call);
        pthread_mutex_lock(&s->lock);
        if (s->stop)
            break;
        finish(s, call);
    }
    last = --s->n_threads == 0 && s->stop;
    pthread_mutex_unlock(&s->lock);
    if (last)
        dispose(s);
    return NULL;
}

static void some_finished(evutil_socket_t fd, short what, void *arg)
{
    struct slow_calls *s = arg;
    struct slow_call *call, *next;
    uint64_t count;

    (void)what;
    if (read(fd, &count, sizeof(count)) < 0)
        return;
    pthread_mutex_lock(&s->lock);
    call = s->finished;
    s->finished = NULL;
    s->last_finished = &s->finished;
    pthread_mutex_unlock(&s->lock);
    for (; call; call = next) {
        next = call->next;
        call->done(call);
    }
}

/* Signals belong to the loop's thread. */
static int start_thread(struct slow_calls *s)
{
    sigset_t all, old;
    pthread_attr_t attr;
    pthread_t thread;
    int err;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    err = pthread_create(&thread, &attr, worker, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return err;
}

/* True if a thread takes it, now or later. */
static bool add(struct slow_calls *s, struct slow_call *call)
{
    bool taken;

    pthread_mutex_lock(&s->lock);
    if (s->n_idle <= s->n_waiting && s->n_threads < SLOW_CALLS_MAX &&
        start_thread(s) == 0)
        s->n_threads++;
    taken = s->n_threads > 0;
    if (taken) {
        call->next = NULL;
        *s->tail = call;
        s->tail = &call->next;
        s->n_waiting++;
        pthread_cond_signal(&s->more);
    }
    pthread_mutex_unlock(&s->lock);
    return taken;
}

void slow_calls_make(struct slow_calls *s, struct slow_call *call)
{
    if (add(s, call))
        return;
    call->run(call); /* Linux has no threads for us */
    pthread_mutex_lock(&s->lock);
    finish(s, call);
    pthread_mutex_unlock(&s->lock);
}

int slow_calls_new(struct event_base *base, struct slow_calls **out)
{
    struct slow_calls *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->more, NULL);
    s->tail = &s->head;
    s->last_finished = &s->finished;
    s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->fd >= 0)
        s->event =
            event_new(base, s->fd, EV_READ | EV_PERSIST, some_finished, s);
    if (s->event && !event_add(s->event, NULL)) {
        *out = s;
        return 0;
    }
    slow_calls_free(s);
    return -ENOMEM;
}

void slow_calls_free(struct slow_calls *s)
{
    bool last;

    if (!s)
        return;
    if (s->event)
        event_free(s->event);
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->more);
    last = s->n_threads == 0;
    pthread_mutex_unlock(&s->lock);
    if (last)
        dispose(s);
}
