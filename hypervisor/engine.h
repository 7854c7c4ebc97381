/*
 * The seam between the core and what runs vCPUs.
 *
 * A domain has one set of operations for its life. The core calls them under
 * the host's lock; an engine calls the core's entry points (hypercall.h,
 * domain.h) under it too. Members that may be NULL say so.
 */
#ifndef RINGSIDE_ENGINE_H
#define RINGSIDE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "xen_compat.h"

struct domain;
struct vcpu;
struct rs_host;
struct rs_guest_counts;

struct vcpu_times {
    uint64_t running_ns, runnable_ns; /* ran; waited for a processor */
    int cpu;                          /* where it was last, -1: unknown */
    bool blocked;
};

struct engine_ops {
    const char *name;

    /* Once per host. Returns 0 or -errno, with host_error() set. */
    int (*host_open)(struct rs_host *h);
    void (*host_close)(struct rs_host *h);

    /*
     * Looks for what vCPUs ask without telling by a descriptor, for some
     * microseconds; true: it should be called again soon. Called while
     * h->polling is set, which the engine does. NULL: no such thing.
     */
    bool (*poll)(struct rs_host *h);

    /*
     * Makes what runs the domain: memory is built, vCPU 0's entry state is in
     * v->entry. Nothing runs before domain_resume(). Returns 0 or -errno.
     */
    int (*domain_create)(struct domain *d);

    /* Lets vCPUs run; the first call enters the guest. */
    void (*domain_resume)(struct domain *d);

    /* Stops vCPUs: none executes guest code after the return. */
    void (*domain_pause)(struct domain *d);

    /* As domain_pause(), of a domain that shut down, but without waiting until
     * all vCPUs have stopped: what they still ask is not answered. NULL:
     * domain_pause() does it. */
    void (*domain_stop)(struct domain *d);

    /*
     * Ends it for ever. True: nothing of it runs any more. False: that takes a
     * while, and the engine calls domain_killed() then, or domain_gone() finds
     * it, whichever is first.
     */
    bool (*domain_kill)(struct domain *d);

    /* After domain_kill() returned false: has its end come, waiting for it at
     * most so long? Once true, domain_killed() is not called any more. */
    bool (*domain_gone)(struct domain *d, int wait_ms);

    /* Frees d->engine, when nothing of it runs. */
    void (*domain_free)(struct domain *d);

    /*
     * v->up was set: v runs from v->entry, the first time, or goes on where it
     * was. v->up was cleared: v executes nothing more, soon; if it is the
     * caller, from here on. Both NULL: the domain has one vCPU for ever.
     */
    void (*vcpu_up)(struct vcpu *v);
    void (*vcpu_down)(struct vcpu *v);

    /*
     * Port `port` of v's domain receives on eventfd `rx`, which notifies v,
     * and sends on `tx` (-1: it has no send side; both may be one file). The
     * core keeps the files open until port_detach(). port_move() makes another
     * vCPU the notified one, also of earlier events; NULL: nothing to do.
     */
    int (*port_attach)(struct vcpu *v, evtchn_port_t port, int rx, int tx);
    void (*port_detach)(struct vcpu *v, evtchn_port_t port, int rx, int tx);
    int (*port_move)(struct vcpu *from, struct vcpu *to, evtchn_port_t port,
                     int rx);

    /*
     * Shows `pages` pages of `file` from `offset` (bytes) at frame gfn of the
     * calling vCPU's domain, or removes what is there (file -1). At least
     * PREEMPT_BUDGET / PREEMPT_COST_MAP times a run; complete only when
     * `done(v, arg)` is called, which may be before the return or at the
     * vCPU's next call: until then the page may still be reachable. `done` may
     * be NULL.
     */
    int (*physmap_set)(struct vcpu *v, xen_pfn_t gfn, uint32_t pages, int file,
                       uint64_t offset, int writable,
                       void (*done)(struct vcpu *v, uint64_t arg),
                       uint64_t arg);

    /*
     * For domains whose granted pages appear where the hypervisor chose
     * (NULL: the mapper chooses a frame, shown by physmap_set()). Opens page
     * gfn of `granter` and tells its address; closes it, or answers -EBUSY
     * while it is still reachable. The core calls close once per open.
     */
    int (*grant_open)(struct vcpu *v, struct domain *granter, xen_pfn_t gfn,
                      int readonly, uint64_t *addr);
    int (*grant_close)(struct vcpu *v, struct domain *granter, xen_pfn_t gfn,
                       int readonly);

    /* Adds up what the engine's half inside the guest counted. The guest can
     * write there what it likes. NULL: nothing is counted. */
    void (*guest_counts)(struct domain *d, struct rs_guest_counts *out);

    /* CPU time consumed by d in ns; NULL: unknown. */
    uint64_t (*cpu_ns)(struct domain *d);
    /* What v, which is up, does with the machine; NULL: unknown. */
    void (*vcpu_times)(struct vcpu *v, struct vcpu_times *out);
    /* Has v run on these processors only (bit 0: processor 0); applied when v's
     * thread starts if it has none yet. NULL: it cannot be chosen. -errno. */
    int (*vcpu_pin)(struct vcpu *v, uint64_t cpus);
};

extern const struct engine_ops engine_sandbox;
extern const struct engine_ops engine_test;

#endif
