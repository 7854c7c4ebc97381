/*
 * The walk over pending events, in upcall context.
 *
 * shared_info holds one pending and one mask bit per port, and per vCPU a
 * selector word with one bit per word of pending bits. The engine sets pending
 * bit, selector bit, upcall_pending, in this order; we clear in the opposite
 * one, each before looking at what it announces, so nothing is lost.
 */
#include "guest-kernel/events_dispatch.h"

#include "guest-kernel/upcall.h"

struct event_handler events_handlers[EVENT_PORTS];

static void dispatch_port(evtchn_port_t port)
{
    struct event_handler h = events_handlers[port];

    event_bit_clear(shared_info->evtchn_pending, port);
    if (h.fn)
        h.fn(port, h.arg);
}

static void dispatch_word(unsigned int word)
{
    xen_ulong_t bits = READ_ONCE(shared_info->evtchn_pending[word]) &
                       ~READ_ONCE(shared_info->evtchn_mask[word]);

    for (; bits; bits &= bits - 1)
        dispatch_port(word * EVENT_WORD_BITS +
                      (unsigned int)__builtin_ctzl(bits));
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
