/*
 * The host: what all domains share. One lock (taken by the public API and by
 * rs_host_dispatch()), one epoll file, one memory budget, one log.
 */
#ifndef RINGSIDE_HOST_H
#define RINGSIDE_HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "buckets.h"
#include "ringside/ringside.h"
#include "xen_compat.h"

#define HOST_BATCH 32

/*
 * Ends of domains take this much of the loop at a time, and then rest. A loop
 * that never sleeps keeps its processor from the guests that it woke there,
 * until the scheduler's next tick: up to 4 ms.
 */
#define HOST_SLICE_NS      200000u
#define HOST_SLICE_REST_NS 50000u

struct domain;
struct emulate_ops;
struct engine_ops;
struct control;

/* A descriptor that the host's loop watches; embedded by its owner. */
struct watch {
    int fd;
    void (*ready)(void *data, uint32_t events); /* under the host's lock */
    void *data;
};

struct rs_host {
    pthread_mutex_t lock;
    const char
        *holder; /* atomic: of the lock, an address of its thread's own */
    const struct engine_ops *engine;
    void *engine_host;                 /* of the engine */
    const struct emulate_ops *emulate; /* NULL: built without */
    struct control *control;           /* control socket, NULL if none */
    unsigned int flags;                /* RS_HOST_... */
    int epfd;
    bool polling;         /* atomic: the engine has something to poll() */
    bool may_poll;        /* the dispatch under way was to wait */
    unsigned int waiting; /* atomic: threads that wait for the lock */
    uint64_t epoch;       /* atomic: how often the lock was given back */
    struct epoll_event batch[HOST_BATCH]; /* being dispatched */
    int batch_n;
    struct list app_watches, app_ready; /* app_watch.c */
    pthread_cond_t app_returned;        /* a handler of theirs */
    struct watch wake;                  /* an eventfd: rs_host_stop() */
    bool stopping;                      /* atomic */
    struct domain **domains;            /* by domid; NULL: none */
    struct list domain_list;            /* by age */
    struct buckets names, pids;         /* domains by them (domain.h) */
    struct list ending; /* domains whose end is under way (domain.h) */
    struct watch ends;  /* a timerfd: the next slice of them is due */
    uint64_t slice_ns, slice_rest_ns;
    unsigned int nr_domains;
    uint16_t next_domid;
    uint64_t budget_pages, used_pages;
    uint32_t files_limit;   /* RLIMIT_NOFILE, as at the last creation */
    uint32_t files_reserve; /* of these not for domains (host_charge_files()) */
    uint32_t files_used;    /* by all domains */
    bool hold_pinned;    /* there is swap: pinned pages are locked (memory.c) */
    bool warned_memlock; /* that they could not be */
    uint64_t boot_ns;    /* CLOCK_MONOTONIC: system time 0 */
    struct clock_scale *clock; /* clock.c */
    uint64_t budget_ticks;     /* of the TSC: PREEMPT_BUDGET_NS */
    struct watch timer;        /* timerfd of sched timers, clock.c */
    struct list timers;        /* armed vCPUs, by deadline */
    uint64_t armed_at;         /* deadline of the timerfd; 0: not armed */
    struct watch recalibrate;
    void (*log)(void *, enum rs_log_level, const char *);
    void (*domain_event)(void *, uint16_t);
    void *data;
};

void host_lock(struct rs_host *h);
void host_unlock(struct rs_host *h);
bool host_is_locked_by_us(const struct rs_host *h);
/* For tests that call the core from the only thread that they have: this
 * thread is taken to hold every lock. */
void host_need_no_lock(void);
/* Gives the lock back while it waits for a condition. */
void host_wait(struct rs_host *h, pthread_cond_t *cond);

/* Does another thread wait for the lock? A poll should end then. */
static inline bool host_lock_contended(const struct rs_host *h)
{
    return __atomic_load_n(&h->waiting, __ATOMIC_RELAXED) > 0;
}

/* Adds or removes a watched descriptor. Safe inside a callback. */
int host_watch(struct rs_host *h, struct watch *w, int fd, uint32_t events,
               void (*ready)(void *, uint32_t), void *data);
void host_unwatch(struct rs_host *h, struct watch *w);
/* Changes the events of a watched descriptor. */
int host_rewatch(struct rs_host *h, struct watch *w, uint32_t events);

/* The application's watched descriptors: calls the handlers of those at which
 * something happened, without the lock. */
void app_watches_run(struct rs_host *h);
/* Events that were taken from epoll are not dispatched: they are to come once
 * more. Their watches may be gone by now. */
void app_watches_rearm(struct rs_host *h, const struct epoll_event *ev, int n);
void app_watches_init(struct rs_host *h);
void app_watches_free(struct rs_host *h);

/* Sets this thread's rs_error() and returns err (so: return host_error(h,
 * -EINVAL, "…")). */
int host_error(struct rs_host *h, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void host_clear_error(void);
void host_log(struct rs_host *h, enum rs_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The loop's own descriptors: 0 or -errno with host_error(); closing what was
 * not opened (-1) is harmless. */
int host_open_loop(struct rs_host *h);
void host_close_loop(struct rs_host *h);

void host_fill_info(struct rs_host *h, struct rs_host_info *info);

/* CLOCK_MONOTONIC in ns. */
uint64_t host_now(void);

/* Takes pages from the budget or gives them back; -ENOMEM. */
int host_charge(struct rs_host *h, uint64_t pages);
void host_uncharge(struct rs_host *h, uint64_t pages);

/*
 * Descriptors. An eighth of what this process may have is kept for the control
 * socket and for passing needs; the rest is the domains'. A domain may hold
 * HOST_FILES_LEAST, and more as long as eight times as many are free: then N
 * that take all they can get leave (8/9)^N of them. host_charge_files() takes n
 * more for a domain that holds `held`; -ENOSPC. For a new domain
 * (HOST_FILES_NEW) a quarter of the reserve is there, too.
 */
#define HOST_FILES_PART  8u
#define HOST_FILES_LEAST 32u
#define HOST_FILES_NEW   UINT32_MAX

/* Learns the limit, which somebody may have changed, and the reserve. */
void host_count_files(struct rs_host *h);
int host_charge_files(struct rs_host *h, uint32_t n, uint32_t held);
void host_uncharge_files(struct rs_host *h, uint32_t n);
/* For how many clients of the control socket the reserve is enough. */
uint32_t host_clients_max(const struct rs_host *h);

/* The domain of that id, dying or not; NULL. */
static inline struct domain *host_domain(struct rs_host *h, domid_t domid)
{
    return domid < DOMID_FIRST_RESERVED ? h->domains[domid] : NULL;
}

#endif
