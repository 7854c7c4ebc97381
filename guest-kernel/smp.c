/*
 * Raising and lowering vCPUs. See smp.h.
 *
 * Each vCPU has a thread of its own, "vcpu/K", which nothing else may run: its
 * stack is the vCPU's first, the one on which it idles when a thread has ended,
 * and the one from which it lowers itself.
 */
#include "guest-kernel/smp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/arch.h"
#include "guest-kernel/clock.h"
#include "guest-kernel/events.h"
#include "guest-kernel/idle.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/scheduler.h"
#include "guest-kernel/xenbus.h"
#include "libhypercall/hypercall.h"

#define HOME_STACK 8192

static unsigned int vcpus_max = VCPUS_MAX, present = 1;

_Noreturn void vcpu_begin(struct vcpu *cpu); /* for entry.S */
void vcpu_entry(void);                       /* entry.S */

void smp_set_max(unsigned int n)
{
    vcpus_max = n;
}

uint64_t smp_cpu_time(void)
{
    struct vcpu_runstate_info info;
    uint64_t sum = 0;

    for (unsigned int i = 0; i < VCPUS_MAX; i++) {
        if (hypercall_vcpu_op(VCPUOP_get_runstate_info, i, &info))
            break; /* that was the last */
        sum += info.time[RUNSTATE_running];
    }
    return sum;
}

unsigned int smp_online(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < VCPUS_MAX; i++)
        n += vcpus[i].online;
    return n;
}

/* ---- on the vCPU itself ---- */

/*
 * Lowered: from here on its threads are others' to run. The call returns when
 * the vCPU was raised again. Upcalls are masked.
 */
static void lower(struct vcpu *cpu)
{
    unsigned int depth;

    cpu->online = false;
    depth = kernel_unlock_all();
    if (hypercall_vcpu_op(VCPUOP_down, cpu->id, NULL))
        kernel_panic("vCPU %u cannot be lowered", cpu->id);
    kernel_lock_again(depth);
    cpu->online = true;
}

/* It waits in no queue; whoever wakes it wants it to look at `wanted`. */
_Noreturn static void live(struct vcpu *cpu)
{
    for (;;) {
        if (!cpu->wanted)
            lower(cpu);
        cpu->home->state = THREAD_WAITING;
        schedule();
    }
}

_Noreturn void vcpu_begin(struct vcpu *cpu)
{
    arch_fs_set(cpu->home->fs_base);
    kernel_lock_masked();
    cpu->online = true;
    live(cpu);
}

static void live_on_first(void *arg)
{
    upcalls_mask();
    live(arg);
}

/* ---- on another one ---- */

static void kicked(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
}

static struct thread *new_home(struct vcpu *cpu)
{
    struct thread *t;
    char name[16];

    snprintf(name, sizeof(name), "vcpu/%u", cpu->id);
    t = thread_alloc(name, HOME_STACK);
    if (t) {
        t->only = cpu;
        thread_tcb(t)->vcpu = cpu;
    }
    return t;
}

static int raise_first(struct vcpu *cpu)
{
    struct vcpu_hvm_context c = { .mode = VCPU_HVM_MODE_64B };
    long err;

    cpu->home = new_home(cpu);
    if (!cpu->home)
        return -ENOMEM;
    cpu->home->on = cpu;
    cpu->current = cpu->home;
    idle_init(cpu->id);
    err = event_bind_ipi(cpu->id, kicked, NULL, &cpu->kick_port);
    if (err)
        return (int)err;
    c.cpu_regs.x86_64.rip = (uintptr_t)vcpu_entry;
    c.cpu_regs.x86_64.rsp = (uintptr_t)thread_stack_top(cpu->home);
    c.cpu_regs.x86_64.rdi = (uintptr_t)cpu;
    err = hypercall_vcpu_op(VCPUOP_initialise, cpu->id, &c);
    if (!err)
        err = hypercall_vcpu_op(VCPUOP_up, cpu->id, NULL);
    return errno_from_xen(err);
}

/* From here on the lock is taken in earnest; we have it. vCPU 0 needs a stack
 * of its own, too. Upcalls are masked. */
static int activate(void)
{
    struct vcpu *first = &vcpus[0];
    struct thread *t;
    int err;

    if (smp_active)
        return 0;
    err = event_bind_ipi(0, kicked, NULL, &first->kick_port);
    if (err)
        return err;
    t = thread_create("vcpu/0", live_on_first, first, HOME_STACK);
    if (!t)
        return -ENOMEM;
    t->only = first;
    smp_active = true;
    lock_take();
    first->home = t;
    return 0;
}

static void raise_vcpu(struct vcpu *cpu)
{
    bool was = upcalls_mask();
    int err = activate();

    cpu->wanted = true;
    if (!err && !cpu->home)
        err = raise_first(cpu);
    upcalls_restore(was);
    /* It may be just about to lower itself. */
    while (!err && !cpu->online) {
        err = errno_from_xen(hypercall_vcpu_op(VCPUOP_up, cpu->id, NULL));
        thread_sleep(NS_PER_MS);
    }
    if (err)
        printf("vCPU %u cannot be raised: error %d\n", cpu->id, -err);
}

static void lower_vcpu(struct vcpu *cpu)
{
    bool was = upcalls_mask();

    if (cpu->wanted && cpu->home) {
        cpu->wanted = false;
        if (cpu->home->state == THREAD_WAITING)
            schedule_wake(cpu->home, 0);
    }
    upcalls_restore(was);
}

/* ---- what the store says ---- */

static bool is_offline(unsigned int id)
{
    char path[32], *value;
    bool offline;

    snprintf(path, sizeof(path), "cpu/%u/availability", id);
    if (xenbus_read(XENBUS_NO_TX, path, &value, NULL))
        return false;
    offline = strcmp(value, "offline") == 0;
    free(value);
    return offline;
}

/* vCPU 0 stays: it is told of all devices' events. */
static void adjust(void)
{
    for (unsigned int i = 1; i < present; i++) {
        bool offline = is_offline(i);

        if (offline)
            lower_vcpu(&vcpus[i]);
        else if (!vcpus[i].wanted)
            raise_vcpu(&vcpus[i]);
    }
}

static void cpu_changed(struct xenbus_watch *w, const char *path)
{
    (void)w;
    (void)path;
    adjust();
}

static void start(void *arg)
{
    static struct xenbus_watch watch = { .fn = cpu_changed };

    (void)arg;
    if (xenbus_watch(&watch, "cpu"))
        adjust();
}

void smp_start(void)
{
    struct thread *t;

    while (present < vcpus_max &&
           hypercall_vcpu_op(VCPUOP_is_up, present, NULL) >= 0)
        present++;
    if (present == 1)
        return;
    t = thread_create("smp", start, NULL, 0);
    if (t)
        thread_detach(t);
}
