/*
 * What a guest may ask of Linux: its own calls, with its own arguments, and
 * nothing else. Everything else ends it.
 */
#include "puppet.h"

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_EPOLL_PWAIT2 441
#define X32             0x40000000u

/* Does the guest survive this? Its console text is in c->console. */
static bool survives(struct confined *c, const char *cmdline)
{
    struct rs_domain_info info = confine_run(c, "%s", cmdline);

    if (info.shutdown_reason == SHUTDOWN_poweroff)
        return true;
    assert_int_equal(info.shutdown_reason, SHUTDOWN_crash);
    if (!strstr(info.crash, "system call that is not a hypercall"))
        fail_msg("%s: %s", cmdline, info.crash);
    assert_string_equal(strstr(c->console, "(hypervisor)"), c->console);
    return false;
}

/* Killed for each of these; words are those of the probe. */
static void kills(struct confined *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void kills(struct confined *c, const char *fmt, ...)
{
    char cmdline[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(cmdline, sizeof(cmdline), fmt, ap);
    va_end(ap);
    if (survives(c, cmdline))
        fail_msg("survived: %s (%s)", cmdline, c->console);
}

/* The results of a line of calls, which it survives. */
static unsigned int results(struct confined *c, long *r, unsigned int max,
                            const char *cmdline)
{
    unsigned int n = 0;

    if (!survives(c, cmdline))
        fail_msg("killed: %s", cmdline);
    for (const char *s = c->console; n < max && (s = strstr(s, "result ")); s++)
        r[n++] = (long)strtoul(s + 7, NULL, 16);
    return n;
}

static long result(struct confined *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static long result(struct confined *c, const char *fmt, ...)
{
    char cmdline[256];
    va_list ap;
    long r = 0;

    va_start(ap, fmt);
    vsnprintf(cmdline, sizeof(cmdline), fmt, ap);
    va_end(ap);
    assert_int_equal(results(c, &r, 1, cmdline), 1);
    return r;
}

static bool is_own(unsigned int nr)
{
    static const unsigned int own[] = { __NR_write,        NR_EPOLL_PWAIT2,
                                        __NR_rt_sigreturn, __NR_timer_settime,
                                        __NR_arch_prctl,   __NR_mmap,
                                        __NR_mprotect,     __NR_sched_yield };

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (own[i] == nr)
            return true;
    return false;
}

/* ---- exits of native kernels ---- */

#define CALL_EXIT SANDBOX_CALL_EXIT
#define INTERRUPT 1

static void test_exit_of_a_paravirtual_guest(void **state)
{
    assert_int_equal(
        result(*state, "call %x 1 0 %llx", CALL_EXIT, PROBE_SHARED),
        -XEN_ENOSYS);
}

/* Where the stub says that the registers are is the guest's word. */
static void test_exit_with_other_registers(void **state)
{
    static const uint64_t nowhere[] = { 0, 8, ~0ull, ~0ull - 100, 1ull << 46 };

    confine_native = true;
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        assert_int_equal(result(*state, "call %x %x 0 %llx", CALL_EXIT,
                                INTERRUPT, (unsigned long long)nowhere[i]),
                         -XEN_EFAULT);
    assert_int_equal(result(*state, "call %x %x ffffffffffffffff %llx",
                            CALL_EXIT, INTERRUPT, PROBE_SHARED),
                     0);
    confine_native = false;
}

/* A trap that is none, and whose handler is nowhere, ends it. */
static void test_exit_with_a_forged_trap(void **state)
{
    struct rs_domain_info info;

    confine_native = true;
    info = confine_run(*state, "call %x 0 0 %llx", CALL_EXIT, PROBE_SHARED);
    confine_native = false;
    assert_int_equal(info.shutdown_reason, SHUTDOWN_crash);
    assert_non_null(strstr(info.crash, "lead to no handler"));
    assert_true(survives(*state, "call 5011 0"));
}

/* ---- numbers ---- */

/*
 * uretprobe and uprobe: Linux (from 6.14 and 6.18) does not show them to
 * filters. They do nothing outside of the kernel's own trampoline: SIGILL, or
 * an error.
 */
#define NR_URETPROBE 335
#define NR_UPROBE    336

static void kernels_own(struct confined *c, unsigned int nr)
{
    struct rs_domain_info info = confine_run(c, "call %x 180000", nr);

    if (info.shutdown_reason == SHUTDOWN_poweroff)
        assert_true((long)strtoul(c->console + 7, NULL, 16) < 0);
    else
        assert_true(strstr(info.crash, "system call that is not") ||
                    strstr(info.crash, "invalid instruction"));
}

static void test_every_number(void **state)
{
    for (unsigned int nr = 0; nr < 1024; nr++)
        if (nr == NR_URETPROBE || nr == NR_UPROBE)
            kernels_own(*state, nr);
        else if (!is_own(nr))
            kills(*state, "call %x", nr);
}

static void test_numbers_around(void **state)
{
    kills(*state, "call %x", SANDBOX_BASE - 1);
    kills(*state, "call %x", SANDBOX_BASE + SANDBOX_CALLS);
    kills(*state, "call ffffffff");
    kills(*state, "call ffffffffffffffff");
    kills(*state, "call 80000000");
    /* The kernel looks at 32 bits; so does the filter. */
    kills(*state, "call 100000027"); /* getpid */
}

/* Kernels without 32-bit programs have no such gate: a fault. */
static bool has_int80(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        long nr = 20; /* getpid */

        signal(SIGSEGV, SIG_DFL); /* not cmocka's */
        __asm__ __volatile__("int $0x80" : "+a"(nr)::"memory");
        _exit(0);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    return status == 0;
}

/* The x32 ABI and the 32-bit door, also for numbers that are its own. */
static void test_other_doors(void **state)
{
    for (unsigned int nr = 0; nr < 64; nr++)
        kills(*state, "call %x 0 0 8", X32 + nr);
    kills(*state, "call %x", X32 + __NR_rt_sigreturn);
    kills(*state, "call %x", X32 + NR_EPOLL_PWAIT2);
    kills(*state, "call %x", X32 + SANDBOX_BASE + 17);
    kills(*state, "call %x", X32 + 512);
    kills(*state, "call %x", X32 + 547);
    for (unsigned int nr = 0; has_int80() && nr < 460; nr += nr < 24 ? 1 : 7)
        kills(*state, "int80 %x", nr);
    if (has_int80())
        kills(*state, "int80 %x", SANDBOX_BASE + 17);
    /* Where the kernel has no such page any more, it is a page fault. */
    if (strstr(confine_proc(getpid(), "maps"), "[vsyscall]"))
        kills(*state, "vsyscall");
}

/*
 * No thread can end alone: where one vCPU ends, by whatever door, so does the
 * domain, with a report.
 */
static void ends_all(struct confined *c, unsigned int vcpu, bool int80,
                     unsigned long nr, const char *report)
{
    struct rs_domain_info info;
    struct puppets p;

    puppets_boot(&p, c, 2);
    p.slot[vcpu].int80 = int80;
    puppet_ask(&p, vcpu, nr, (const uint64_t[6]){ 0 });
    info = confine_wait(c, p.d->domid);
    assert_int_equal(info.shutdown_reason, SHUTDOWN_crash);
    if (!strstr(info.crash, report))
        fail_msg("%#lx of vCPU %u: %s", nr, vcpu, info.crash);
    puppets_destroy(&p);
}

static void test_one_thread_ends(void **state)
{
    static const unsigned long numbers[] = {
        X32 + __NR_exit, X32 + __NR_getpid,  X32 + 512, __NR_exit,
        __NR_exit_group, SANDBOX_BASE + 100, ~0ul,
    };
    const unsigned long exit_of_i386 = 1, getpid_of_i386 = 20;
    const char *other = "system call that is not a hypercall",
               *fault = "killed by signal 11",
               *gate = has_int80() ? other : fault;

    for (unsigned int vcpu = 0; vcpu < 2; vcpu++) {
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
            ends_all(*state, vcpu, false, numbers[i], other);
        /* Its stack is no signal's frame. */
        ends_all(*state, vcpu, false, __NR_rt_sigreturn, fault);
        ends_all(*state, vcpu, true, exit_of_i386, gate);
        ends_all(*state, vcpu, true, getpid_of_i386, gate);
    }
}

/* Every hypercall's number is answered; what is not there by -ENOSYS. */
static void test_hypercall_numbers(void **state)
{
    for (unsigned int nr = 0; nr < 64; nr += 8) {
        char line[256] = "call";
        long r[8];

        for (unsigned int i = 0; i < 8; i++)
            sprintf(line + strlen(line), " %x ff ff ff /",
                    SANDBOX_BASE + nr + i);
        assert_int_equal(results(*state, r, 8, line), 8);
        for (unsigned int i = 0; i < 8; i++)
            assert_true(r[i] <= 0);
    }
    assert_int_equal(result(*state, "call %x 0", SANDBOX_BASE + 17),
                     4 << 16 | 17);
}

/* The engine's own calls give a guest nothing. */
static void test_engine_calls(void **state)
{
    struct confined *c = *state;
    struct rs_domain_info info;

    assert_int_equal(result(c, "call %x", SANDBOX_CALL_FINISH), 0);
    assert_int_equal(result(c, "call %x", SANDBOX_CALL_START), 0);
    info = confine_run(c, "call %x ffffffffffffffff 1 2 3", SANDBOX_CALL_CRASH);
    assert_int_equal(info.shutdown_reason, SHUTDOWN_crash);
    assert_string_equal(info.crash,
                        "trap at rip 0x1, address 0x2, error code 0x3");
}

/* ---- arguments ---- */

static void test_write(void **state)
{
    const unsigned int nr = __NR_write;

    /* There is no such port: nothing is written. */
    assert_int_equal(result(*state, "call %x 5 180000 8", nr), -9);
    assert_int_equal(result(*state, "call %x 3bf 180000 8", nr), -9);
    kills(*state, "call %x 3c0 180000 8", nr); /* its epoll file */
    kills(*state, "call %x 3c1 180000 8", nr); /* its memory */
    kills(*state, "call %x 3c8 180000 8", nr);
    kills(*state, "call %x ffffffff 180000 8", nr);
    kills(*state, "call %x ffffffffffffffff 180000 8", nr);
    kills(*state, "call %x 100000005 180000 8", nr);
    kills(*state, "call %x 8000000000000005 180000 8", nr);
    kills(*state, "call %x 5 180000 0", nr);
    kills(*state, "call %x 5 180000 7", nr);
    kills(*state, "call %x 5 180000 9", nr);
    kills(*state, "call %x 5 180000 1000", nr);
    kills(*state, "call %x 5 180000 100000008", nr);
    kills(*state, "call %x 5 180000 ffffffffffffffff", nr);
}

/* A port of its own takes 8 bytes, as long as it is open. */
static void test_write_to_a_port(void **state)
{
    struct confined *c = *state;
    uint16_t d = confine_create(c, PROBE_KIB,
                                "call 5020 6 180000 / 1 1 180000 8 / "
                                "1 1 0 8 / 5020 3 180004 / 1 1 180000 8");
    struct evtchn_alloc_unbound *op = confine_at(c, d, PROBE_SHARED);

    op->dom = op->remote_dom = DOMID_SELF;
    assert_int_equal(rs_domain_unpause(c->h, d), 0);
    assert_int_equal(confine_wait(c, d).shutdown_reason, SHUTDOWN_poweroff);
    assert_string_equal(c->console,
                        "result 0\nresult 8\nresult fffffffffffffff2\n"
                        "result 0\nresult fffffffffffffff7\n");
}

/* A reset takes every port's descriptor away, in several turns. */
static void test_reset(void **state)
{
    struct confined *c = *state;
    struct rs_domain_info info = confine_run(c, "reset 64");

    assert_int_equal(info.shutdown_reason, SHUTDOWN_poweroff);
    assert_int_equal(info.exit_status, 0);
}

static void test_epoll(void **state)
{
    const unsigned int nr = NR_EPOLL_PWAIT2;

    /* No wait: the timeout at 180000 is zero. */
    assert_int_equal(result(*state, "call %x 3c0 180100 10 180000", nr), 0);
    /* Those of vCPUs that this domain does not have are not open. */
    for (int fd = 0x3c1; fd < 0x3c8; fd++)
        assert_int_equal(result(*state, "call %x %x 180100 10 180000", nr, fd),
                         -XEN_EBADF);
    kills(*state, "call %x 3c8 180100 10 180000", nr);
    kills(*state, "call %x 3bf 180100 10 180000", nr);
    kills(*state, "call %x 0 180100 10 180000", nr);
    kills(*state, "call %x 1000003c0 180100 10 180000", nr);
    kills(*state, "call %x 3c0 180100 10 180000 180200 8", nr); /* a mask */
    kills(*state, "call %x 3c0 180100 10 180000 100000000 8", nr);
    kills(*state, "call %x 3c0 180100 10 0", __NR_epoll_wait);
    kills(*state, "call %x 3c0 180100 10 0", __NR_epoll_pwait);
    kills(*state, "call %x 3c0 1 0 0", __NR_epoll_ctl);
    /* Where to, it may not choose freely: the kernel checks. */
    assert_true(result(*state, "call %x 3c0 0 ffffffff 180000", nr) <= 0);
}

static void test_timer_settime(void **state)
{
    const unsigned int nr = __NR_timer_settime;

    assert_int_equal(result(*state, "call %x 0 0 180000 0", nr), 0);
    for (int id = 1; id < 8; id++)
        assert_int_equal(result(*state, "call %x %x 0 180000 0", nr, id),
                         -XEN_EINVAL);
    kills(*state, "call %x 8 0 180000 0", nr);
    kills(*state, "call %x ffffffffffffffff 0 180000 0", nr);
    kills(*state, "call %x 100000000 0 180000 0", nr);
    kills(*state, "call %x 0 1 180000 0", nr);
    kills(*state, "call %x 0 100000000 180000 0", nr);
    kills(*state, "call %x 0 0 180000 180100", nr);
    kills(*state, "call %x 0 0 180000 100000000", nr);
    kills(*state, "call %x 180000 180100 180200", __NR_timer_create);
    kills(*state, "call %x 0", __NR_timer_delete);
}

/* Any number of arguments: it has none, and gives nothing away. */
static void test_yield(void **state)
{
    assert_int_equal(result(*state, "call %x 1 2 3 4", __NR_sched_yield), 0);
}

static void test_arch_prctl(void **state)
{
    const unsigned int nr = __NR_arch_prctl;

    assert_int_equal(result(*state, "call %x %x 180000", nr, ARCH_SET_FS), 0);
    for (unsigned int code = 0x1000; code < 0x1040; code++)
        if (code != ARCH_SET_FS)
            kills(*state, "call %x %x 180000", nr, code);
    kills(*state, "call %x 0", nr);
    kills(*state, "call %x 2001 180000", nr); /* vDSO maps */
    kills(*state, "call %x 5001 1", nr);      /* shadow stacks */
    kills(*state, "call %x 10000%x 180000", nr, ARCH_SET_FS);
}

/* ---- the address space: refused, with the guest alive ---- */

static void refused(struct confined *c, unsigned int nr, const char *args)
{
    long r = result(c, "call %x %s", nr, args);

    if (r >= 0)
        fail_msg("call %x %s: %lx", nr, args, (unsigned long)r);
}

/* Nothing was told, so nothing is let go. */
static void test_mmap(void **state)
{
    static const char *const args[] = {
        "0 1000 3 22 ffffffffffffffff 0",        /* anonymous memory */
        "0 1000 7 22 ffffffffffffffff 0",        /* executable */
        "300000 1000 3 32 ffffffffffffffff 0",   /* fixed */
        "200000 1000 3 11 3c1 0",                /* its own file: first MiB */
        "200000 1000 3 11 3c1 100000",           /* its own RAM again */
        "200000 1000 5 11 3c1 100000",           /* and executable */
        "201000 1000 3 11 3c8 0",                /* a foreign file */
        "201000 1000 0 4032 ffffffffffffffff 0", /* a removal */
        "0 1000 3 21 ffffffffffffffff 0",
        "10000 1000 3 32 ffffffffffffffff 0", /* at zero */
        "0 8000000000000000 3 22 ffffffffffffffff 0",
        "ffffffff00200000 1000 3 11 3c1 0",
        "0 0 0 0 0 0",
    };

    for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
        refused(*state, __NR_mmap, args[i]);
}

static void test_mprotect(void **state)
{
    static const char *const bad[] = {
        "180000 1000 2", /* without reading */
        "180000 1000 4",
        "180000 1000 6",
        "180000 1000 7",
        "180000 1000 100000007",
        "180000 1000 8",
        "180000 1000 1000001",
        "180000 1000 2000003",
        "180000 1000 8000000001",
        "180000 1000 ffffffffffffffff",
        "180001 1000 1",
        "0 1000 3",
        "ff000 1000 3",
        "ff000 2000 3",
        "1ff000 2000 3",
        "200000 1000 5",
        "201000 1000 3",
        "180000 ffffffffffffffff 1",
        "180000 fffffffffff00000 1",
        "ffffffffff600000 1000 5",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refused(*state, __NR_mprotect, bad[i]);
    assert_int_equal(result(*state, "call %x 180000 1000 1", __NR_mprotect), 0);
    assert_int_equal(result(*state, "call %x 181000 1000 5", __NR_mprotect), 0);
    assert_int_equal(result(*state, "call %x 1ff000 1000 0", __NR_mprotect), 0);
}

/* The stub, its variables and the kernel's pages stay as they are. */
static void test_mprotect_of_the_stub(void **state)
{
    struct confined *c = *state;
    uint16_t d = confine_create(c, PROBE_KIB, "sleep");
    unsigned long start, end;
    const char *s;

    assert_int_equal(rs_domain_unpause(c->h, d), 0);
    confine_wait_for(c, &confine_shared(c, d)->count, 1);
    /* The same binary, loaded elsewhere: so only that all is refused. */
    s = strstr(confine_proc(confine_info(c, d).pid, "maps"), "ringside-stub");
    assert_non_null(s);
    while (s[-1] != '\n')
        s--;
    assert_int_equal(sscanf(s, "%lx-%lx", &start, &end), 2);
    assert_int_equal(rs_domain_destroy(c->h, d), 0);
    assert_true(
        result(c, "call %x %lx %lx 7", __NR_mprotect, start, end - start) < 0);
    assert_true(
        result(c, "call %x %lx %lx 3", __NR_mprotect, start, end - start) < 0);
}

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, confine_setup, confine_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_exit_of_a_paravirtual_guest),
        CASE(test_exit_with_other_registers),
        CASE(test_exit_with_a_forged_trap),
        CASE(test_every_number),
        CASE(test_numbers_around),
        CASE(test_other_doors),
        CASE(test_one_thread_ends),
        CASE(test_hypercall_numbers),
        CASE(test_engine_calls),
        CASE(test_write),
        CASE(test_write_to_a_port),
        CASE(test_epoll),
        CASE(test_timer_settime),
        CASE(test_yield),
        CASE(test_reset),
        CASE(test_arch_prctl),
        CASE(test_mmap),
        CASE(test_mprotect),
        CASE(test_mprotect_of_the_stub),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return confine_main(argc, argv, run);
}
