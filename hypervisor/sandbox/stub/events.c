/*
 * Events: from the epoll file to the guest's pending bits, and to its upcall.
 *
 * The order is always: harvest → set bits → test → sleep. While `sleeping` is
 * set the tick harvests nothing, so that what arrives between the test and
 * the sleep is still in the epoll file and ends the sleep.
 */
#include <linux/eventpoll.h>
#include <linux/time_types.h>

#include "evtchn_bits.h"
#include "stub.h"

#define BATCH 16
/* A peer that floods cannot keep us here: the rest waits for the next time. */
#define ROUNDS 16

uint64_t stub_now(void)
{
    const volatile struct vcpu_time_info *t = &stub_me()->info->time;
    uint32_t version, lo, hi;
    uint64_t delta, ns;

    /* Partner: time_publish() makes the version odd while it writes. */
    do {
        version = t->version;
        xen_rmb();
        __asm__ __volatile__("rdtsc" : "=a"(lo), "=d"(hi));
        delta = ((uint64_t)hi << 32 | lo) - t->tsc_timestamp;
        delta =
            t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
        ns = t->system_time +
             (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
        xen_rmb();
    } while ((version & 1) || version != t->version);
    return ns;
}

static void raise(evtchn_port_t port)
{
    if (port < SANDBOX_PORTS)
        evtchn_bits_raise(stub.shared, stub_me()->info, port);
}

/* Waits at most `timeout` (NULL: for ever); returns how many came. */
static long collect(struct __kernel_timespec *timeout)
{
    struct epoll_event ev[BATCH];
    long n = sys6(__NR_epoll_pwait2, SANDBOX_FD_EPOLL + (long)stub_me()->id,
                  (long)ev, BATCH, (long)timeout, 0, 0);

    for (long i = 0; i < n; i++)
        raise((evtchn_port_t)ev[i].data);
    return n;
}

void stub_harvest(void)
{
    struct __kernel_timespec zero = { 0, 0 };

    for (int i = 0; i < ROUNDS && collect(&zero) == BATCH; i++)
        ;
}

/* The next time to which a timer is set; 0: none. */
static uint64_t next_deadline(const struct stub_vcpu *me)
{
    uint64_t a = me->deadline, b = me->board_deadline;

    return a && (!b || a < b) ? a : b;
}

void stub_check_timer(void)
{
    struct stub_vcpu *me = stub_me();
    uint64_t next = next_deadline(me), now;

    if (!next)
        return;
    now = stub_now();
    if (me->board_deadline && now >= me->board_deadline) {
        me->board_deadline = 0;
        me->due = true;
    }
    if (me->deadline && now >= me->deadline) {
        me->deadline = 0;
        if (me->timer_port)
            raise(me->timer_port);
    }
}

void stub_deliver(struct cpu_user_regs *regs)
{
    struct vcpu_info *vi = stub_me()->info;

    if (stub.native)
        stub_native_interrupt(regs);
    while (stub.callback && !READ_ONCE(vi->evtchn_upcall_mask) &&
           READ_ONCE(vi->evtchn_upcall_pending)) {
        WRITE_ONCE(vi->evtchn_upcall_mask, 1);
        COUNT(upcalls);
        stub.callback(regs);
        WRITE_ONCE(vi->evtchn_upcall_mask, 0);
    }
}

static struct __kernel_timespec timespec_of(uint64_t ns)
{
    return (struct __kernel_timespec){ (long long)(ns / NS),
                                       (long long)(ns % NS) };
}

void stub_arm_tick(void)
{
    struct __kernel_itimerspec its = { { 0, 0 }, { 0, 0 } };
    uint64_t now = stub_now(), ns = SANDBOX_TICK_NS;
    struct stub_vcpu *me = stub_me();
    uint64_t next = next_deadline(me);

    if (next && next < now + ns)
        ns = next > now ? next - now : 1;
    if (me->ticking && me->tick_ns <= now + ns)
        return;
    me->ticking = true;
    me->tick_ns = now + ns;
    its.it_value = timespec_of(ns);
    sys6(__NR_timer_settime, (long)me->id, 0, (long)&its, 0, 0, 0);
}

/* Sleeps until something arrives or system time `until` (0: for ever). */
void stub_doze(uint64_t until)
{
    uint64_t now, deadline = next_deadline(stub_me());
    struct __kernel_timespec ts;

    if (deadline && (!until || deadline < until))
        until = deadline;
    if (!until) {
        collect(NULL);
    } else {
        now = stub_now();
        ts = timespec_of(until > now ? until - now : 0);
        collect(&ts);
    }
    stub_check_timer();
}

void stub_begin_sleep(void)
{
    WRITE_ONCE(stub_me()->sleeping, true);
    barrier(); /* partner: the tick handler on this very thread */
}

void stub_end_sleep(void)
{
    struct stub_vcpu *me = stub_me();

    barrier();
    WRITE_ONCE(me->sleeping, false);
    /* A tick that fell into the sleep was not renewed. */
    if (!READ_ONCE(me->ticking))
        stub_arm_tick();
}

/* What a sleep with events unmasked ends for. */
static bool is_woken(void)
{
    const struct stub_vcpu *me = stub_me();

    return READ_ONCE(me->info->evtchn_upcall_pending) || READ_ONCE(me->due);
}

/* Sleeps before it unmasks: an upcall by a tick in between would leave nothing
 * to end the sleep. */
long stub_block(void)
{
    COUNT(blocks);
    stub_begin_sleep();
    WRITE_ONCE(stub_me()->info->evtchn_upcall_mask, 0);
    stub_check_timer();
    while (!is_woken())
        stub_doze(0);
    stub_end_sleep();
    stub_deliver(NULL);
    return 0;
}

static bool any_pending(const evtchn_port_t *ports, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++)
        if (evtchn_bits_test(stub.shared->evtchn_pending, ports[i]))
            return true;
    return false;
}

/* Is another vCPU woken for one of them? Then we must look now and then. */
static bool any_elsewhere(const evtchn_port_t *ports, unsigned int n)
{
    unsigned int id = stub_me()->id;

    for (unsigned int i = 0; i < n; i++)
        if (stub.port_vcpu[ports[i]] != id)
            return true;
    return false;
}

long stub_poll(const evtchn_port_t *ports, unsigned int n, uint64_t timeout)
{
    bool elsewhere = any_elsewhere(ports, n);
    struct vcpu_info *vi = stub_me()->info;

    COUNT(polls);
    stub_begin_sleep();
    stub_harvest();
    while (!any_pending(ports, n) && !(timeout && stub_now() >= timeout)) {
        uint64_t glance = stub_now() + SANDBOX_TICK_NS;

        if (is_woken() && !READ_ONCE(vi->evtchn_upcall_mask))
            break;
        stub_doze(elsewhere && (!timeout || glance < timeout) ? glance
                                                              : timeout);
    }
    stub_end_sleep();
    stub_deliver(NULL);
    return 0;
}
