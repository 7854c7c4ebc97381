/*
 * Notifications: what a guest asked by a system call that Linux holds until
 * we answer. A hypercall is dispatched; a change of the address space is let
 * go only if changes.c allows it.
 *
 * One call of one vCPU is handled at a time, from RECV to SEND. A vCPU that is
 * down gets its answer when it is up again. After a domain shut down no call is
 * answered: its vCPUs sleep until they are killed.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#include "emulate/emulate.h"
#include "trap.h"
#include "hypercalls/hypercall.h"
#include "sandbox.h"

/* Newer than Debian 12's headers (Linux 6.6). */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ul
#endif

#define CALLS_IN_A_ROW 8 /* of a guest, while others wait; all its vCPUs */
#define ROW_BUDGETS    2 /* times what a turn may take: so long a row goes on */
#define NEXT_MISSES    6

#define YIELD_LONG_NS      10000ull /* twice as long as a call takes */
#define YIELD_PAUSE        32u /* times what a long one took, until the next */
#define YIELD_WORST_NS     1000000ull
#define YIELD_PAUSE_MAX_NS 10000000000ull

enum verdict { ANSWER, LET_GO, KEEP };

/* ---- descriptors ---- */

int notify_install_fd(struct sandbox_domain *sd, int fd, int number)
{
    struct seccomp_notif_addfd add = {
        .id = sd->notif_id,
        .flags = SECCOMP_ADDFD_FLAG_SETFD,
        .srcfd = (uint32_t)fd,
        .newfd = (uint32_t)number,
    };

    if (!sd->in_call)
        return -EBUSY;
    return ioctl(sd->listener.fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno
                                                                       : 0;
}

/* ---- calls ---- */

static void crash(struct domain *d, const uint64_t *a)
{
    const char *name = a[0] < 256 ? trap_name((unsigned int)a[0]) : NULL;

    domain_crash(d, "%s at rip %#llx, address %#llx, error code %#llx",
                 name ? name : "trap", (unsigned long long)a[1],
                 (unsigned long long)a[2], (unsigned long long)a[3]);
}

/* A native kernel's: the registers are copied in once, and out again. */
static int64_t emulate(struct vcpu *v, const uint64_t *args)
{
    struct sandbox_page *page = sandbox_page_of(v);
    struct cpu_user_regs regs;
    struct emulate_next next;

    if (!v->emulated)
        return -ENOSYS;
    if (copy_from_guest(v, &regs, guest_addr(args[2]), sizeof(regs)))
        return -EFAULT;
    next = v->domain->host->emulate->exit(
        v, args[0] ? EMULATE_INTERRUPT : EMULATE_TRAP, args[1], &regs);
    page->exit.new_fs = next.new_fs;
    page->exit.fs_base = next.fs_base;
    page->exit.deadline = next.deadline;
    if (copy_to_guest(v, guest_addr(args[2]), &regs, sizeof(regs)))
        return -EFAULT;
    return next.halted;
}

/* ---- vCPUs ---- */

static struct sandbox_vcpu *by_thread(struct sandbox_domain *sd, pid_t tid)
{
    for (unsigned int i = 0; i < sd->domain->nr_vcpus; i++)
        if (sd->vcpu[i].tid == tid)
            return &sd->vcpu[i];
    return NULL;
}

/*
 * A thread says which vCPU it is. Until all have, no guest code runs, so this
 * is the stub's word and not the guest's.
 */
static struct sandbox_vcpu *introduce(struct sandbox_domain *sd, pid_t tid,
                                      uint64_t vcpu)
{
    if (sd->entered || vcpu >= sd->domain->nr_vcpus || sd->vcpu[vcpu].tid)
        return NULL;
    sd->vcpu[vcpu].tid = tid;
    sd->started++;
    if (sd->vcpu[vcpu].vcpu->cpus)
        sandbox_vcpu_pin(sd->vcpu[vcpu].vcpu, sd->vcpu[vcpu].vcpu->cpus);
    return &sd->vcpu[vcpu];
}

void notify_tell_rest(struct vcpu *v)
{
    struct sandbox_page *page = sandbox_page_of(v);

    page->continued = v->continued;
    memcpy(page->continuation, v->continuation, sizeof(page->continuation));
}

static enum verdict handle(struct sandbox_domain *sd, int nr,
                           const uint64_t *args, int64_t *value)
{
    struct domain *d = sd->domain;

    *value = 0;
    switch (nr) {
    case __NR_mmap:
        *value = -EPERM;
        return changes_allow_mmap(sd->caller, args) ? LET_GO : ANSWER;
    case __NR_mprotect:
        *value = -EINVAL;
        return changes_allow_mprotect(sd->caller, args) ? LET_GO : ANSWER;
    case SANDBOX_CALL_FINISH:
        changes_take_files_back(sd->caller);
        return ANSWER;
    case SANDBOX_CALL_CRASH:
        crash(d, args);
        return KEEP;
    case SANDBOX_CALL_EXIT:
        *value = emulate(sd->caller->vcpu, args);
        return ANSWER;
    case SANDBOX_CALL_LOOK:
        vcpu_publish_runstate(sd->caller->vcpu, sd->caller->vcpu);
        return ANSWER;
    case SANDBOX_CALL_START: /* a guest that calls it again gets nothing */
        return ANSWER;
    case SANDBOX_CALL_MAIL:
        mailbox_serve(sd->caller->vcpu);
        return ANSWER;
    default:
        nr -= (int)SANDBOX_BASE;
        mailbox_missed(sd, (unsigned int)nr, args[0]);
        *value = hypercall_dispatch(sd->caller->vcpu, (unsigned int)nr, args);
        notify_tell_rest(sd->caller->vcpu);
        return ANSWER;
    }
}

static void answer(struct sandbox_domain *sd, uint64_t id, int64_t value,
                   bool let_go)
{
    struct seccomp_notif_resp *r = sd->host->resp;

    mailbox_choose_wake(sd);
    memset(r, 0, sd->host->resp_size);
    r->id = id;
    if (let_go)
        r->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else
        r->val = value;
    /* ENOENT: it was killed meanwhile. */
    ioctl(sd->listener.fd, SECCOMP_IOCTL_NOTIF_SEND, r);
}

static void hold(struct sandbox_vcpu *sv, uint64_t id, int64_t value,
                 bool let_go)
{
    sv->held.waits = true;
    sv->held.id = id;
    sv->held.value = value;
    sv->held.let_go = let_go;
}

void notify_release(struct sandbox_vcpu *sv)
{
    struct sandbox_domain *sd = sv->vcpu->domain->engine;

    if (!sv->held.waits)
        return;
    sv->held.waits = false;
    answer(sd, sv->held.id, sv->held.value, sv->held.let_go);
}

bool notify_is_parked(const struct sandbox_domain *sd)
{
    return !sd->entered && sd->started == sd->domain->nr_vcpus;
}

void notify_start(struct sandbox_domain *sd)
{
    struct sandbox_vcpu *first = &sd->vcpu[0];
    int err;

    sd->entered = true;
    sd->domain->started_ns = host_now();
    sd->in_call = true;
    sd->caller = first;
    sd->notif_id = first->held.id;
    err = sandbox_install_ports(sd);
    if (err)
        domain_crash(sd->domain, "cannot give it its event channels: %s",
                     strerror(-err));
    else
        notify_release(first);
    sd->in_call = false;
}

/* ---- taking calls ---- */

/* Takes a call that is there: RECV would sleep for one that is not. */
static void take_call(struct sandbox_domain *sd)
{
    struct domain *d = sd->domain;
    struct seccomp_notif *q = sd->host->notif;
    struct sandbox_vcpu *sv;
    uint64_t args[6];
    enum verdict verdict;
    int64_t value;
    bool starts;

    memset(q, 0, sd->host->notif_size);
    if (ioctl(sd->listener.fd, SECCOMP_IOCTL_NOTIF_RECV, q))
        return; /* it was killed, or interrupted, meanwhile */
    sd->next.id = q->id + 1;
    mailbox_interrupted(sd->host);
    memcpy(args, q->data.args, sizeof(args));
    sv = by_thread(sd, (pid_t)q->pid);
    starts = !sv && q->data.nr == SANDBOX_CALL_START;
    if (starts)
        sv = introduce(sd, (pid_t)q->pid, args[0]);
    if (!sv)
        return;
    sd->notif_id = q->id;
    sd->caller = sv;
    sd->in_call = true;
    /* A look may come between a call and what it left to be done. */
    changes_finish(sv, q->data.nr >= (int)SANDBOX_BASE &&
                           q->data.nr != SANDBOX_CALL_LOOK);
    verdict = d->shut_down ? KEEP : handle(sd, q->data.nr, args, &value);
    if (verdict != KEEP && !d->shut_down) {
        if (starts || !sv->vcpu->up)
            hold(sv, sd->notif_id, value, verdict == LET_GO);
        else
            answer(sd, sd->notif_id, value, verdict == LET_GO);
    }
    sd->in_call = false;
    sd->caller = NULL;
    if (notify_is_parked(sd) && d->pause_count == 0 && !d->shut_down)
        notify_start(sd);
}

/*
 * Has the guest made its next call meanwhile? It mostly has if it makes many,
 * because who is answered runs before we come back. The kernel numbers the
 * calls of a listener; an answer to the next one, which nobody has taken, is
 * refused with EINPROGRESS if it is there and with ENOENT if not, for half of
 * what epoll takes to say so.
 */
static bool next_is_there(struct sandbox_domain *sd)
{
    struct seccomp_notif_resp *r = sd->host->resp;

    memset(r, 0, sd->host->resp_size);
    r->id = sd->next.id;
    return ioctl(sd->listener.fd, SECCOMP_IOCTL_NOTIF_SEND, r) &&
           errno == EINPROGRESS;
}

/*
 * For how long nobody yields after a yield that took so long: for a multiple,
 * and a higher one the longer it was. A yield of milliseconds says that this
 * processor is not enough for all.
 */
static uint64_t pause_after_yield(uint64_t took)
{
    if (took <= YIELD_LONG_NS)
        return 0;
    if (took >= YIELD_WORST_NS)
        return YIELD_PAUSE_MAX_NS;
    return YIELD_PAUSE * took * (took / YIELD_LONG_NS);
}

/*
 * Where the scheduler did not put the guest before us at once, it does so if
 * asked; that is quicker than to sleep and to be woken by the next call. But
 * all that the host does waits, if the guest then computes or if others need
 * this processor: so not again soon after one that took long, by anybody.
 */
static bool next_is_there_soon(struct sandbox_domain *sd)
{
    uint64_t before, now;

    if (next_is_there(sd))
        return true;
    if (!sd->host->sync_wake || !list_empty(&sd->host->ring_active))
        return false; /* it runs elsewhere; or many wait for us */
    before = host_now();
    if (before < sd->host->no_yield_ns)
        return false;
    sched_yield();
    now = host_now();
    sd->host->no_yield_ns = now + pause_after_yield(now - before);
    return next_is_there(sd);
}

/* A guest whose calls do not follow each other is asked ever more seldom. */
static bool another_call(struct sandbox_domain *sd)
{
    const struct domain *d = sd->domain;

    if (sd->next.skip) {
        sd->next.skip--;
        return false;
    }
    if (d->shut_down || d->pause_count || host_is_wanted(d->host))
        return false;
    if (next_is_there_soon(sd)) {
        sd->next.misses = 0;
        return true;
    }
    if (sd->next.misses < NEXT_MISSES)
        sd->next.misses++;
    sd->next.skip = (1u << sd->next.misses) - 1;
    return false;
}

/*
 * A row of calls is the domain's, whichever of its vCPUs make them: it ends
 * when it has taken as long as two turns, whatever the calls cost.
 */
static void call_ready(void *data, uint32_t events)
{
    struct sandbox_domain *sd = data;
    uint64_t limit = ROW_BUDGETS * sd->domain->host->budget_ticks;
    uint64_t start = __rdtsc();
    unsigned int n = 0;

    if (!(events & EPOLLIN)) {
        /* The process has ended. */
        host_unwatch(sd->domain->host, &sd->listener);
        return;
    }
    do
        take_call(sd);
    while (++n < CALLS_IN_A_ROW && __rdtsc() - start < limit &&
           another_call(sd));
}

/* ---- the listener ---- */

int notify_set_sync(int listener, bool sync)
{
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                 sync ? SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP : 0);
}

static int receive_listener(int sock)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec iov = { &byte, 1 };
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof(control) };
    struct cmsghdr *c;
    int fd = -1;

    if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1)
        return -EPIPE;
    c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(int));
    return fd >= 0 ? fd : -EPROTO;
}

void notify_listener_ready(void *data, uint32_t events)
{
    struct sandbox_domain *sd = data;
    struct rs_host *h = sd->domain->host;
    int fd = receive_listener(sd->socket.fd);

    (void)events;
    host_unwatch(h, &sd->socket);
    close(sd->socket.fd);
    sd->socket.fd = -1;
    if (fd < 0)
        return; /* the process ended: its status will say why */
    if (notify_set_sync(fd, true))
        sd->host->sync_wake = false;
    if (host_watch(h, &sd->listener, fd, EPOLLIN, call_ready, sd))
        domain_crash(sd->domain, "cannot watch its hypercalls");
}
