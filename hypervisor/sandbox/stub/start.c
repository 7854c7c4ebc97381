/*
 * From exec to guest entry: maps the guest's memory where the guest expects
 * it, installs handlers and filters, gives the listener to the hypervisor,
 * makes a thread for each vCPU, closes everything else. A step that fails exits
 * with its number, which the hypervisor reports.
 *
 * The threads inherit the first filter and get the second by TSYNC. Each waits
 * in its start call, which the hypervisor answers when the vCPU may run; from
 * that call it also knows which thread is which vCPU.
 */
#include <asm/prctl.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/socket.h>
#include <linux/time_types.h>

#include "stub.h"

struct stub stub;

#define SOL_SOCKET      1
#define SCM_RIGHTS      1
#define CLOCK_MONOTONIC 1
#define THREAD_FLAGS                                                    \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | \
     CLONE_SYSVSEM)

static void need(bool ok, int step)
{
    if (!ok)
        for (;;)
            sys3(__NR_exit_group, step, 0, 0);
}

static long map_fixed(uint64_t addr, uint64_t size, int prot, uint64_t offset)
{
    return sys6(__NR_mmap, (long)addr, (long)size, prot,
                MAP_SHARED | MAP_FIXED_NOREPLACE, SANDBOX_FD_RAM, (long)offset);
}

/* The offset of vCPU 0's page in the file comes as argv[1]. */
static uint64_t parse(const char *s)
{
    uint64_t v = 0;

    while (*s >= '0' && *s <= '9')
        v = v * 10 + (uint64_t)(*s++ - '0');
    return v;
}

/* The page and the signal stack of a vCPU. */
static struct sandbox_page *map_vcpu(unsigned int id, uint64_t page_offset)
{
    struct stub_vcpu *v = &stub.vcpu[id];
    struct sandbox_page *p;
    long r = sys6(__NR_mmap, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                  SANDBOX_FD_RAM, (long)page_offset);

    need(r > 0, 10);
    p = (void *)r;
    r = map_fixed(p->stack, p->stack_size, PROT_READ | PROT_WRITE,
                  p->stack_offset);
    need(r == (long)p->stack, 20);
    v->self = v;
    v->id = id;
    v->page = p;
    return p;
}

static void map_memory(uint64_t page_offset)
{
    struct sandbox_page *p = map_vcpu(0, page_offset);
    uint64_t first = 1 << 20, end = (uint64_t)p->nr_pages << PAGE_SHIFT;
    long r = map_fixed(first, end - first, PROT_READ | PROT_WRITE, first);

    need(r == (long)first, 11);
    /* shared_info is the frame behind RAM, in the file as for the guest. */
    r = map_fixed(end, PAGE_SIZE, PROT_READ | PROT_WRITE, end);
    need(r == (long)end, 12);
    stub.shared = (void *)end;
    stub.native = p->exit.native;
    for (unsigned int i = 1; i < p->nr_vcpus; i++)
        map_vcpu(i, page_offset + i * (PAGE_SIZE + p->stack_size));
    for (unsigned int i = 0; i < p->nr_vcpus; i++)
        stub.vcpu[i].info = &stub.shared->vcpu_info[i];
    stub_fill_hypercall_page((uint8_t *)p->hypercall_page);
    for (uint32_t i = 0; i < p->nr_segments; i++)
        need(sys3(__NR_mprotect, (long)p->segment[i].start,
                  (long)(p->segment[i].end - p->segment[i].start),
                  p->segment[i].prot) == 0,
             13);
}

/* The tick of a vCPU; the filter allows these timers only. */
static void make_tick(unsigned int vcpu, long tid)
{
    struct sigevent ev = { .sigev_signo = SIGALRM,
                           .sigev_notify = SIGEV_THREAD_ID };
    int id = -1;

    ev._sigev_un._tid = (int)tid;
    need(sys3(__NR_timer_create, CLOCK_MONOTONIC, (long)&ev, (long)&id) == 0,
         14);
    need(id == (int)vcpu, 15);
}

static long install_filter(const struct sandbox_boot *boot, int which,
                           unsigned long flags)
{
    struct sock_fprog prog = {
        .len = (unsigned short)boot->len[which],
        .filter = (struct sock_filter *)boot->filter[which],
    };

    return sys3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, (long)flags,
                (long)&prog);
}

struct message {
    void *name;
    int namelen;
    struct {
        void *base;
        size_t len;
    } * iov;
    size_t iovlen;
    void *control;
    size_t controllen;
    int flags;
};

/* The hypervisor wants the listener; the byte only carries it. */
static void send_listener(long listener)
{
    char byte = 'L';
    struct {
        void *base;
        size_t len;
    } iov = { &byte, 1 };
    struct {
        size_t len;
        int level, type;
        int fd, pad;
    } control = { 20, SOL_SOCKET, SCM_RIGHTS, (int)listener, 0 };
    struct message m = { .iov = (void *)&iov,
                         .iovlen = 1,
                         .control = &control,
                         .controllen = sizeof(control) };

    need(sys3(__NR_sendmsg, SANDBOX_FD_SOCKET, (long)&m, 0) == 1, 17);
}

static void close_rest(unsigned int vcpus)
{
    sys3(__NR_close_range, 0, SANDBOX_FD_EPOLL - 1, 0);
    if (vcpus < SANDBOX_MAX_VCPUS)
        sys3(__NR_close_range, SANDBOX_FD_EPOLL + vcpus, SANDBOX_FD_RAM - 1, 0);
    sys3(__NR_close_range, SANDBOX_FD_RAM + 1, ~0u, 0);
}

/* ---- vCPUs ---- */

static void become_vcpu(unsigned long vcpu)
{
    need(sys3(__NR_arch_prctl, ARCH_SET_GS, (long)&stub.vcpu[vcpu], 0) == 0,
         21);
    stub_set_signal_stack(stub.vcpu[vcpu].page);
    __atomic_fetch_add(&stub.ready, 1, __ATOMIC_SEQ_CST);
}

/* Waits to be raised, then enters. */
_Noreturn static void run_vcpu(void)
{
    struct stub_vcpu *me = stub_me();

    sys3(SANDBOX_CALL_START, me->id, 0, 0);
    stub_arm_tick();
    stub_enter(&me->page->entry);
}

_Noreturn void stub_thread(unsigned long vcpu)
{
    become_vcpu(vcpu);
    run_vcpu();
}

/* The signal stacks serve until a guest's stack is entered. */
static void make_threads(unsigned int vcpus)
{
    for (unsigned int i = 1; i < vcpus; i++) {
        const struct sandbox_page *p = stub.vcpu[i].page;
        long tid = stub_clone(THREAD_FLAGS, p->stack + p->stack_size, i);

        need(tid > 0, 22);
        make_tick(i, tid);
    }
    while (__atomic_load_n(&stub.ready, __ATOMIC_SEQ_CST) < vcpus)
        sys3(__NR_sched_yield, 0, 0, 0);
}

_Noreturn void stub_start(long *sp);

_Noreturn void stub_start(long *sp)
{
    struct sandbox_boot *boot;
    unsigned int vcpus;
    long listener;

    need(sp[0] == 2, 9);
    map_memory(parse((const char *)sp[2]));
    vcpus = stub.vcpu[0].page->nr_vcpus;
    stub_install_signals();
    become_vcpu(0);
    make_tick(0, sys3(__NR_gettid, 0, 0, 0));
    boot = (void *)sys6(__NR_mmap, 0, sizeof(*boot), PROT_READ, MAP_SHARED,
                        SANDBOX_FD_BOOT, 0);
    need((long)boot > 0, 16);
    listener = install_filter(boot, 0,
                              SECCOMP_FILTER_FLAG_NEW_LISTENER |
                                  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    need(listener >= 0, SANDBOX_NO_LISTENER);
    make_threads(vcpus);
    send_listener(listener);
    close_rest(vcpus);
    need(install_filter(boot, 1, SECCOMP_FILTER_FLAG_TSYNC) == 0, 19);
    run_vcpu();
}
