/*
 * Domains and vCPUs: who they are, and their life.
 *
 *   create → (paused ⇄ running)* → shutdown → destroy → dying → free
 *
 * A domain is a guest (memory, image, engine) or a process that joined by the
 * control socket (no memory of its own: its hypercalls carry their arguments).
 *
 * The end of a guest takes as long as it has memory, and nobody else waits for
 * it: it is `dying` at once, and then, when its process is gone, its mappings,
 * ports and pages are released in slices between other work of the host's loop
 * (enum domain_end). After that a destroyed domain stays in the table only
 * while others still map pages of it.
 */
#ifndef RINGSIDE_DOMAIN_H
#define RINGSIDE_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "evtchn.h"
#include "grant.h"
#include "host.h"
#include "list.h"
#include "memory.h"
#include "stats.h"
#include "vcpu.h"
#include "xen_compat.h"

#define DOMAIN_MAX_SEGMENTS 8

/* What the image asks of the engine: protections, and its hypercall page. */
struct domain_image {
    struct {
        uint64_t start, end; /* page aligned */
        bool write, execute;
    } segment[DOMAIN_MAX_SEGMENTS];
    unsigned int nr_segments;
    uint64_t hypercall_page;
};

/* How far the end of a dying domain has come. */
enum domain_end {
    END_KILL,   /* something of it may still run */
    END_GRANTS, /* it has mappings of others' pages, */
    END_PORTS,  /* ports, */
    END_MEMORY, /* pages that nobody else maps, */
    END_UNMAP,  /* our mapping of them */
    END_DONE,   /* what is left is mapped by others */
};

/* Who waits for END_DONE. */
struct domain_waiter {
    struct list link;
    void (*ended)(struct domain_waiter *w);
};

#define DOMAIN_WATCHDOGS 2 /* as in Xen */

struct watchdog {
    struct timer timer; /* ends the domain */
    bool used;
};

struct domain {
    struct rs_host *host;
    const struct engine_ops *ops;
    struct list link, by_name, by_pid;
    domid_t domid;
    char name[RS_NAME_MAX];
    bool is_process;
    bool privileged;      /* domain 0 */
    bool decode_in_guest; /* RS_DOMAIN_TRAP_STUB */
    bool started;         /* guest code may have run */
    bool polled;          /* hypercalls may go by mailbox (engine) */
    bool shut_down;
    bool dying;
    enum domain_end end;
    struct list ending;  /* among the host's, from END_GRANTS to END_DONE */
    struct list waiters; /* struct domain_waiter */
    unsigned int pause_count;
    unsigned int shutdown_reason, exit_status;
    char crash[160];
    uint64_t created_ns, started_ns;

    struct domain_image image;
    struct memory memory;
    struct evtchn_table evtchn;
    struct grant_table grants;
    struct vcpu vcpu[DOMAIN_MAX_VCPUS];
    unsigned int nr_vcpus;
    struct watchdog watchdog[DOMAIN_WATCHDOGS];
    struct stats stats;

    uint32_t store_gfn, store_port, console_gfn, console_port;
    struct domain_console *console; /* console.c */
    void *engine;
    void *process; /* control.c: the connection of a process domain */
    int pid;
    uint32_t files; /* descriptors charged for it, beside those of its ports */
};

/* Finds a free domid and puts a fresh domain, paused once, into the table.
 * domid 0xffff: any guest id. -EEXIST, -ENOSPC, -ENOMEM. */
int domain_alloc(struct rs_host *h, domid_t domid, const char *name,
                 const struct engine_ops *ops, struct domain **out);

/* A process joins as `domid` (0 or RS_DOMID_DRIVER); -EBUSY if it is taken.
 * It leaves by domain_destroy(). */
int domain_create_process(struct rs_host *h, domid_t domid, const char *name,
                          const struct engine_ops *ops, struct domain **out);

/* Its process, by which domain_of_pid() finds it; 0: none any more. */
void domain_set_pid(struct domain *d, int pid);
struct domain *domain_of_pid(struct rs_host *h, int pid);

void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);

/* SHUTDOWN_... by the guest, or on its behalf; stops it; VIRQ_DOM_EXC. */
void domain_shutdown(struct domain *d, unsigned int reason,
                     unsigned int status);

/* The guest did what it may not: ends it with SHUTDOWN_crash and a report. */
void domain_crash(struct domain *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Begins the end of d: it is dying, and the host's loop does the rest. */
void domain_end(struct domain *d);

/* The same, and all that there is to be done before the return. */
void domain_destroy(struct domain *d);

/* From an engine: nothing of d runs any more. */
void domain_killed(struct domain *d);

/* Calls w->ended() at END_DONE, unless w left the list before. */
void domain_await_end(struct domain *d, struct domain_waiter *w);

/* The host's loop: does a slice of the ends that are under way. */
void domain_ends_ready(void *host, uint32_t events);
/* A slice of one; false: there is nothing more to be done for it, and it may
 * be freed. */
bool domain_end_slice(struct domain *d);

/* Frees a dying domain whose last foreign pin went. */
void domain_put_if_done(struct domain *d);

/* SCHEDOP_watchdog's timers (watchdog.c). An armed one ends the domain. */
void watchdogs_init(struct domain *d);
void watchdogs_stop(struct domain *d);
void watchdog_arm(struct watchdog *w, uint32_t seconds);

/* An engine's cpu_ns() where the domain is the process d->pid. */
uint64_t domain_process_cpu_ns(struct domain *d);

void domain_fill_info(struct domain *d, struct rs_domain_info *info);

/* DOMID_SELF or an id to a live domain; NULL. */
struct domain *domain_lookup(struct domain *self, domid_t domid);

/* vCPU `id` of d, NULL if there is none. */
static inline struct vcpu *vcpu_of(struct domain *d, uint64_t id)
{
    return id < d->nr_vcpus ? &d->vcpu[id] : NULL;
}

/* What the guest reads and writes for v. Only of guests. */
static inline struct vcpu_info *vcpu_info_of(struct vcpu *v)
{
    struct shared_info *si = memory_own_page(v->domain, MEMORY_OWN_SHARED_INFO);

    return v->info ? v->info : &si->vcpu_info[v->id];
}

/* May `d` act on others as the toolstack may? */
static inline bool domain_is_privileged(const struct domain *d)
{
    return d->privileged;
}

#endif
