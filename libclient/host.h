/*
 * A host process as a domain, or as a tool, of a Ringside host.
 *
 * After hypercall_connect() the process does hypercalls with the inlines of
 * hypercall.h. What a guest gets from its engine, a process gets here: event
 * channels as file descriptors, granted pages as addresses, and the control
 * operations that the toolstack needs. Calls are synchronous and not
 * thread-safe: one thread talks to the hypervisor.
 *
 * All functions return 0 (or a count) or -errno.
 */
#ifndef RINGSIDE_HYPERCALL_HOST_H
#define RINGSIDE_HYPERCALL_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen_compat.h"

#include "carrier.h"

enum hypercall_role {
    HYPERCALL_ROLE_TOOL,   /* control operations only; no domain */
    HYPERCALL_ROLE_STORE,  /* domain 0: may map any guest's store grant */
    HYPERCALL_ROLE_DRIVER, /* the driver domain, domid 1, no privilege */
};

#define RINGSIDE_DRIVER_DOMID 1

/*
 * Connects to the hypervisor's socket `path`. -EBUSY: the role is taken;
 * -EISCONN: this process is connected already. The connection, its ports and
 * its grant mappings end with the process or with hypercall_disconnect().
 */
int hypercall_connect(const char *path, enum hypercall_role role);
void hypercall_disconnect(void);

/*
 * A process of role store may run another program (execve) and keep its
 * connection. Before, it unmaps all grants, and sees to it that the descriptor
 * hypercall_fd() and those of its ports survive. The new program takes the
 * first by hypercall_adopt() and each port by evtchn_adopt(). On failure `fd`
 * is still the caller's. -EBUSY: grants are still mapped.
 */
int hypercall_adopt(int fd);

/* The descriptor that becomes readable (EOF) when the hypervisor is gone. */
int hypercall_fd(void);
domid_t hypercall_domid(void);

/* ---- event channels ---- */

/*
 * The descriptors of a bound local port: `rx` becomes readable when the other
 * end sends (an eventfd, non-blocking, to be drained by reading 8 bytes or
 * used edge-triggered), `tx` raises the other end. Owned by the library until
 * hypercall_evtchn_close(). tx is -1 for a VIRQ. -ENOENT: no such port.
 */
int evtchn_port_fds(evtchn_port_t port, int *rx, int *tx);

/*
 * Takes over the descriptors of a port that was bound before execve() (see
 * hypercall_adopt()); tx may be -1. On failure they are closed.
 */
int evtchn_adopt(evtchn_port_t port, int rx, int tx);

/* Sends on a port without a hypercall: one write. Never blocks. */
int evtchn_notify(evtchn_port_t port);

/* ---- grants ---- */

struct grant_mapping {
    void *addr; /* page-aligned, NULL if status is not GNTST_okay */
    domid_t domid;
    grant_ref_t ref;
    grant_handle_t handle;
    int16_t status; /* GNTST_... of this reference */
};

/*
 * Maps n grants of domain `domid`; out[i] belongs to refs[i]. Grants that fail
 * leave the others mapped. Returns the number mapped, or -errno when none
 * could be tried. read_only maps with GNTMAP_readonly. A touch of a page
 * that is not (or no longer) granted is SIGBUS. Pages of one granter lie in
 * one window: address = base + gfn * 4096, so frames that are contiguous in
 * the granter are contiguous here.
 */
int grant_map_range(domid_t domid, const grant_ref_t *refs, unsigned int n,
                    bool read_only, struct grant_mapping *out);

/* Unmaps n mappings (those with status GNTST_okay); returns 0 or -errno. */
int grant_unmap_range(struct grant_mapping *maps, unsigned int n);

/* true: only granted pages are reachable; false: userfaultfd is missing. */
bool grant_window_is_strict(void);

/* ---- control operations (role tool, or any privileged role) ---- */

#define RINGSIDE_NAME_MAX    64
#define RINGSIDE_CMDLINE_MAX 1024

struct hypercall_create {
    char name[RINGSIDE_NAME_MAX];
    char cmdline[RINGSIDE_CMDLINE_MAX];
    uint64_t memory_kib;
    uint32_t vcpus;
    uint32_t flags; /* HYPERCALL_CREATE_... */
};
#define HYPERCALL_CREATE_STORE     1 /* with a store ring and port (domain 0) */
#define HYPERCALL_CREATE_CONSOLE   2 /* with a console ring (driver domain) */
#define HYPERCALL_CREATE_TRAP      4 /* a native kernel, by trap-and-emulate */
#define HYPERCALL_CREATE_TRAP_STUB 8 /* with it: RS_DOMAIN_TRAP_STUB */
#define HYPERCALL_CREATE_RING      16 /* hypercalls by shared memory, too */

struct hypercall_created {
    uint32_t domid;
    uint32_t store_gfn, store_port;     /* 0 without HYPERCALL_CREATE_STORE */
    uint32_t console_gfn, console_port; /* 0 without _CONSOLE */
};

/*
 * Creates a paused domain from an ELF image. kernel_fd, module_fd (or -1) are
 * read before the call returns; console_fd (or -1) receives what the guest
 * writes by CONSOLEIO_write and the hypervisor's own words about it. On
 * failure `why` (of size n) says in one line what is wrong with the request.
 */
int hypercall_domain_create(const struct hypercall_create *c, int kernel_fd,
                            int module_fd, int console_fd,
                            struct hypercall_created *out, char *why, size_t n);

/*
 * The last kernel stays in memory for the next domain that has the same; this
 * frees it.
 */
void hypercall_forget_kernel(void);

enum hypercall_state {
    HYPERCALL_DOMAIN_PAUSED,
    HYPERCALL_DOMAIN_RUNNING, /* includes blocked */
    HYPERCALL_DOMAIN_SHUTDOWN,
    HYPERCALL_DOMAIN_DYING,
};

struct hypercall_info {
    uint32_t domid;
    uint32_t state;           /* enum hypercall_state */
    uint32_t shutdown_reason; /* SHUTDOWN_..., valid in SHUTDOWN and DYING */
    uint32_t exit_status;
    uint64_t memory_kib; /* reservation */
    uint64_t cpu_ns;     /* consumed by all vCPUs */
    uint64_t hypercalls; /* carried out by the hypervisor process */
    uint64_t ring_calls; /* of these, asked for by shared memory */
    uint64_t traps;      /* of a native kernel */
    uint64_t created_ns; /* CLOCK_MONOTONIC at creation */
    uint64_t main_ns;    /* first instruction of the guest, 0: not yet */
    uint32_t ports, grants_mapped; /* in use: event channels, foreign maps */
    uint32_t pid;                  /* of the domain's process, 0 if none */
    uint32_t vcpus;                /* that are up */
    uint32_t flags;                /* of HYPERCALL_CREATE_...: TRAP, RING */
    char name[RINGSIDE_NAME_MAX];
    char crash[160]; /* why it crashed, or "" */
};

/* -ESRCH: no such domain. Domains 0 and 1 are there while connected. */
int hypercall_domain_info(domid_t domid, struct hypercall_info *out);
/* All domains, at most max, by domid; returns how many. */
int hypercall_domain_list(struct hypercall_info *out, unsigned int max);

#define HYPERCALL_VCPUS_MAX 8

enum hypercall_vcpu_state {
    HYPERCALL_VCPU_DOWN,
    HYPERCALL_VCPU_RUNNING,
    HYPERCALL_VCPU_BLOCKED,
};

struct hypercall_vcpu_info {
    uint32_t id;
    uint32_t state; /* enum hypercall_vcpu_state */
    int32_t cpu;    /* the processor it ran on last, -1: none */
    uint64_t cpu_ns;
    uint64_t stolen_ns; /* ready, and waited for a processor */
    uint64_t cpus;      /* processors it may run on, as bits */
};

/* A guest's vCPUs; returns how many. -ESRCH. */
int hypercall_vcpu_list(domid_t domid,
                        struct hypercall_vcpu_info out[HYPERCALL_VCPUS_MAX]);
/* cpus: bits, ~0: any. -ENOENT: no such vCPU; -EINVAL: no such processor. */
int hypercall_vcpu_pin(domid_t domid, unsigned int vcpu, uint64_t cpus);

#define HYPERCALL_CALLS_MAX    64
#define HYPERCALL_HISTOGRAM    20
#define HYPERCALL_HISTOGRAM_NS 32

/* A hypercall as the hypervisor counted it for one domain. */
struct hypercall_calls {
    char name[24];     /* "event_channel_op"; "other": what there is not */
    uint64_t calls;    /* made by themselves */
    uint64_t batched;  /* made as entries of multicalls */
    uint64_t failed;   /* of both; the result was negative */
    uint64_t total_ns; /* the hypervisor's time for `calls` */
    /* Entry i: calls that took less than HYPERCALL_HISTOGRAM_NS << i, and not
     * less than the entry before; the last one: all the rest. */
    uint64_t histogram[HYPERCALL_HISTOGRAM];
};

struct hypercall_stats {
    /* What the guest reports of itself; it can say what it likes. */
    struct hypercall_guest_counts {
        uint64_t sends, blocks, polls, unmasks, timers, upcalls, traps, ticks,
            changes;
    } guest;
    unsigned int nr_calls;
    struct hypercall_calls calls[HYPERCALL_CALLS_MAX];
};

/* A domain's counters since its creation. -ESRCH. */
int hypercall_domain_stats(domid_t domid, struct hypercall_stats *out);

int hypercall_domain_pause(domid_t domid);
int hypercall_domain_unpause(domid_t domid);
/* Kills and frees it; returns when nothing of it runs any more. */
int hypercall_domain_destroy(domid_t domid);

struct hypercall_host_info {
    uint32_t pid, domains, cpus, engine_flags;
    uint64_t memory_kib, memory_free_kib; /* the budget for guests */
    uint64_t uptime_ns;
    char engine[16];
    char version[32];
};
int hypercall_host_info(struct hypercall_host_info *out);

#endif
