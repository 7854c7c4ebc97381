/*
 * Notifications: system calls of a guest that Linux holds until the
 * hypervisor replies. A hypercall is dispatched; Linux carries out a change of
 * the address space only if mappings.c allows it.
 *
 * One call of one vCPU is handled at a time, from RECV to SEND. A vCPU that is
 * down gets its reply when it is up again. After a domain shut down no call is
 * replied to: its vCPUs sleep until they are killed.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#include "emulate/emulate.h"
#include "trap.h"
#include "hypercalls/hypercall.h"
#include "sandbox.h"

#define CALLS_IN_A_ROW 8 /* of a guest, while others wait; all its vCPUs */
#define ROW_BUDGETS    2 /* a row lasts as long as so many budgets of a call */

/* What becomes of a system call: a value, Linux carries it out, or none. */
enum verdict { REPLY, CONTINUE, HOLD };

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

static struct sandbox_vcpu *vcpu_by_tid(struct sandbox_domain *sd, pid_t tid)
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

static enum verdict handle(struct sandbox_domain *sd, int nr,
                           const uint64_t *args, int64_t *value)
{
    struct domain *d = sd->domain;

    *value = 0;
    switch (nr) {
    case __NR_mmap:
        *value = -EPERM;
        return mappings_check_mmap(sd->caller, args) ? CONTINUE : REPLY;
    case __NR_mprotect:
        *value = -EINVAL;
        return mappings_check_mprotect(sd->caller, args) ? CONTINUE : REPLY;
    case SANDBOX_CALL_FINISH:
        guest_fds_revoke(sd->caller);
        return REPLY;
    case SANDBOX_CALL_CRASH:
        crash(d, args);
        return HOLD;
    case SANDBOX_CALL_EXIT:
        *value = emulate(sd->caller->vcpu, args);
        return REPLY;
    case SANDBOX_CALL_RUNSTATE:
        vcpu_publish_runstate(sd->caller->vcpu, sd->caller->vcpu);
        return REPLY;
    case SANDBOX_CALL_START: /* a guest that calls it again gets nothing */
        return REPLY;
    case SANDBOX_CALL_MAIL:
        mailbox_serve(sd->caller->vcpu);
        return REPLY;
    default:
        nr -= (int)SANDBOX_BASE;
        mailbox_missed(sd, (unsigned int)nr, args[0]);
        *value = hypercall_dispatch(sd->caller->vcpu, (unsigned int)nr, args);
        sandbox_publish_continuation(sd->caller->vcpu);
        return REPLY;
    }
}

static void answer(struct sandbox_domain *sd, uint64_t id, int64_t value,
                   bool runs)
{
    struct seccomp_notif_resp *r = sd->host->resp;

    mailbox_choose_wake(sd);
    memset(r, 0, sd->host->resp_size);
    r->id = id;
    if (runs)
        r->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else
        r->val = value;
    /* ENOENT: it was killed meanwhile. */
    ioctl(sd->listener.fd, SECCOMP_IOCTL_NOTIF_SEND, r);
}

static void hold(struct sandbox_vcpu *sv, uint64_t id, int64_t value, bool runs)
{
    sv->held.waits = true;
    sv->held.id = id;
    sv->held.value = value;
    sv->held.runs = runs;
}

void notify_release(struct sandbox_vcpu *sv)
{
    struct sandbox_domain *sd = sv->vcpu->domain->engine;

    if (!sv->held.waits)
        return;
    sv->held.waits = false;
    answer(sd, sv->held.id, sv->held.value, sv->held.runs);
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
    sv = vcpu_by_tid(sd, (pid_t)q->pid);
    starts = !sv && q->data.nr == SANDBOX_CALL_START;
    if (starts)
        sv = introduce(sd, (pid_t)q->pid, args[0]);
    if (!sv)
        return;
    sd->notif_id = q->id;
    sd->caller = sv;
    sd->in_call = true;
    /* A look may come between a call and what it left to be done. */
    mappings_finish(sv, q->data.nr >= (int)SANDBOX_BASE &&
                            q->data.nr != SANDBOX_CALL_RUNSTATE);
    verdict = d->shut_down ? HOLD : handle(sd, q->data.nr, args, &value);
    if (verdict != HOLD && !d->shut_down) {
        if (starts || !sv->vcpu->up)
            hold(sv, sd->notif_id, value, verdict == CONTINUE);
        else
            answer(sd, sd->notif_id, value, verdict == CONTINUE);
    }
    sd->in_call = false;
    sd->caller = NULL;
    if (notify_is_parked(sd) && d->pause_count == 0 && !d->shut_down)
        notify_start(sd);
}

/*
 * A row of calls is the domain's, whichever of its vCPUs make them: it ends
 * when two budgets of time are used up, whatever the calls cost.
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
           pacing_another_call(sd));
}

/* ---- the listener ---- */

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
    if (pacing_set_sync(fd, true))
        sd->host->sync_wake = false;
    if (host_watch(h, &sd->listener, fd, EPOLLIN, call_ready, sd))
        domain_crash(sd->domain, "cannot watch its hypercalls");
}
