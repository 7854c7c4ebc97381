/*
 * vCPUs by the bare ABI: the kernel leaves them alone, each runs a loop of its
 * own with upcalls masked and takes its events by SCHEDOP_poll.
 * run-guest: --vcpus 4 --extra=ringside.vcpus=1
 */
#include "guest-kernel/clock.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/upcall.h"
#include "libhypercall/hypercall.h"
#include "tap.h"

#define VCPUS  4u
#define ROUNDS 300

enum task { IDLE, CALLS, ECHO, TIMER, LOWER, SPIN };

static char stacks[VCPUS][16384] __attribute__((aligned(16)));

static struct raw {
    enum task task; /* set by main, IDLE again when it is done */
    unsigned long count, wrong;
    evtchn_port_t ipi, timer;
} raws[VCPUS];

static void *shared_word(evtchn_port_t port)
{
    return &shared_info->evtchn_pending[port / 64];
}

static bool take_event(evtchn_port_t port)
{
    unsigned long bit = 1ul << port % 64;

    return __atomic_fetch_and((unsigned long *)shared_word(port), ~bit,
                              __ATOMIC_SEQ_CST) &
           bit;
}

static void poll_for(evtchn_port_t port)
{
    struct sched_poll op = { .nr_ports = 1 };

    set_xen_guest_handle(op.ports, &port);
    while (!take_event(port))
        hypercall_sched_op(SCHEDOP_poll, &op, sizeof(op));
}

static void count(struct raw *r)
{
    __atomic_fetch_add(&r->count, 1, __ATOMIC_SEQ_CST);
}

static void do_calls(struct raw *r)
{
    for (int i = 0; i < ROUNDS; i++)
        r->wrong += hypercall_xen_version(XENVER_pagesize, NULL, 0) != 4096;
    count(r);
}

static void do_echo(struct raw *r)
{
    for (int i = 0; i < ROUNDS; i++) {
        poll_for(r->ipi);
        count(r);
    }
}

/* The kernel's clock is for vCPUs that the kernel runs. */
static uint64_t raw_now(unsigned int id)
{
    struct vcpu_time_info t;
    uint64_t delta;

    do {
        t = *(volatile struct vcpu_time_info *)&shared_info->vcpu_info[id].time;
        xen_rmb();
    } while ((t.version & 1) ||
             t.version != READ_ONCE(shared_info->vcpu_info[id].time.version));
    delta = clock_tsc() - t.tsc_timestamp;
    delta = t.tsc_shift >= 0 ? delta << t.tsc_shift : delta >> -t.tsc_shift;
    return t.system_time +
           (uint64_t)((unsigned __int128)delta * t.tsc_to_system_mul >> 32);
}

static void do_timer(struct raw *r, unsigned int id)
{
    for (int i = 0; i < 20; i++) {
        uint64_t start = raw_now(id);

        r->wrong += hypercall_set_timer(start + 1000000) != 0;
        poll_for(r->timer);
        r->wrong += raw_now(id) < start + 1000000;
        count(r);
    }
}

static void spin(struct raw *r)
{
    while (__atomic_load_n(&r->task, __ATOMIC_SEQ_CST) == SPIN)
        count(r);
}

static void run_task(struct raw *r, unsigned int id)
{
    switch (__atomic_load_n(&r->task, __ATOMIC_SEQ_CST)) {
    case CALLS:
        do_calls(r);
        break;
    case ECHO:
        do_echo(r);
        break;
    case TIMER:
        do_timer(r, id);
        break;
    case LOWER:
        r->wrong += hypercall_vcpu_op(VCPUOP_down, id, NULL) != 0;
        count(r);
        break;
    case SPIN:
        spin(r);
        return;
    default:
        hypercall_sched_op(SCHEDOP_yield, NULL, 0);
        return;
    }
    __atomic_store_n(&r->task, IDLE, __ATOMIC_SEQ_CST);
}

/* The number and a pattern came in registers. */
static void raw_main(unsigned long id, unsigned long pattern)
{
    struct raw *r = &raws[id];

    r->wrong = pattern != 0x1234;
    count(r);
    for (;;)
        run_task(r, (unsigned int)id);
}

static unsigned long count_of(unsigned int id)
{
    return __atomic_load_n(&raws[id].count, __ATOMIC_SEQ_CST);
}

static bool wait_count(unsigned int id, unsigned long n)
{
    uint64_t end = clock_now() + 60 * NS_PER_S;

    while (count_of(id) < n && clock_now() < end)
        hypercall_sched_op(SCHEDOP_yield, NULL, 0);
    return count_of(id) == n;
}

static void start_task(unsigned int id, enum task task)
{
    raws[id].count = 0;
    __atomic_store_n(&raws[id].task, task, __ATOMIC_SEQ_CST);
}

static bool all_did(enum task task, unsigned long n)
{
    bool good = true;

    for (unsigned int i = 1; i < VCPUS; i++)
        start_task(i, task);
    for (unsigned int i = 1; i < VCPUS; i++)
        good &= wait_count(i, n) && raws[i].wrong == 0;
    return good;
}

static long raise_vcpu(unsigned int id)
{
    struct vcpu_hvm_context c = { .mode = VCPU_HVM_MODE_64B };
    long err;

    c.cpu_regs.x86_64.rip = (uintptr_t)raw_main;
    c.cpu_regs.x86_64.rsp = (uintptr_t)stacks[id] + sizeof(stacks[id]) - 8;
    c.cpu_regs.x86_64.rdi = id;
    c.cpu_regs.x86_64.rsi = 0x1234;
    err = hypercall_vcpu_op(VCPUOP_initialise, id, &c);
    return err ? err : hypercall_vcpu_op(VCPUOP_up, id, NULL);
}

static void test_start(void)
{
    bool good = true;

    for (unsigned int i = 1; i < VCPUS; i++)
        good &= hypercall_vcpu_op(VCPUOP_is_up, i, NULL) == 0;
    point(good, "only vCPU 0 is up at first");
    point(hypercall_vcpu_op(VCPUOP_is_up, VCPUS, NULL) == -XEN_ENOENT &&
              hypercall_vcpu_op(VCPUOP_up, 1, NULL) == -XEN_EINVAL,
          "there is no fifth; none comes up without a state");
    good = true;
    for (unsigned int i = 1; i < VCPUS; i++)
        good &= raise_vcpu(i) == 0 && wait_count(i, 1) && raws[i].wrong == 0;
    point(good, "each comes up with the registers that it was given");
}

static void test_events(void)
{
    bool good = true;

    point(all_did(CALLS, 1), "hypercalls of all at once");
    for (unsigned int i = 1; i < VCPUS; i++)
        good &= hypercall_evtchn_bind_ipi(i, &raws[i].ipi) == 0 &&
                hypercall_evtchn_bind_virq(VIRQ_TIMER, i, &raws[i].timer) == 0;
    point(good, "an IPI and a timer for each");
    for (unsigned int i = 1; i < VCPUS; i++)
        start_task(i, ECHO);
    for (unsigned long n = 1; n <= ROUNDS && good; n++)
        for (unsigned int i = 1; i < VCPUS && good; i++) {
            hypercall_evtchn_send(raws[i].ipi);
            good = wait_count(i, n);
        }
    point(good, "%d IPIs to each, none lost, none twice", ROUNDS);
    point(all_did(TIMER, 20), "timers of their own, none early");
}

static bool stands_still(unsigned int id)
{
    unsigned long before;

    for (int i = 0; i < 100; i++) {
        before = count_of(id);
        thread_sleep(10 * NS_PER_MS);
        if (count_of(id) == before)
            return true;
    }
    return false;
}

static void test_down(void)
{
    unsigned long at;
    bool good = true;

    for (unsigned int i = 1; i < VCPUS; i++) {
        start_task(i, LOWER);
        while (hypercall_vcpu_op(VCPUOP_is_up, i, NULL) == 1)
            hypercall_sched_op(SCHEDOP_yield, NULL, 0);
        good &= stands_still(i) && count_of(i) == 0;
        good &= hypercall_vcpu_op(VCPUOP_up, i, NULL) == 0 && wait_count(i, 1);
        good &= raws[i].wrong == 0;
    }
    point(good, "one that lowers itself goes on behind that call");
    start_task(2, SPIN);
    while (count_of(2) < 1000)
        hypercall_sched_op(SCHEDOP_yield, NULL, 0);
    point(hypercall_vcpu_op(VCPUOP_down, 2, NULL) == 0 && stands_still(2),
          "one that computes is lowered from outside");
    at = count_of(2);
    hypercall_vcpu_op(VCPUOP_up, 2, NULL);
    while (count_of(2) <= at)
        hypercall_sched_op(SCHEDOP_yield, NULL, 0);
    __atomic_store_n(&raws[2].task, IDLE, __ATOMIC_SEQ_CST);
    point(true, "and goes on where it was");
}

static void test_runstate(void)
{
    struct vcpu_runstate_info r;

    point(hypercall_vcpu_op(VCPUOP_get_runstate_info, 1, &r) == 0 &&
              r.time[RUNSTATE_running] > 0 && r.time[RUNSTATE_offline] > 0,
          "its time is accounted for");
}

int main(void)
{
    plan(11);
    test_start();
    test_events();
    test_down();
    test_runstate();
    return done();
}
