/*
 * A guest whose system calls the test makes. See puppet.h.
 */
#include "puppet.h"

#include <asm/unistd.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hypercalls/hypercall.h"
#include "preempt.h"

/* ---- life ---- */

/* A file in the vCPU's epoll set that we write to when it has something to
 * do; its number is no port's. */
static int add_wake(struct sandbox_vcpu *sv)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = ~0ull };
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(epoll_ctl(sv->epfd, EPOLL_CTL_ADD, fd, &ev), 0);
    return fd;
}

/* It has come to its loop when it did something. Before that its start may be
 * held, until all threads are there. */
static void await_first_call(struct puppets *p, unsigned int vcpu)
{
    uint64_t end = confine_deadline();

    puppet_ask(p, vcpu, __NR_sched_yield, (const uint64_t[6]){ 0 });
    while (!puppet_wait(p, vcpu)) {
        if (host_now() > end)
            fail_msg("vCPU %u does not start", vcpu);
        rs_host_dispatch(p->c->h, 1);
    }
    assert_int_equal(puppet_result(p, vcpu), 0);
}

void puppets_boot(struct puppets *p, struct confined *c, unsigned int nr)
{
    uint16_t domid;

    assert_true(nr <= PUPPET_MAX);
    memset(p, 0, sizeof(*p));
    p->c = c;
    p->nr = nr;
    /* A batch is done in one turn, however slow the machine is. */
    c->h->budget_ticks = PREEMPT_UNTIMED;
    confine_vcpus = nr;
    domid = confine_create(c, PROBE_KIB, "puppets");
    confine_vcpus = 1;
    p->d = host_domain(c->h, domid);
    p->slot = confine_at(c, domid, PROBE_SLOTS);
    for (unsigned int i = 0; i < nr; i++)
        p->wake[i] = add_wake(puppet_vcpu(p, i));
    assert_int_equal(rs_domain_unpause(c->h, domid), 0);
    for (unsigned int i = 0; i < nr; i++)
        await_first_call(p, i);
}

void puppets_destroy(struct puppets *p)
{
    assert_int_equal(rs_domain_destroy(p->c->h, p->d->domid), 0);
    for (unsigned int i = 0; i < p->nr; i++)
        close(p->wake[i]);
}

/* ---- calls ---- */

void *puppet_args(const struct puppets *p, unsigned int vcpu)
{
    return confine_at(p->c, p->d->domid, PUPPET_ARGS(vcpu));
}

void puppet_ask(struct puppets *p, unsigned int vcpu, unsigned long nr,
                const uint64_t args[6])
{
    struct probe_slot *s = &p->slot[vcpu];
    uint64_t one = 1;

    assert_false(p->busy[vcpu]);
    p->busy[vcpu] = true;
    s->nr = nr;
    memcpy(s->args, args, sizeof(s->args));
    __atomic_store_n(&s->asked, s->asked + 1, __ATOMIC_RELEASE);
    assert_int_equal(write(p->wake[vcpu], &one, sizeof(one)), sizeof(one));
}

bool puppet_wait(struct puppets *p, unsigned int vcpu)
{
    const struct probe_slot *s = &p->slot[vcpu];
    uint64_t end = confine_deadline();

    while (__atomic_load_n(&s->done, __ATOMIC_ACQUIRE) != s->asked) {
        if (puppet_vcpu(p, vcpu)->held.waits)
            return false;
        if (p->d->shut_down)
            fail_msg("the guest has ended: %s", p->d->crash);
        if (host_now() > end)
            fail_msg("vCPU %u does not answer", vcpu);
        rs_host_dispatch(p->c->h, 0);
        sched_yield();
    }
    p->busy[vcpu] = false;
    return true;
}

long puppet_result(const struct puppets *p, unsigned int vcpu)
{
    return p->slot[vcpu].ret;
}

long puppet_call_args(struct puppets *p, unsigned int vcpu, unsigned long nr,
                      const uint64_t args[6])
{
    puppet_ask(p, vcpu, nr, args);
    assert_true(puppet_wait(p, vcpu));
    return puppet_result(p, vcpu);
}

/* ---- changes ---- */

struct sandbox_change puppet_told(const struct puppets *p, unsigned int vcpu,
                                  unsigned int i)
{
    const struct sandbox_page *page = sandbox_page_of(&p->d->vcpu[vcpu]);

    assert_true(i < page->nr_changes);
    return page->change[i];
}

void puppet_mmap_args(const struct sandbox_change *c, uint64_t args[6])
{
    args[0] = c->addr;
    args[1] = c->size;
    args[2] = (uint64_t)c->prot;
    args[3] = c->fd >= 0
                  ? MAP_SHARED | MAP_FIXED
                  : MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
    args[4] = (uint64_t)c->fd;
    args[5] = c->offset;
}

long puppet_carry_out(struct puppets *p, unsigned int vcpu,
                      const struct sandbox_change *c)
{
    uint64_t args[6];

    puppet_mmap_args(c, args);
    return puppet_call_args(p, vcpu, __NR_mmap, args);
}
