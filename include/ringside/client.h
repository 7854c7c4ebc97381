/*
 * libringside-client: a process of the host that talks to `ringsided`.
 *
 * A *tool* creates, lists and ends domains. A process that ringsided started
 * as a domain (the store, a driver domain) does hypercalls: it has event
 * channels as file descriptors, and pages that guests granted to it as
 * addresses. docs/client.md tells how a backend is made of that.
 *
 * Connections. A struct rs_client is one connection, made by one of three
 * calls; a process may have several. It ends by rs_client_disconnect(), with
 * the process, or when the hypervisor goes (rs_client_fd()). With it end its
 * domain, if it has one, that domain's ports and its mappings.
 *
 * Threads. Calls are synchronous: each sends a request and waits for its
 * answer. One thread at a time uses a connection; different connections are
 * independent of each other.
 *
 * Errors. Functions that return int or long return 0 (or a count, or what the
 * hypercall returned) or a negative errno value. Any of them may return -EPIPE:
 * the hypervisor is gone, or it ended the connection, as it does when a process
 * asks what its kind may not (a tool has no hypercalls, a driver domain
 * controls no domains); -EPROTO: the answer is none of this version. Then
 * rs_client_disconnect() is all that is left to do.
 *
 * Numbers. Domain ids, ports, grant references, hypercall numbers and GNTST_...
 * are those of Xen's public headers <xen/...>, which this one does not need.
 * Times are nanoseconds, of CLOCK_MONOTONIC where they are points in time;
 * memory is KiB.
 */
#ifndef RINGSIDE_CLIENT_H
#define RINGSIDE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is declared here is what the library exports. */
#pragma GCC visibility push(default)

struct rs_client;

/* ---- connections ---- */

/*
 * Connects as a tool to the hypervisor that listens at `path`, the file
 * hypervisor.sock in ringsided's runtime directory. -ENOENT, -ECONNREFUSED:
 * nobody serves there; -EPERM: who serves is neither this user nor root.
 */
int rs_client_connect(const char *path, struct rs_client **client);

/*
 * Takes the place that ringsided has for this process, which it started: what
 * ringsided gave to it is in its environment (RINGSIDE_IDENTITY) and is between
 * ringsided and this library; a later version may give it in another way.
 * -ENOKEY: ringsided did not start this process; -EINVAL: what it gave is not
 * for this version; -EBUSY: a predecessor is not quite gone yet, try again;
 * -EPERM as above.
 */
int rs_client_join(struct rs_client **client);

/*
 * The store may replace its program (execve) and keep its connection. Before,
 * it unmaps all grants, and sees to it that the descriptor rs_client_fd() and
 * those of its ports survive. The new program takes the first with this, and
 * each port with rs_client_port_adopt(). On failure `fd` is still the caller's.
 * -EBUSY: grants are still mapped.
 */
int rs_client_adopt(int fd, struct rs_client **client);

/* Ends the connection and frees it; windows are unmapped. NULL: nothing. */
void rs_client_disconnect(struct rs_client *client);

/*
 * The connection's descriptor, for poll(): it becomes readable, at its end,
 * when the hypervisor is gone. Not to be read or closed.
 */
int rs_client_fd(const struct rs_client *client);

/* The domain that this process is; DOMID_INVALID (0x7ff4) of a tool. */
uint16_t rs_client_domid(const struct rs_client *client);

/* ---- hypercalls, of a process that is a domain ---- */

/*
 * Does hypercall `nr` (__HYPERVISOR_...) with command `cmd` on `count`
 * structs of `size` bytes each at `arg`, which come back as the call left them.
 * They travel by value: an address inside of one leads to nothing but the
 * argument itself. Returns what the call returned; if count is not 1, 0, and
 * the structs say what became of each. -E2BIG: a struct of more than 16 KiB.
 *
 * A call that gives a port (EVTCHNOP_alloc_unbound, _bind_interdomain,
 * _bind_virq) makes its descriptors, too; EVTCHNOP_close closes them.
 */
long rs_client_hypercall(struct rs_client *client, unsigned int nr,
                         unsigned int cmd, void *arg, size_t size,
                         unsigned int count);

/* ---- event channels ---- */

/*
 * The descriptors of a port of this domain: `rx` becomes readable when the
 * other end sends (an eventfd, non-blocking: drained by reading 8 bytes, or
 * used edge-triggered), `tx` raises the other end; -1 for a VIRQ. The library
 * closes them when the port is closed. -ENOENT: there is no such port.
 */
int rs_client_port_fds(const struct rs_client *client, uint32_t port, int *rx,
                       int *tx);

/*
 * Takes over the descriptors of a port that was bound before execve() (see
 * rs_client_adopt()); tx may be -1. On failure they are closed.
 */
int rs_client_port_adopt(struct rs_client *client, uint32_t port, int rx,
                         int tx);

/*
 * Sends on a port: one write to an eventfd, without the hypervisor. Never
 * blocks. -ENOENT: no such port, or one that cannot send.
 */
int rs_client_notify(struct rs_client *client, uint32_t port);

/* ---- grants ---- */

struct rs_client_mapping {
    void *addr; /* page-aligned, 4096 bytes; NULL unless GNTST_okay */
    uint16_t domid;
    int16_t status; /* GNTST_... of this reference */
    uint32_t ref;
    uint32_t handle;
};

/*
 * Maps n grants of domain `domid`; out[i] belongs to refs[i]. Grants that fail
 * leave the others mapped: the status of each is the granter's fault or the
 * hypervisor's bound (GNTST_no_space). Returns how many were mapped, or -errno
 * when none could be tried. read_only maps for reading.
 *
 * Pages of one granter lie in one window of this process, at base + gfn * 4096:
 * frames that follow each other there do so here. A touch of a page that is not
 * (or no longer) mapped, or a write to one mapped for reading, is SIGBUS. What
 * is in the pages is the guest's, which writes to them at any time: copy a
 * request once, and check the copy. A page stays while it is mapped, even if
 * its domain is destroyed.
 */
int rs_client_map_grants(struct rs_client *client, uint16_t domid,
                         const uint32_t *refs, unsigned int n, bool read_only,
                         struct rs_client_mapping *out);

/*
 * Unmaps those of n mappings whose status is GNTST_okay; from here they are
 * not to be touched. -EIO: the hypervisor refused one.
 */
int rs_client_unmap_grants(struct rs_client *client,
                           struct rs_client_mapping *maps, unsigned int n);

/*
 * true: nothing but mapped pages can be reached; false: there is no
 * userfaultfd on this machine, and a stray pointer into a window reaches other
 * pages of the granter.
 */
bool rs_client_grants_strict(const struct rs_client *client);

/* ---- control of domains, for tools and the store ---- */

#define RINGSIDE_NAME_MAX    64
#define RINGSIDE_CMDLINE_MAX 1024

struct rs_client_create {
    char name[RINGSIDE_NAME_MAX];
    char cmdline[RINGSIDE_CMDLINE_MAX];
    uint64_t memory_kib;
    uint32_t vcpus;
    uint32_t flags; /* HYPERCALL_CREATE_... */
};
#define RINGSIDE_DRIVER_DOMID 1

#define HYPERCALL_CREATE_STORE     1 /* with a store ring and port (domain 0) */
#define HYPERCALL_CREATE_CONSOLE   2 /* with a console ring (driver domain) */
#define HYPERCALL_CREATE_TRAP      4 /* a native kernel, by trap-and-emulate */
#define HYPERCALL_CREATE_TRAP_STUB 8 /* with it: RS_DOMAIN_TRAP_STUB */
#define HYPERCALL_CREATE_RING      16 /* hypercalls by shared memory, too */

struct rs_client_created {
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
int rs_client_domain_create(struct rs_client *client,
                            const struct rs_client_create *c, int kernel_fd,
                            int module_fd, int console_fd,
                            struct rs_client_created *out, char *why, size_t n);

/*
 * The last kernel stays in memory for the next domain that has the same; this
 * frees it.
 */
void rs_client_forget_kernel(struct rs_client *client);

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
int rs_client_domain_info(struct rs_client *client, uint16_t domid,
                          struct hypercall_info *out);
/* All domains, at most max, by domid; returns how many. */
int rs_client_domain_list(struct rs_client *client, struct hypercall_info *out,
                          unsigned int max);

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
int rs_client_vcpu_list(struct rs_client *client, uint16_t domid,
                        struct hypercall_vcpu_info out[HYPERCALL_VCPUS_MAX]);
/* cpus: bits, ~0: any. -ENOENT: no such vCPU; -EINVAL: no such processor. */
int rs_client_vcpu_pin(struct rs_client *client, uint16_t domid,
                       unsigned int vcpu, uint64_t cpus);

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
int rs_client_domain_stats(struct rs_client *client, uint16_t domid,
                           struct hypercall_stats *out);

int rs_client_domain_pause(struct rs_client *client, uint16_t domid);
int rs_client_domain_unpause(struct rs_client *client, uint16_t domid);
/* Kills and frees it; returns when nothing of it runs any more. */
int rs_client_domain_destroy(struct rs_client *client, uint16_t domid);

struct hypercall_host_info {
    uint32_t pid, domains, cpus, engine_flags;
    uint64_t memory_kib, memory_free_kib; /* the budget for guests */
    uint64_t uptime_ns;
    char engine[16];
    char version[32];
};
int rs_client_host_info(struct rs_client *client,
                        struct hypercall_host_info *out);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
