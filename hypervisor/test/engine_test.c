/*
 * Engine `test`: no guest code runs; the test is the guest.
 *
 * It writes into the domain's memory through the hypervisor's mapping, does
 * hypercalls with rs_test_hypercall(), and has events delivered into
 * shared_info as the sandbox's stub does it. Used by unit tests, fuzzers and
 * under TSan.
 */
#include "engine_test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "domain.h"
#include "evtchn_bits.h"
#include "hypercalls/hypercall.h"

struct test_domain {
    int epfd[DOMAIN_MAX_VCPUS];
};

static int host_open(struct rs_host *h)
{
    h->engine_host = h; /* nothing of its own */
    return 0;
}

static void host_close(struct rs_host *h)
{
    h->engine_host = NULL;
}

static void close_all(struct test_domain *t)
{
    for (unsigned int i = 0; i < DOMAIN_MAX_VCPUS; i++)
        if (t->epfd[i] >= 0)
            close(t->epfd[i]);
    free(t);
}

static int domain_create(struct domain *d)
{
    struct test_domain *t = calloc(1, sizeof(*t));
    int err = 0;

    if (!t)
        return -ENOMEM;
    for (unsigned int i = 0; i < DOMAIN_MAX_VCPUS; i++) {
        t->epfd[i] = i < d->nr_vcpus ? epoll_create1(EPOLL_CLOEXEC) : -1;
        if (i < d->nr_vcpus && t->epfd[i] < 0)
            err = -errno;
    }
    if (err) {
        close_all(t);
        return err;
    }
    d->engine = t;
    return 0;
}

static void nothing(struct domain *d)
{
    (void)d;
}

static bool kill(struct domain *d)
{
    (void)d;
    return true;
}

static void free_domain(struct domain *d)
{
    close_all(d->engine);
    d->engine = NULL;
}

static int epoll_of(const struct vcpu *v)
{
    return ((struct test_domain *)v->domain->engine)->epfd[v->id];
}

static int port_attach(struct vcpu *v, evtchn_port_t port, int rx, int tx)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u32 = port };

    (void)tx;
    return epoll_ctl(epoll_of(v), EPOLL_CTL_ADD, rx, &ev) ? -errno : 0;
}

static void port_detach(struct vcpu *v, evtchn_port_t port, int rx, int tx)
{
    (void)port;
    (void)tx;
    epoll_ctl(epoll_of(v), EPOLL_CTL_DEL, rx, NULL);
}

static int port_move(struct vcpu *from, struct vcpu *to, evtchn_port_t port,
                     int rx)
{
    int err = port_attach(to, port, rx, -1);

    if (!err)
        port_detach(from, port, rx, -1);
    return err;
}

static int physmap_set(struct vcpu *v, xen_pfn_t gfn, uint32_t pages, int file,
                       uint64_t offset, int writable,
                       void (*done)(struct vcpu *, uint64_t), uint64_t arg)
{
    (void)pages;
    (void)gfn;
    (void)file;
    (void)offset;
    (void)writable;
    if (done)
        done(v, arg);
    return 0;
}

const struct engine_ops engine_test = {
    .name = "test",
    .host_open = host_open,
    .host_close = host_close,
    .domain_create = domain_create,
    .domain_resume = nothing,
    .domain_pause = nothing,
    .domain_kill = kill,
    .domain_free = free_domain,
    .port_attach = port_attach,
    .port_detach = port_detach,
    .port_move = port_move,
    .physmap_set = physmap_set,
};

static void harvest(struct vcpu *v)
{
    struct shared_info *si = memory_own_page(v->domain, MEMORY_OWN_SHARED_INFO);
    struct epoll_event ev[16];
    int n = epoll_wait(epoll_of(v), ev, 16, 0);

    for (int i = 0; i < n; i++)
        evtchn_bits_raise(si, vcpu_info_of(v), ev[i].data.u32);
}

/* All its turns. */
static long call(struct vcpu *v, unsigned int nr, const uint64_t args[6])
{
    long ret = hypercall_dispatch(v, nr, args);

    while (v->continued && !v->domain->shut_down) {
        uint64_t rest[6] = { v->continuation[0], v->continuation[1],
                             v->continuation[2] };

        ret = hypercall_dispatch(v, nr, rest);
    }
    return ret;
}

long rs_test_vcpu_hypercall(struct rs_host *h, uint16_t domid,
                            unsigned int vcpu, unsigned int nr,
                            const uint64_t args[6])
{
    long ret = -ESRCH;
    struct domain *d;
    struct vcpu *v;

    host_lock(h);
    d = host_domain(h, domid);
    v = d && !d->dying && d->ops == &engine_test ? vcpu_of(d, vcpu) : NULL;
    if (v) {
        ret = d->shut_down || !v->up ? -EPERM : call(v, nr, args);
        harvest(v);
    }
    host_unlock(h);
    return ret;
}

long rs_test_hypercall(struct rs_host *h, uint16_t domid, unsigned int nr,
                       const uint64_t args[6])
{
    return rs_test_vcpu_hypercall(h, domid, 0, nr, args);
}

void *rs_test_memory(struct rs_host *h, uint16_t domid, uint64_t addr)
{
    struct domain *d;
    void *p = NULL;
    bool writable;

    host_lock(h);
    d = host_domain(h, domid);
    if (d && d->memory.base) {
        p = memory_frame(d, addr >> PAGE_SHIFT, &writable);
        if (p)
            p = (uint8_t *)p + (addr & (PAGE_SIZE - 1));
    }
    host_unlock(h);
    return p;
}
