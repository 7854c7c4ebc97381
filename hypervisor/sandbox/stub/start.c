/*
 * From exec to guest entry: maps the guest's memory where the guest expects
 * it, installs handlers and filters, gives the listener to the hypervisor,
 * closes everything else. A step that fails exits with its number, which the
 * hypervisor reports.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/mman.h>
#include <linux/seccomp.h>
#include <linux/socket.h>
#include <linux/time_types.h>

#include "stub.h"

struct stub stub;

#define SOL_SOCKET      1
#define SCM_RIGHTS      1
#define CLOCK_MONOTONIC 1

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

/* The engine's page is the last of the file; its offset comes as argv[1]. */
static uint64_t parse(const char *s)
{
    uint64_t v = 0;

    while (*s >= '0' && *s <= '9')
        v = v * 10 + (uint64_t)(*s++ - '0');
    return v;
}

static void map_memory(uint64_t page_offset)
{
    struct sandbox_page *p;
    long r = sys6(__NR_mmap, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                  SANDBOX_FD_RAM, (long)page_offset);
    uint64_t first = 1 << 20, end;

    need(r > 0, 10);
    stub.page = p = (void *)r;
    end = (uint64_t)p->nr_pages << PAGE_SHIFT;
    r = map_fixed(first, end - first, PROT_READ | PROT_WRITE, first);
    need(r == (long)first, 11);
    /* shared_info is the frame behind RAM, in the file as for the guest. */
    r = map_fixed(end, PAGE_SIZE, PROT_READ | PROT_WRITE, end);
    need(r == (long)end, 12);
    r = map_fixed(p->stack, p->stack_size, PROT_READ | PROT_WRITE,
                  p->stack_offset);
    need(r == (long)p->stack, 20);
    stub.shared = (void *)end;
    stub.vcpu = &stub.shared->vcpu_info[0];
    stub_fill_hypercall_page((uint8_t *)p->hypercall_page);
    for (uint32_t i = 0; i < p->nr_segments; i++)
        need(sys3(__NR_mprotect, (long)p->segment[i].start,
                  (long)(p->segment[i].end - p->segment[i].start),
                  p->segment[i].prot) == 0,
             13);
}

static void make_tick(void)
{
    struct sigevent ev = { .sigev_signo = SIGALRM,
                           .sigev_notify = SIGEV_THREAD_ID };
    int id = -1;

    ev._sigev_un._tid = (int)sys3(__NR_gettid, 0, 0, 0);
    need(sys3(__NR_timer_create, CLOCK_MONOTONIC, (long)&ev, (long)&id) == 0,
         14);
    need(id == 0, 15); /* the filter allows this one only */
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

static void close_rest(void)
{
    sys3(__NR_close_range, 0, SANDBOX_FD_EPOLL - 1, 0);
    sys3(__NR_close_range, SANDBOX_FD_RAM + 1, ~0u, 0);
}

_Noreturn void stub_start(long *sp);

_Noreturn void stub_start(long *sp)
{
    struct sandbox_page *p;
    struct sandbox_boot *boot;
    long listener;

    need(sp[0] == 2, 9);
    map_memory(parse((const char *)sp[2]));
    p = stub.page;
    stub_install_signals();
    make_tick();
    boot = (void *)sys6(__NR_mmap, 0, sizeof(*boot), PROT_READ, MAP_SHARED,
                        SANDBOX_FD_BOOT, 0);
    need((long)boot > 0, 16);
    listener = install_filter(boot, 0,
                              SECCOMP_FILTER_FLAG_NEW_LISTENER |
                                  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    need(listener >= 0, SANDBOX_NO_LISTENER);
    send_listener(listener);
    close_rest();
    need(install_filter(boot, 1, 0) == 0, 19);
    sys3(SANDBOX_CALL_START, 0, 0, 0);
    stub_arm_tick();
    stub_enter(p->rip, p->rsp, p->rsi);
}
