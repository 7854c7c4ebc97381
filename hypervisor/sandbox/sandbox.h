/*
 * The rooms of the sandbox engine, among themselves:
 *
 *   zygote.c  the process that spawns domain processes
 *   filter.c  what a guest may ask of Linux, as two seccomp filters
 *   notify.c  hypercalls and address-space changes, as notifications
 *   vcpu_thread.c  a vCPU as a thread: raised, lowered, looked at
 *   sandbox.c struct engine_ops: create, pause, resume, kill, ports
 *   stub/     what runs inside the guest's process
 */
#ifndef RINGSIDE_SANDBOX_H
#define RINGSIDE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "domain.h"
#include "layout.h"

/* Of the host: rs_host.engine_host. */
struct sandbox_host {
    struct rs_host *host;
    int zygote_fd; /* SEQPACKET; EOF ends the zygote */
    pid_t zygote_pid;
    struct watch zygote_watch;
    int boot_fd;  /* struct sandbox_boot, read-only for stubs */
    int dummy_fd; /* what a closed port's descriptor is replaced by */
    size_t notif_size, resp_size;
    struct seccomp_notif *notif; /* buffers of that size */
    struct seccomp_notif_resp *resp;
    bool sync_wake; /* the kernel has synchronous wake-up (6.6) */
};

/* A change that the vCPU was told to make. */
struct pending_change {
    struct sandbox_change change;
    enum { CHANGE_TOLD, CHANGE_LET_GO } state;
    void (*done)(struct vcpu *, uint64_t);
    uint64_t arg;
};

/* A vCPU, that is a thread: vcpu.engine. */
struct sandbox_vcpu {
    struct vcpu *vcpu;
    int epfd;  /* shared with the guest: its ports */
    pid_t tid; /* 0: it has not started yet */
    struct {   /* an answer that waits for the vCPU to be up */
        bool waits, let_go;
        uint64_t id;
        int64_t value;
    } held;
    struct pending_change pending[SANDBOX_MAX_CHANGES];
    unsigned int nr_pending;
    uint64_t protecting; /* page whose mprotect() may not have run; 0: none */
};

/* Of a domain: domain.engine. */
struct sandbox_domain {
    struct domain *domain;
    struct sandbox_host *host;
    int pidfd;
    struct watch socket; /* until the listener arrived */
    struct watch listener;
    bool dead;            /* the process has ended */
    unsigned int started; /* vCPUs that wait in their start call, or did */
    bool entered;         /* guest code may have run */
    bool in_call;         /* a notification is being handled: */
    uint64_t notif_id;
    struct sandbox_vcpu *caller; /* who made it */
    struct {
        struct sandbox_vcpu *to; /* NULL: free */
        uint64_t notif_id;       /* in which call it was lent */
        int file;
    } foreign[SANDBOX_FDS - SANDBOX_FD_FOREIGN]; /* descriptors lent */
    struct sandbox_vcpu vcpu[];                  /* as many as the domain has */
};

static inline struct sandbox_page *sandbox_page_of(struct vcpu *v)
{
    return memory_own_page(v->domain, MEMORY_OWN_ENGINE(v->id));
}

/* ---- zygote.c ---- */

int zygote_open(struct sandbox_host *s);
void zygote_close(struct sandbox_host *s);
/* Spawns a stub with these descriptors; its pid, or -errno. The process's
 * end is told by sandbox_process_ended(). */
int zygote_spawn(struct sandbox_host *s, int ram_fd, int socket_fd,
                 const int *epoll_fds, unsigned int nr_vcpus,
                 uint64_t page_offset, int *pidfd);

/* ---- filter.c ---- */

/* A sealed memfd that holds struct sandbox_boot, or -errno. */
int filter_build(void);

/* ---- notify.c ---- */

/* The listener arrived on the domain's socket. */
void notify_listener_ready(void *data, uint32_t events);
/* Gives the guest descriptor `fd` as its `number`. Only inside a call. */
int notify_install_fd(struct sandbox_domain *sd, int fd, int number);
/* Do all vCPUs wait for the guest to be entered? */
bool notify_is_parked(const struct sandbox_domain *sd);
/* Answers vCPU 0's start call: the guest is entered. */
void notify_start(struct sandbox_domain *sd);
/* Gives the answer that waited for this vCPU, if one did. */
void notify_release(struct sandbox_vcpu *sv);
int notify_physmap_set(struct vcpu *v, xen_pfn_t gfn, uint32_t pages, int file,
                       uint64_t offset, int writable,
                       void (*done)(struct vcpu *, uint64_t), uint64_t arg);

/* ---- vcpu_thread.c: members of struct engine_ops, and: ---- */

void sandbox_vcpu_up(struct vcpu *v);
void sandbox_vcpu_down(struct vcpu *v);
void sandbox_vcpu_look(struct vcpu *v, struct vcpu_look *out);
int sandbox_vcpu_pin(struct vcpu *v, uint64_t cpus);
/* Tells the stub the registers that v begins with. */
void sandbox_fill_entry(struct vcpu *v);
/* Does it execute nothing, and will not before SIGCONT or our answer? */
bool sandbox_vcpu_stopped(const struct sandbox_vcpu *sv);

/* ---- sandbox.c ---- */

/* The process `pid` ended with a wait status. */
void sandbox_process_ended(struct sandbox_host *s, pid_t pid, int status);
/* The zygote ended, and with it every domain's process. */
void sandbox_zygote_ended(struct sandbox_host *s);
/* Puts the descriptors of all ports into a guest that is about to start. */
int sandbox_install_ports(struct sandbox_domain *sd);

#endif
