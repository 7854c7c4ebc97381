/*
 * What a guest may ask of Linux, each with its reason. Two filters, of which
 * the stricter answer wins: the first notifies the hypervisor, the second
 * kills for everything that is not listed.
 */
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sandbox.h"

/* libseccomp 2.5.4 does not name it. */
#define NR_EPOLL_PWAIT2 441

#define VCPU_MASK ((uint64_t)SANDBOX_MAX_VCPUS - 1)

/* Address-space changes: the hypervisor looks at each (mappings.c). */
static const int notified[] = { __NR_mmap, __NR_mprotect };

static int add_hypercalls(scmp_filter_ctx f, uint32_t action)
{
    int err = 0;

    for (unsigned int i = 0; i < SANDBOX_CALLS && !err; i++)
        err = seccomp_rule_add(f, action, (int)(SANDBOX_BASE + i), 0);
    for (unsigned int i = 0; i < 2 && !err; i++)
        err = seccomp_rule_add(f, action, notified[i], 0);
    return err;
}

static int add_notified(scmp_filter_ctx f)
{
    return add_hypercalls(f, SCMP_ACT_NOTIFY);
}

static int add_allowed(scmp_filter_ctx f)
{
    const uint32_t ok = SCMP_ACT_ALLOW;
    int err;

    /* Event send: 8 bytes to a port's eventfd. Ports are the descriptors
     * below SANDBOX_PORTS, and nothing else is. */
    err = seccomp_rule_add(f, ok, __NR_write, 2,
                           SCMP_A0(SCMP_CMP_LT, SANDBOX_PORTS),
                           SCMP_A2(SCMP_CMP_EQ, 8));
    /* Sleep and harvest: the vCPUs' epoll files, without a signal mask. */
    if (!err)
        err = seccomp_rule_add(
            f, ok, NR_EPOLL_PWAIT2, 2,
            SCMP_A0(SCMP_CMP_MASKED_EQ, ~VCPU_MASK, SANDBOX_FD_EPOLL),
            SCMP_A4(SCMP_CMP_EQ, 0));
    /* The end of a signal handler. */
    if (!err)
        err = seccomp_rule_add(f, ok, __NR_rt_sigreturn, 0);
    /* The tick: the timers that the stub made, no old value asked. */
    if (!err)
        err =
            seccomp_rule_add(f, ok, __NR_timer_settime, 3,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, ~VCPU_MASK, 0),
                             SCMP_A1(SCMP_CMP_EQ, 0), SCMP_A3(SCMP_CMP_EQ, 0));
    /* SCHEDOP_yield: a vCPU waits for a lock that another one holds. */
    if (!err)
        err = seccomp_rule_add(f, ok, __NR_sched_yield, 0);
    /* The thread pointer, on processors without wrfsbase. */
    if (!err)
        err = seccomp_rule_add(f, ok, __NR_arch_prctl, 1,
                               SCMP_A0(SCMP_CMP_EQ, ARCH_SET_FS));
    if (!err)
        err = add_hypercalls(f, ok);
    if (!err)
        err = seccomp_syscall_priority(f, __NR_write, 255);
    if (!err)
        err = seccomp_syscall_priority(f, NR_EPOLL_PWAIT2, 254);
    return err;
}

/* libseccomp writes programs to files only; a memfd is one. */
static int export(scmp_filter_ctx f, struct sandbox_boot *boot, int which)
{
    const size_t max = sizeof(boot->filter[which]);
    int fd = memfd_create("filter", MFD_CLOEXEC), err;
    ssize_t n;

    if (fd < 0)
        return -errno;
    err = seccomp_export_bpf(f, fd);
    n = err ? 0 : pread(fd, boot->filter[which], max, 0);
    close(fd);
    if (err)
        return err;
    if (n <= 0 || (size_t)n == max)
        return -E2BIG;
    boot->len[which] = (uint32_t)((size_t)n / sizeof(struct sock_filter));
    return 0;
}

static int make(struct sandbox_boot *boot, int which, uint32_t otherwise,
                int (*add)(scmp_filter_ctx))
{
    scmp_filter_ctx f = seccomp_init(otherwise);
    int err;

    if (!f)
        return -ENOMEM;
    /* Another architecture or ABI (int 0x80, x32): libseccomp's own answer
     * would be to kill the thread, and leave a domain without that vCPU. */
    err = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!err)
        err = add(f);
    if (!err)
        err = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (!err)
        err = export(f, boot, which);
    seccomp_release(f);
    return err;
}

static int write_sealed(const struct sandbox_boot *boot)
{
    int fd = memfd_create("ringside-boot", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    if (write(fd, boot, sizeof(*boot)) == (ssize_t)sizeof(*boot) &&
        !fcntl(fd, F_ADD_SEALS,
               F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
        return fd;
    close(fd);
    return -EIO;
}

int filter_build(void)
{
    struct sandbox_boot *boot = calloc(1, sizeof(*boot));
    int err;

    if (!boot)
        return -ENOMEM;
    err = make(boot, 0, SCMP_ACT_ALLOW, add_notified);
    if (!err)
        err = make(boot, 1, SCMP_ACT_KILL_PROCESS, add_allowed);
    if (!err)
        err = write_sealed(boot);
    free(boot);
    return err;
}
