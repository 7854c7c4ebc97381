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

#include <ringside/domain.h>

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

struct rs_client_create {
    char name[RS_NAME_MAX];       /* unique among live domains; "": domain-N */
    char cmdline[RS_CMDLINE_MAX]; /* of its kernel */
    uint64_t memory_kib; /* highest RAM address; the first MiB is absent */
    uint32_t vcpus;      /* 1 to RS_VCPUS_MAX */
    uint32_t flags;      /* RS_DOMAIN_... of domain.h */
};

struct rs_client_created {
    uint32_t domid;
    uint32_t store_gfn, store_port;     /* 0 without RS_DOMAIN_STORE */
    uint32_t console_gfn, console_port; /* 0 without RS_DOMAIN_CONSOLE */
};

/*
 * Creates a paused domain from an ELF image. kernel_fd and module_fd (or -1)
 * are read before the call returns; console_fd (or -1) receives what the guest
 * writes by CONSOLEIO_write and the hypervisor's own words about it. All three
 * stay the caller's. On failure `why` (of size n) says in one line what is
 * wrong with the request. -EEXIST: the name is in use; -ENOEXEC: no bootable
 * image; -ENOMEM: over the host's budget, or too little for the image.
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

/* -ESRCH: no such domain. Domains 0 and 1 are there while connected. */
int rs_client_domain_info(struct rs_client *client, uint16_t domid,
                          struct rs_domain_info *out);

/* All domains, at most max, by ascending domid; returns how many. */
int rs_client_domain_list(struct rs_client *client, struct rs_domain_info *out,
                          unsigned int max);

/* A guest's vCPUs, of number 0 and on; returns how many. -ESRCH. */
int rs_client_vcpu_list(struct rs_client *client, uint16_t domid,
                        struct rs_vcpu_info out[RS_VCPUS_MAX]);

/* Has a vCPU run on these processors only (bits), ~0: on any. -ESRCH; -ENOENT:
 * no such vCPU; -EINVAL: none of them is there. */
int rs_client_vcpu_pin(struct rs_client *client, uint16_t domid,
                       unsigned int vcpu, uint64_t cpus);

#define RS_CLIENT_CALLS_MAX 64

struct rs_client_stats {
    struct rs_guest_counts guest;
    unsigned int nr_calls;
    struct rs_hypercall_stats calls[RS_CLIENT_CALLS_MAX];
};

/* A domain's counters since its creation, those hypercalls that it made.
 * -ESRCH. */
int rs_client_domain_stats(struct rs_client *client, uint16_t domid,
                           struct rs_client_stats *out);

/* Pauses nest. After the return of the first no vCPU runs. -ESRCH. */
int rs_client_domain_pause(struct rs_client *client, uint16_t domid);
int rs_client_domain_unpause(struct rs_client *client, uint16_t domid);

/* Ends it at once and frees it; nothing of it runs after the return. -ESRCH. */
int rs_client_domain_destroy(struct rs_client *client, uint16_t domid);

int rs_client_host_info(struct rs_client *client, struct rs_host_info *out);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
