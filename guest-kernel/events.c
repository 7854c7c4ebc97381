/*
 * Event channels: the table of handlers, and the walk over pending bits.
 *
 * shared_info holds one pending and one mask bit per port, and per vCPU a
 * selector word with one bit per word of pending bits. The engine sets pending
 * bit, selector bit, upcall_pending, in this order; we clear in the opposite
 * one, each before looking at what it announces, so nothing is lost.
 */
#include <errno.h>
#include <stddef.h>

#include "guest-kernel/arch.h"
#include "guest-kernel/events.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/upcall.h"

#define WORD_BITS 64

struct handler {
    event_fn *fn;
    void *arg;
};

static struct handler handlers[EVENT_PORTS];
static unsigned int handlers_used;

static void bit_set(xen_ulong_t *words, unsigned int n)
{
    __atomic_fetch_or(&words[n / WORD_BITS], 1ul << n % WORD_BITS,
                      __ATOMIC_SEQ_CST);
}

static void bit_clear(xen_ulong_t *words, unsigned int n)
{
    __atomic_fetch_and(&words[n / WORD_BITS], ~(1ul << n % WORD_BITS),
                       __ATOMIC_SEQ_CST);
}

static bool bit_test(const xen_ulong_t *words, unsigned int n)
{
    return READ_ONCE(words[n / WORD_BITS]) >> n % WORD_BITS & 1;
}

static void dispatch_port(evtchn_port_t port)
{
    struct handler h = handlers[port];

    bit_clear(shared_info->evtchn_pending, port);
    if (h.fn)
        h.fn(port, h.arg);
}

static void dispatch_word(unsigned int word)
{
    xen_ulong_t bits = READ_ONCE(shared_info->evtchn_pending[word]) &
                       ~READ_ONCE(shared_info->evtchn_mask[word]);

    for (; bits; bits &= bits - 1)
        dispatch_port(word * WORD_BITS + (unsigned int)__builtin_ctzl(bits));
}

void events_dispatch(void)
{
    struct vcpu *cpu = this_vcpu();
    struct vcpu_info *v = cpu->info;
    xen_ulong_t selector;

    kernel_lock_masked();
    cpu->upcall_depth++;
    WRITE_ONCE(v->evtchn_upcall_pending, 0);
    selector = __atomic_exchange_n(&v->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    for (; selector; selector &= selector - 1)
        dispatch_word((unsigned int)__builtin_ctzl(selector));
    cpu->upcall_depth--;
    kernel_unlock_masked();
}

bool in_upcall(void)
{
    return this_vcpu()->upcall_depth != 0;
}

void event_mask(evtchn_port_t port)
{
    bit_set(shared_info->evtchn_mask, port);
}

/* An edge that fell on the mask set no selector: the hypervisor repeats it. */
void event_unmask(evtchn_port_t port)
{
    bit_clear(shared_info->evtchn_mask, port);
    if (bit_test(shared_info->evtchn_pending, port))
        hypercall_evtchn_unmask(port);
}

int event_bind(evtchn_port_t port, event_fn *fn, void *arg)
{
    IN_KERNEL();
    if (port == 0 || port >= EVENT_PORTS)
        return -ENOSPC;
    if (handlers[port].fn)
        return -EBUSY;
    handlers[port] = (struct handler){ fn, arg };
    handlers_used++;
    event_unmask(port);
    return 0;
}

/* Binds a port that the hypervisor just made, or closes it again. */
static int bind_new(long err, evtchn_port_t port, event_fn *fn, void *arg)
{
    if (err)
        return errno_from_xen(err);
    err = event_bind(port, fn, arg);
    if (err)
        hypercall_evtchn_close(port);
    return (int)err;
}

int event_alloc_unbound(domid_t remote, event_fn *fn, void *arg,
                        evtchn_port_t *port)
{
    long err = hypercall_evtchn_alloc_unbound(remote, port);

    return bind_new(err, *port, fn, arg);
}

int event_bind_interdomain(domid_t remote, evtchn_port_t remote_port,
                           event_fn *fn, void *arg, evtchn_port_t *port)
{
    long err = hypercall_evtchn_bind_interdomain(remote, remote_port, port);

    return bind_new(err, *port, fn, arg);
}

int event_bind_virq(uint32_t virq, unsigned int vcpu, event_fn *fn, void *arg,
                    evtchn_port_t *port)
{
    long err = hypercall_evtchn_bind_virq(virq, vcpu, port);

    return bind_new(err, *port, fn, arg);
}

int event_bind_ipi(unsigned int vcpu, event_fn *fn, void *arg,
                   evtchn_port_t *port)
{
    long err = hypercall_evtchn_bind_ipi(vcpu, port);

    return bind_new(err, *port, fn, arg);
}

int event_close(evtchn_port_t port)
{
    bool was;

    if (port == 0 || port >= EVENT_PORTS || !handlers[port].fn)
        return -EINVAL;
    was = upcalls_mask();
    event_mask(port);
    handlers[port].fn = NULL;
    handlers_used--;
    bit_clear(shared_info->evtchn_pending, port);
    upcalls_restore(was);
    return errno_from_xen(hypercall_evtchn_close(port));
}

unsigned int event_count(void)
{
    return handlers_used;
}

/* Every port starts masked, so no event comes before its handler. */
void events_init(void)
{
    for (unsigned int i = 0; i < EVENT_PORTS / WORD_BITS; i++)
        WRITE_ONCE(shared_info->evtchn_mask[i], ~0ul);
    arch_events_init();
    upcalls_unmask();
}
