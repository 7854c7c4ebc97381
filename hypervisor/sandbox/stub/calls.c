/*
 * Hypercalls inside the guest's process. What the Linux kernel alone can
 * carry is done here (events, sleep, timer, trap table, address space); the
 * rest goes to the hypervisor, which is notified of the system call.
 */
#include <asm/prctl.h>
#include <linux/mman.h>

#include "evtchn_bits.h"
#include "stub.h"

#define POLL_MAX 128
#define POLL_NS  20000 /* between polls of events, at least */

static long forward(unsigned long nr, unsigned long a1, unsigned long a2,
                    unsigned long a3, unsigned long a4, unsigned long a5)
{
    long ret;

    if (stub_ask(nr, a1, a2, a3, a4, a5, &ret))
        return ret;
    return sys6((long)(SANDBOX_BASE + nr), (long)a1, (long)a2, (long)a3,
                (long)a4, (long)a5, 0);
}

/* ---- event channels ---- */

/* One write; a port without send side is the hypervisor's to refuse. */
static long op_send(unsigned long arg)
{
    struct evtchn_send op;
    uint64_t one = 1;
    long n;

    if (stub_read_guest(&op, (void *)arg, sizeof(op)))
        return -XEN_EFAULT;
    if (op.port < SANDBOX_PORTS) {
        n = sys3(__NR_write, op.port, (long)&one, sizeof(one));
        /* -EAGAIN: the counter is full, so the peer has been notified. */
        if (n == (long)sizeof(one) || n == -XEN_EAGAIN) {
            COUNT(sends);
            return 0;
        }
    }
    return forward(__HYPERVISOR_event_channel_op, EVTCHNOP_send, arg, 0, 0, 0);
}

static long op_unmask(unsigned long arg)
{
    struct evtchn_unmask op;

    if (stub_read_guest(&op, (void *)arg, sizeof(op)))
        return -XEN_EFAULT;
    if (op.port >= SANDBOX_PORTS)
        return -XEN_EINVAL;
    /* Another vCPU may have to be woken. */
    if (stub.port_vcpu[op.port] != stub_me()->id)
        return forward(__HYPERVISOR_event_channel_op, EVTCHNOP_unmask, arg, 0,
                       0, 0);
    COUNT(unmasks);
    evtchn_bits_unmask(stub.shared, stub_me()->info, op.port);
    return 0;
}

/* The hypervisor did it: which vCPU does the port notify now? */
static void note_port(evtchn_port_t port, uint32_t vcpu)
{
    if (port < SANDBOX_PORTS && vcpu < SANDBOX_MAX_VCPUS)
        stub.port_vcpu[port] = (uint8_t)vcpu;
}

static void note_virq(const struct evtchn_bind_virq *op)
{
    note_port(op->port, op->vcpu);
    if (op->virq == VIRQ_TIMER && op->vcpu < SANDBOX_MAX_VCPUS)
        stub.vcpu[op->vcpu].timer_port = op->port;
}

static void note_close(evtchn_port_t port)
{
    note_port(port, 0);
    for (unsigned int i = 0; i < SANDBOX_MAX_VCPUS; i++)
        if (stub.vcpu[i].timer_port == port)
            stub.vcpu[i].timer_port = 0;
}

static void note_change(unsigned long cmd, const void *arg)
{
    if (cmd == EVTCHNOP_bind_virq) {
        note_virq(arg);
    } else if (cmd == EVTCHNOP_bind_ipi) {
        const struct evtchn_bind_ipi *op = arg;

        note_port(op->port, op->vcpu);
    } else if (cmd == EVTCHNOP_bind_vcpu) {
        const struct evtchn_bind_vcpu *op = arg;

        note_port(op->port, op->vcpu);
    } else if (cmd == EVTCHNOP_close) {
        note_close(((const struct evtchn_close *)arg)->port);
    }
}

static long event_channel_op(unsigned long cmd, unsigned long arg)
{
    long ret;

    if (cmd == EVTCHNOP_send)
        return op_send(arg);
    if (cmd == EVTCHNOP_unmask)
        return op_unmask(arg);
    ret = forward(__HYPERVISOR_event_channel_op, cmd, arg, 0, 0, 0);
    if (ret == 0)
        note_change(cmd, (const void *)arg);
    return ret;
}

/* ---- scheduling and time ---- */

static long set_timer(uint64_t ns)
{
    struct stub_vcpu *me = stub_me();

    COUNT(timers);
    me->deadline = ns == UINT64_MAX ? 0 : ns;
    /* Sooner than the next tick: else the tick, or the sleep, sees to it. */
    if (me->deadline && me->deadline < me->tick_ns)
        stub_arm_tick();
    return 0;
}

static long op_poll(unsigned long arg)
{
    evtchn_port_t ports[POLL_MAX];
    struct sched_poll op;

    if (stub_read_guest(&op, (void *)arg, sizeof(op)))
        return -XEN_EFAULT;
    if (op.nr_ports > POLL_MAX)
        return -XEN_EINVAL;
    if (stub_read_guest(ports, op.ports.p, op.nr_ports * sizeof(ports[0])))
        return -XEN_EFAULT;
    for (unsigned int i = 0; i < op.nr_ports; i++)
        if (ports[i] >= SANDBOX_PORTS)
            return -XEN_EINVAL;
    return stub_poll(ports, op.nr_ports, op.timeout);
}

static long sched_op(unsigned long cmd, unsigned long arg)
{
    if (cmd == SCHEDOP_block)
        return stub_block();
    if (cmd == SCHEDOP_poll)
        return op_poll(arg);
    if (cmd == SCHEDOP_yield)
        return sys3(__NR_sched_yield, 0, 0, 0);
    return forward(__HYPERVISOR_sched_op, cmd, arg, 0, 0, 0);
}

static long set_singleshot(unsigned long arg)
{
    struct vcpu_set_singleshot_timer op;

    if (stub_read_guest(&op, (void *)arg, sizeof(op)))
        return -XEN_EFAULT;
    if ((op.flags & VCPU_SSHOTTMR_future) && op.timeout_abs_ns < stub_now())
        return -XEN_ETIME;
    return set_timer(op.timeout_abs_ns);
}

static long vcpu_op(unsigned long cmd, unsigned long vcpu, unsigned long arg)
{
    bool own = vcpu == stub_me()->id;
    long ret;

    if (own && cmd == VCPUOP_stop_singleshot_timer)
        return set_timer(0);
    if (own && cmd == VCPUOP_set_singleshot_timer)
        return set_singleshot(arg);
    ret = forward(__HYPERVISOR_vcpu_op, cmd, vcpu, arg, 0, 0);
    if (ret == 0 && cmd == VCPUOP_register_vcpu_info) {
        const struct vcpu_register_vcpu_info *op = (void *)arg;

        stub.vcpu[vcpu].info = (void *)((op->mfn << PAGE_SHIFT) + op->offset);
    }
    if (ret == 0 && cmd == VCPUOP_register_runstate_memory_area)
        stub.vcpu[vcpu].has_runstate = true;
    return ret;
}

/* ---- traps and callbacks ---- */

static long set_trap_table(unsigned long table)
{
    struct trap_info t;

    for (unsigned int i = 0; table && i < 256; i++) {
        if (stub_read_guest(&t, (const struct trap_info *)table + i, sizeof(t)))
            return -XEN_EFAULT;
        if (t.address == 0)
            return 0;
        if (t.vector < TRAPS)
            stub.trap[t.vector] = (void (*)(struct cpu_user_regs *))t.address;
    }
    return 0;
}

static long callback_op(unsigned long cmd, unsigned long arg)
{
    struct callback_register op;

    if (stub_read_guest(&op, (void *)arg, 4))
        return -XEN_EFAULT;
    if (*(uint16_t *)&op != CALLBACKTYPE_event)
        return -XEN_EINVAL;
    if (cmd == CALLBACKOP_unregister) {
        stub.callback = NULL;
        return 0;
    }
    if (cmd != CALLBACKOP_register)
        return -XEN_ENOSYS;
    if (stub_read_guest(&op, (void *)arg, sizeof(op)))
        return -XEN_EFAULT;
    stub.callback = (void (*)(struct cpu_user_regs *))op.address;
    return 0;
}

/* ---- the address space ---- */

#define PTE_PRESENT 1ull
#define PTE_WRITE   2ull
#define PTE_NX      (1ull << 63)
#define PTE_FRAME   0x000ffffffffff000ull

/* Until it has said so the page counts as changing, for other vCPUs. */
static long update_va_mapping(unsigned long va, uint64_t pte)
{
    int prot = 0;
    long ret;

    if (va & (PAGE_SIZE - 1))
        return -XEN_EINVAL;
    if (pte & PTE_PRESENT) {
        if ((pte & PTE_FRAME) != va)
            return -XEN_EINVAL;
        prot = PROT_READ | (pte & PTE_WRITE ? PROT_WRITE : 0) |
               (pte & PTE_NX ? 0 : PROT_EXEC);
    }
    COUNT(changes);
    ret = sys3(__NR_mprotect, (long)va, PAGE_SIZE, prot);
    sys3(SANDBOX_CALL_FINISH, 0, 0, 0);
    return ret;
}

/*
 * Carries out what the hypervisor left in the page, then says so: only a
 * thread's next notification proves that its mmap() has run.
 */
void stub_carry_out_changes(void)
{
    const struct sandbox_page *page = stub_me()->page;
    uint32_t n = READ_ONCE(page->nr_changes);

    if (n == 0 || n > SANDBOX_MAX_CHANGES)
        return;
    for (uint32_t i = 0; i < n; i++) {
        const struct sandbox_change *c = &page->change[i];
        long flags = c->fd >= 0 ? MAP_SHARED | MAP_FIXED
                                : MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
                                      MAP_NORESERVE;

        COUNT(changes);
        sys6(__NR_mmap, (long)c->addr, (long)c->size, c->prot, flags, c->fd,
             (long)c->offset);
    }
    sys3(SANDBOX_CALL_FINISH, 0, 0, 0);
}

/*
 * A call that takes turns, and may change the address space. An
 * upcall's own hypercall would make the hypervisor forget what is to be
 * changed: none comes in between.
 */
static long changing_call(unsigned long nr, unsigned long a1, unsigned long a2,
                          unsigned long a3)
{
    struct stub_vcpu *me = stub_me();
    const struct sandbox_page *p = me->page;
    long ret;

    WRITE_ONCE(me->changing, true);
    barrier(); /* partner: the tick handler on this very thread */
    ret = forward(nr, a1, a2, a3, 0, 0);
    while (READ_ONCE(p->continued)) {
        a1 = p->continuation[0];
        a2 = p->continuation[1];
        a3 = p->continuation[2];
        stub_carry_out_changes();
        ret = forward(nr, a1, a2, a3, 0, 0);
    }
    stub_carry_out_changes();
    barrier();
    WRITE_ONCE(me->changing, false);
    return ret;
}

static long reset_ports(unsigned long arg)
{
    long ret =
        changing_call(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, arg, 0);

    for (evtchn_port_t p = 1; ret == 0 && p < SANDBOX_PORTS; p++)
        note_close(p);
    return ret;
}

/* ---- the entry ---- */

static long dispatch(unsigned long nr, unsigned long a1, unsigned long a2,
                     unsigned long a3, unsigned long a4, unsigned long a5)
{
    switch (nr) {
    case __HYPERVISOR_set_trap_table:
        return set_trap_table(a1);
    case __HYPERVISOR_update_va_mapping:
        return update_va_mapping(a1, a2);
    case __HYPERVISOR_set_timer_op:
        return set_timer(a1);
    case __HYPERVISOR_set_segment_base:
        return a1 == SEGBASE_FS
                   ? sys3(__NR_arch_prctl, ARCH_SET_FS, (long)a2, 0)
                   : -XEN_EINVAL;
    case __HYPERVISOR_vcpu_op:
        return vcpu_op(a1, a2, a3);
    case __HYPERVISOR_sched_op:
        return sched_op(a1, a2);
    case __HYPERVISOR_callback_op:
        return callback_op(a1, a2);
    case __HYPERVISOR_event_channel_op:
        return a1 == EVTCHNOP_reset ? reset_ports(a2)
                                    : event_channel_op(a1, a2);
    case __HYPERVISOR_memory_op:
    case __HYPERVISOR_grant_table_op:
    case __HYPERVISOR_multicall:
        return changing_call(nr, a1, a2, a3);
    default:
        /* The numbers behind the hypercalls are the engine's own. */
        if (nr >= SANDBOX_CALL_FINISH - SANDBOX_BASE)
            return -XEN_ENOSYS;
        return forward(nr, a1, a2, a3, a4, a5);
    }
}

/*
 * After a call. To poll events is a system call, ten times what a call
 * takes that ends here, and a tenth of a notification. So behind calls that
 * follow each other closely it is done now and then; but always behind those
 * that are about events, whose effect the guest waits for.
 */
static void poll_events(void)
{
    struct stub_vcpu *me = stub_me();
    uint64_t now = stub_now();

    if (now - me->polled_ns < POLL_NS)
        return;
    me->polled_ns = now;
    stub_harvest();
}

long stub_hypercall(unsigned long nr, unsigned long a1, unsigned long a2,
                    unsigned long a3, unsigned long a4, unsigned long a5)
{
    long ret = dispatch(nr, a1, a2, a3, a4, a5);

    if (nr == __HYPERVISOR_event_channel_op)
        stub_me()->polled_ns = 0;
    /* Sending is the hot path; it brings the sender nothing to look at. */
    if (nr == __HYPERVISOR_event_channel_op && a1 == EVTCHNOP_send)
        return ret;
    /* Inside an upcall, or with events masked, no handler could run now. */
    if (!READ_ONCE(stub_me()->info->evtchn_upcall_mask)) {
        poll_events();
        stub_check_timer();
        stub_deliver(NULL);
    }
    return ret;
}

/* Entry nr: mov $nr, %eax; movabs $stub_hypercall_entry, %r11; jmp *%r11 */
void stub_fill_hypercall_page(uint8_t *page)
{
    uint64_t target = (uint64_t)stub_hypercall_entry;

    for (uint32_t nr = 0; nr < PAGE_SIZE / 32; nr++) {
        uint8_t *p = page + 32 * nr;

        p[0] = 0xb8;
        *(volatile uint32_t *)(p + 1) = nr;
        p[5] = 0x49;
        p[6] = 0xbb;
        *(volatile uint64_t *)(p + 7) = target;
        p[15] = 0x41;
        p[16] = 0xff;
        p[17] = 0xe3;
    }
}
