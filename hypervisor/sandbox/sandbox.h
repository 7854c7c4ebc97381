/*
 * What the files of the sandbox engine share:
 *
 *   zygote.c  the process that spawns domain processes
 *   filter.c  what a guest may ask of Linux, as two seccomp filters
 *   notify.c  hypercalls and address-space changes, as notifications
 *   mappings.c which changes of a guest's mappings, in which order, and when
 *             they are finished
 *   guest_fds.c  descriptors in a guest's process
 *   pacing.c  waiting for a guest's next call without sleep
 *   mailbox.c hypercalls that a running vCPU asks for in memory
 *   vcpu_thread.c  a vCPU as a thread: raised, lowered, looked at
 *   sandbox.c struct engine_ops: create, pause, resume, kill, ports
 *   stub/     what runs inside the guest's process
 */
#ifndef RINGSIDE_SANDBOX_H
#define RINGSIDE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
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
    bool sync_wake;          /* the kernel has synchronous wake-up (6.6) */
    uint64_t no_yield_ns;    /* until then; notify.c */
    struct list ring_active; /* domains whose mailboxes are looked at */
    int ring_credit;         /* calls by mailbox against notifications */
    struct list *ring_next;  /* whom next; kept right by removals */
    struct list ring_async;  /* domains without synchronous wake-up */
};

/* A change that the vCPU's stub is to make, or that Linux carries out. */
struct pending_change {
    struct sandbox_change change;
    enum { CHANGE_QUEUED, CHANGE_CONTINUED } state;
    void (*done)(struct vcpu *, uint64_t);
    uint64_t arg;
};

/* A vCPU, that is a thread: vcpu.engine. */
struct sandbox_vcpu {
    struct vcpu *vcpu;
    int epfd;  /* shared with the guest: its ports */
    pid_t tid; /* 0: it has not started yet */
    struct {   /* an answer that waits for the vCPU to be up */
        bool waits, runs;
        uint64_t id;
        int64_t value;
    } held;
    struct pending_change pending[SANDBOX_MAX_CHANGES];
    unsigned int nr_pending;
    uint32_t asked;      /* number of the last request in its mailbox */
    uint64_t protecting; /* page whose mprotect() may not have run; 0: none */
};

/* Of a domain: domain.engine. */
struct sandbox_domain {
    struct domain *domain;
    struct sandbox_host *host;
    int pidfd;
    struct watch socket; /* until the listener arrived */
    struct watch listener;
    struct watch exit;               /* the pidfd, while it is being killed */
    bool dead;                       /* the process has ended */
    const struct sandbox_vcpu *lost; /* whose thread ended before, or NULL */
    unsigned int started; /* vCPUs that wait in their start call, or did */
    bool entered;         /* guest code may have run */
    bool in_call;         /* a notification is being handled: */
    uint64_t notif_id;
    struct sandbox_vcpu *caller; /* who made it */
    struct {
        struct sandbox_vcpu *to; /* NULL: free */
        uint64_t notif_id;       /* in which call it was installed */
        int file;
    } foreign[SANDBOX_FDS -
              SANDBOX_FD_FOREIGN]; /* descriptors of other domains' files */
    struct {
        uint64_t id;         /* that the kernel will give to its next call */
        unsigned int skip;   /* so often we do not ask whether it is there */
        unsigned int misses; /* how often in a row it was not */
    } next;                  /* notify.c */
    struct {                 /* mailbox.c */
        struct list link;
        bool active;            /* its mailboxes are looked at */
        uint64_t served;        /* calls, since it is active */
        unsigned int useless;   /* how often in a row looking was in vain */
        unsigned int next_vcpu; /* whose mailbox is looked at first */
        bool async;             /* in ring_async, by link_async */
        struct list link_async;
        uint64_t last_ns;       /* its last call that a mailbox may carry */
        uint64_t bound_ns;      /* how long to look at empty mailboxes */
        uint64_t not_before_ns; /* not to be active before */
    } ring;
    struct sandbox_vcpu vcpu[]; /* as many as the domain has */
};

static inline struct sandbox_page *sandbox_page_of(struct vcpu *v)
{
    return memory_own_page(v->domain, MEMORY_OWN_ENGINE(v->id));
}

/* After a hypercall: the stub makes what was preempted again. */
static inline void sandbox_publish_continuation(struct vcpu *v)
{
    struct sandbox_page *page = sandbox_page_of(v);

    page->continued = v->continued;
    memcpy(page->continuation, v->continuation, sizeof(page->continuation));
}

/* ---- zygote.c ---- */

int zygote_open(struct sandbox_host *s);
void zygote_close(struct sandbox_host *s);
/* Spawns a stub with these descriptors; its pid, or -errno. The process's
 * end is reported by sandbox_process_ended(). */
int zygote_spawn(struct sandbox_host *s, int ram_fd, int socket_fd,
                 const int *epoll_fds, unsigned int nr_vcpus,
                 uint64_t page_offset, int *pidfd);

/* ---- filter.c ---- */

/* A sealed memfd that holds struct sandbox_boot, or -errno. */
int filter_build(void);

/* ---- guest_fds.c: only inside a call ---- */

/* Gives the guest descriptor `fd` as its `number`. */
int guest_fds_set(struct sandbox_domain *sd, int fd, int number);
/* The descriptor under which the calling vCPU may map `file`, or -errno. */
int guest_fds_install(struct sandbox_domain *sd, int file);
/* sv has made all mappings that it wants: takes the files from it. */
void guest_fds_revoke(struct sandbox_vcpu *sv);

/* ---- notify.c ---- */

/* The listener arrived on the domain's socket. */
void notify_listener_ready(void *data, uint32_t events);
/* Do all vCPUs wait for the guest to be entered? */
bool notify_is_parked(const struct sandbox_domain *sd);
/* Replies to vCPU 0's start call: the guest is entered. */
void notify_start(struct sandbox_domain *sd);
/* Sends the reply that waited for this vCPU, if one did. */
void notify_release(struct sandbox_vcpu *sv);

/* ---- pacing.c ---- */

/* Should a call run the hypervisor, and a reply its caller, at once on the
 * processor of the other, which is about to sleep? Not 0: it cannot be had. */
int pacing_set_sync(int listener, bool sync);
/* After a reply: has the guest made its next call, now or after a yield? */
bool pacing_another_call(struct sandbox_domain *sd);

/* ---- mappings.c ---- */

/* Member of struct engine_ops: physmap_set(). */
int mappings_queue(struct vcpu *v, xen_pfn_t gfn, uint32_t pages, int file,
                   uint64_t offset, int writable,
                   void (*done)(struct vcpu *, uint64_t), uint64_t arg);
/* sv calls mmap() or mprotect() with these arguments: may it run? */
bool mappings_check_mmap(struct sandbox_vcpu *sv, const uint64_t args[6]);
bool mappings_check_mprotect(struct sandbox_vcpu *sv, const uint64_t args[6]);
/* sv calls again: finishes the changes that Linux was let carry out. At a
 * hypercall it also forgets queued changes that sv did not make. */
void mappings_finish(struct sandbox_vcpu *sv, bool hypercall);

/* ---- mailbox.c ---- */

/* Member of struct engine_ops. */
bool mailbox_poll(struct rs_host *h);
/* A hypercall came by notification: should mailboxes be looked at? */
void mailbox_missed(struct sandbox_domain *sd, unsigned int nr, uint64_t cmd);
/* A notification came: it waited for us, or was more than we were looking for.
 */
void mailbox_interrupted(struct sandbox_host *s);
/* Its listener and its process are gone: looks at it no more. */
void mailbox_close(struct sandbox_domain *sd);
/* Before an answer to sd: how to wake it. */
void mailbox_choose_wake(struct sandbox_domain *sd);
/* Does what v asks for in its mailbox, or refuses it; false: nothing new. */
bool mailbox_serve(struct vcpu *v);

/* ---- vcpu_thread.c: members of struct engine_ops, and: ---- */

void sandbox_vcpu_up(struct vcpu *v);
void sandbox_vcpu_down(struct vcpu *v);
void sandbox_vcpu_times(struct vcpu *v, struct vcpu_times *out);
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
/*
 * The thread of sv has ended, and no pidfd reported that its process has. The
 * filter leaves no way to that. If there is one all the same, the domain does
 * not go on without this vCPU: its process is killed, and its end reported.
 */
void sandbox_vcpu_lost(const struct sandbox_vcpu *sv);
/* Puts the descriptors of all ports into a guest that is about to start. */
int sandbox_install_ports(struct sandbox_domain *sd);

#endif
