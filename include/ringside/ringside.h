/*
 * libringside: a paravirtualization hypervisor as a library.
 *
 * A *host* owns a memory budget and runs *domains*; it does its work inside
 * rs_host_dispatch(), which the application calls when rs_host_fd() becomes
 * readable (or rs_host_run() calls for it). Functions may be called from any
 * thread; a host serialises them by one lock. No function exits the process
 * or writes to its standard streams.
 *
 * Functions return 0 (or a count, where said) or -errno. Why a call failed is
 * told in one line by rs_error(), in the thread that made the call.
 *
 * `ringsided` is a user of this header like any other.
 */
#ifndef RINGSIDE_RINGSIDE_H
#define RINGSIDE_RINGSIDE_H

#include <stddef.h>
#include <stdint.h>

#include <ringside/domain.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is declared here is what the library exports. */
#pragma GCC visibility push(default)

struct rs_host;

enum rs_log_level { RS_LOG_ERROR, RS_LOG_WARN, RS_LOG_INFO, RS_LOG_DEBUG };

/* Told once, at rs_host_new(); zero or NULL means the default. */
struct rs_host_config {
    const char *engine;  /* "sandbox" (the default): what runs guests */
    uint64_t memory_kib; /* budget of all guests; default 3/4 of RAM */
    unsigned int flags;  /* RS_HOST_... */
    /* Receives the host's log: one line, no newline. */
    void (*log)(void *data, enum rs_log_level level, const char *line);
    /* A domain shut down, crashed or was destroyed; see rs_domain_info(). Like
     * log, it is called under the host's lock: it must not call the library,
     * but for rs_host_stop(). */
    void (*domain_event)(void *data, uint16_t domid);
    void *data;
};
#define RS_HOST_NO_NAMESPACES  1u /* do not try user namespaces */
#define RS_HOST_NO_USERFAULTFD 2u

/* Makes a host. -ENOSYS or -EPERM: the engine cannot run on this machine. */
int rs_host_new(const struct rs_host_config *config, struct rs_host **host);

/* Destroys all domains and frees the host. */
void rs_host_free(struct rs_host *host);

/* Why the last call that this thread made failed, one line; "" if it did not
 * fail. The library's; valid until the thread's next call. */
const char *rs_error(void);

/* A descriptor that is readable while there is work to dispatch. */
int rs_host_fd(const struct rs_host *host);

/* Does what is due, waiting at most timeout_ms (-1: for ever) for it. */
int rs_host_dispatch(struct rs_host *host, int timeout_ms);

/* Dispatches until rs_host_stop() is called (from any thread or a handler). */
int rs_host_run(struct rs_host *host);
void rs_host_stop(struct rs_host *host);

/*
 * Watches a descriptor of the application in the host's loop: `ready` is
 * called by rs_host_dispatch() while one of `events` (EPOLLIN, EPOLLOUT... of
 * <sys/epoll.h>) is there, with those that are, and never by two threads at a
 * time. It is called without the host's lock and may call the library. The
 * descriptor stays the application's: it is unwatched before it is closed.
 * -EEXIST: it is watched already, -EPERM: it is of a kind that cannot be
 * (a plain file), -EBADF, -ENOMEM, -ENOSPC.
 */
int rs_host_watch(struct rs_host *host, int fd, uint32_t events,
                  void (*ready)(void *data, uint32_t events), void *data);

/* After the return `ready` is not called any more, and does not run in another
 * thread. -ENOENT: it is not watched. */
int rs_host_unwatch(struct rs_host *host, int fd);

struct rs_domain_config {
    const char *name;    /* unique among live domains; NULL: "domain-N" */
    const char *cmdline; /* at most RS_CMDLINE_MAX - 1 bytes; NULL: "" */
    uint64_t memory_kib; /* highest RAM address; the first MiB is absent */
    unsigned int vcpus;  /* 1 to 8; 0: 1 */
    const void *kernel;  /* ELF image (docs/engine.md), read before return */
    size_t kernel_size;
    const void *module; /* optional, placed after the image */
    size_t module_size;
    unsigned int flags; /* RS_DOMAIN_... of domain.h */
    /* Receives what the guest writes by CONSOLEIO_write and what the
     * hypervisor says about it (a crash report). Must not call the library. */
    void (*console)(void *data, const char *bytes, size_t n);
    void *data;
};
/* Creates a paused domain and returns its domid (> 0) or -errno:
 * -EEXIST name in use, -ENOEXEC not a bootable image, -ENOMEM over budget or
 * image larger than its memory, -EINVAL. */
int rs_domain_create(struct rs_host *host,
                     const struct rs_domain_config *config);

/* Pauses nest. After rs_domain_pause() returns no vCPU runs. -ESRCH. */
int rs_domain_pause(struct rs_host *host, uint16_t domid);
int rs_domain_unpause(struct rs_host *host, uint16_t domid);

/* Ends it at once and frees it; nothing of it runs after the return. */
int rs_domain_destroy(struct rs_host *host, uint16_t domid);

int rs_domain_info(struct rs_host *host, uint16_t domid,
                   struct rs_domain_info *info);

/* Fills at most max entries by ascending domid; returns how many. */
int rs_domain_list(struct rs_host *host, struct rs_domain_info *info,
                   unsigned int max);

/* Fills at most max entries, of vCPU 0 and on; returns how many. -ESRCH. */
int rs_vcpu_list(struct rs_host *host, uint16_t domid,
                 struct rs_vcpu_info *info, unsigned int max);

/* Has a vCPU run on these processors only; ~0: on any. -ESRCH, -ENOENT: there
 * is no such vCPU, -EINVAL: none of them is there. */
int rs_vcpu_pin(struct rs_host *host, uint16_t domid, unsigned int vcpu,
                uint64_t cpus);

/* Counters of what a domain asked of the hypervisor since its creation: fills
 * at most max entries, one per hypercall that it made; returns how many.
 * -ESRCH. */
int rs_hypercall_stats(struct rs_host *host, uint16_t domid,
                       struct rs_hypercall_stats *stats, unsigned int max);

/* -ESRCH: no such guest. All 0 with an engine that counts nothing there. */
int rs_guest_counts(struct rs_host *host, uint16_t domid,
                    struct rs_guest_counts *counts);

void rs_host_info(struct rs_host *host, struct rs_host_info *info);

/*
 * Opens the control socket at `path` for tools, the store and the driver
 * domain (docs/control.md); unlinked by rs_host_free(). A program that listens
 * ignores SIGPIPE: a tool may go away while a guest writes to its console.
 */
int rs_host_listen(struct rs_host *host, const char *path);

/* "0.1.0" */
const char *rs_version(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
