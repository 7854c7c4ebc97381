/*
 * The checks of `ringside doctor`; see doctor.h. Checks that change the process
 * for good (filters, namespaces) try it in a child.
 */
#include "doctor.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>

#include "host.h"
#include "launch.h"

/* Newer than the headers of Debian 12. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define CPUID_INVARIANT_TSC (1U << 8) /* leaf 0x80000007, EDX */
#define HWCAP2_FSGSBASE_BIT (1UL << 1)
#define NOFILE_WANTED       4096

#define SAY(f, ...) snprintf((f)->detail, sizeof((f)->detail), __VA_ARGS__)

static enum verdict verdict_errno(struct finding *f, int err,
                                  enum verdict failed)
{
    SAY(f, "%s", err == 0 ? "" : strerror(err));
    return err == 0 ? DOCTOR_OK : failed;
}

/* Runs fn in a child; its return value (an errno of at most 255). */
static int in_child(int (*fn)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(fn());
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return EAGAIN;
    return WEXITSTATUS(status);
}

/* ---- the kernel ---- */

static enum verdict check_kernel(struct finding *f)
{
    struct utsname u;
    int major = 0, minor = 0;

    uname(&u);
    SAY(f, "Linux %s", u.release);
    if (sscanf(u.release, "%d.%d", &major, &minor) != 2)
        return DOCTOR_WEAKER;
    return major > 6 || (major == 6 && minor >= 1) ? DOCTOR_OK : DOCTOR_MISSING;
}

/* A filter that allows everything, with a listener; the fd or -errno. */
static int open_listener(void)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = { .len = 1, .filter = &allow };
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER |
                          SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    long fd;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    return fd < 0 ? -errno : (int)fd;
}

static int try_listener(void)
{
    int fd = open_listener();

    return fd < 0 ? -fd : 0;
}

static int try_sync_wake_up(void)
{
    int fd = open_listener();

    if (fd < 0)
        return -fd;
    return ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                 SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0
               ? 0
               : errno;
}

static enum verdict check_listener(struct finding *f)
{
    int err = in_child(try_listener);

    if (err != EBUSY)
        return verdict_errno(f, err, DOCTOR_MISSING);
    SAY(f, "another sandbox around this process has the only listener");
    return DOCTOR_MISSING;
}

static enum verdict check_sync_wake_up(struct finding *f)
{
    return verdict_errno(f, in_child(try_sync_wake_up), DOCTOR_WEAKER);
}

static enum verdict check_userfaultfd(struct finding *f)
{
    struct uffdio_api api = { .api = UFFD_API };
    const unsigned long long wanted =
        UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM |
        UFFD_FEATURE_SIGBUS | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    int err = fd < 0 ? errno : 0;

    if (err == 0 && ioctl(fd, UFFDIO_API, &api) != 0)
        err = errno;
    if (fd >= 0)
        close(fd);
    if (err != 0 || (api.features & wanted) == wanted)
        return verdict_errno(f, err, DOCTOR_WEAKER);
    SAY(f, "features for shared memory are missing (has %#llx)",
        (unsigned long long)api.features);
    return DOCTOR_WEAKER;
}

static int try_namespaces(void)
{
    return unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC) == 0 ? 0 : errno;
}

static enum verdict check_namespaces(struct finding *f)
{
    return verdict_errno(f, in_child(try_namespaces), DOCTOR_WEAKER);
}

static enum verdict check_io_uring(struct finding *f)
{
    struct io_uring_params p = { 0 };
    int fd = (int)syscall(SYS_io_uring_setup, 4, &p);
    int err = fd < 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    return verdict_errno(f, err, DOCTOR_WEAKER);
}

static enum verdict check_memfd(struct finding *f)
{
    int fd = memfd_create("doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int err = fd < 0 ? errno : 0;

    if (err == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
        err = errno;
    if (fd >= 0)
        close(fd);
    return verdict_errno(f, err, DOCTOR_MISSING);
}

static enum verdict check_epoll_pwait2(struct finding *f)
{
    struct timespec zero = { 0 };
    struct epoll_event e;
    int fd = epoll_create1(EPOLL_CLOEXEC), err = 0;

    if (syscall(SYS_epoll_pwait2, fd, &e, 1, &zero, NULL, 0) < 0)
        err = errno;
    close(fd);
    return verdict_errno(f, err, DOCTOR_MISSING);
}

static enum verdict check_pidfd(struct finding *f)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int err = fd < 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    return verdict_errno(f, err, DOCTOR_MISSING);
}

/* ---- the processor ---- */

static enum verdict check_fsgsbase(struct finding *f)
{
    bool has = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT) != 0;

    SAY(f, "%s", has ? "" : "not offered by processor and kernel");
    return has ? DOCTOR_OK : DOCTOR_WEAKER;
}

static enum verdict check_tsc(struct finding *f)
{
    unsigned int a, b, c, d = 0;
    bool has = __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 &&
               (d & CPUID_INVARIANT_TSC) != 0;

    SAY(f, "%s", has ? "" : "the processor does not promise it");
    return has ? DOCTOR_OK : DOCTOR_WEAKER;
}

static enum verdict check_cpus(struct finding *f)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    SAY(f, "%d", n);
    return n >= 2 ? DOCTOR_OK : DOCTOR_WEAKER;
}

/* ---- devices and limits ---- */

static enum verdict check_device(struct finding *f, const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    int err = fd < 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    SAY(f, "%s%s%s", path, err != 0 ? ": " : "", err != 0 ? strerror(err) : "");
    return err == 0 ? DOCTOR_OK : DOCTOR_WEAKER;
}

static enum verdict check_kvm(struct finding *f)
{
    return check_device(f, "/dev/kvm");
}

static enum verdict check_tun(struct finding *f)
{
    return check_device(f, "/dev/net/tun");
}

static enum verdict check_pty(struct finding *f)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int err = fd < 0 ? errno : 0;

    if (err == 0 && (grantpt(fd) != 0 || unlockpt(fd) != 0))
        err = errno;
    if (fd >= 0)
        close(fd);
    return verdict_errno(f, err, DOCTOR_MISSING);
}

static enum verdict check_nofile(struct finding *f)
{
    struct rlimit r = { 0 };

    getrlimit(RLIMIT_NOFILE, &r);
    SAY(f, "%llu", (unsigned long long)r.rlim_max);
    return r.rlim_max >= NOFILE_WANTED ? DOCTOR_OK : DOCTOR_WEAKER;
}

/* Can the runtime directory be made, or written? */
static enum verdict check_rundir(struct finding *f)
{
    char dir[HOST_RUNDIR_MAX], parent[HOST_RUNDIR_MAX], *slash;

    if (host_rundir(dir) != 0)
        return DOCTOR_MISSING;
    SAY(f, "%s", dir);
    if (access(dir, W_OK) == 0)
        return DOCTOR_OK;
    if (errno != ENOENT)
        return DOCTOR_MISSING;
    memcpy(parent, dir, sizeof(parent));
    slash = strrchr(parent, '/');
    if (slash == NULL)
        return access(".", W_OK) == 0 ? DOCTOR_OK : DOCTOR_MISSING;
    *slash = '\0';
    return access(slash == parent ? "/" : parent, W_OK) == 0 ? DOCTOR_OK
                                                             : DOCTOR_MISSING;
}

/* ---- software ---- */

static enum verdict check_programs(struct finding *f)
{
    char path[4200];

    if (launch_find(path, sizeof(path)) != 0) {
        SAY(f, "ringsided not found");
        return DOCTOR_MISSING;
    }
    SAY(f, "%.150s", path);
    return DOCTOR_OK;
}

/* What is needed to build guests from this source. */
static enum verdict check_packages(struct finding *f)
{
    static const struct {
        const char *package, *file;
    } needed[] = {
        { "gcc", "/usr/bin/gcc" },
        { "newlib-source", "/usr/src/newlib" },
        { "libxen-dev", "/usr/include/xen/xen.h" },
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (access(needed[i].file, F_OK) != 0)
            n +=
                (size_t)snprintf(f->detail + n, sizeof(f->detail) - n, "%s%s",
                                 n > 0 ? ", " : "missing: ", needed[i].package);
    }
    return n == 0 ? DOCTOR_OK : DOCTOR_WEAKER;
}

const struct check doctor_checks[] = {
    { "kernel", check_kernel, "Ringside needs Linux 6.1 or newer.",
      "Update the kernel.", NULL },
    { "seccomp listener", check_listener,
      "Guests' hypercalls cannot reach the hypervisor.",
      "Run outside the other sandbox, or allow seccomp(2) in the container's "
      "profile.",
      NULL },
    { "sync wake-up", check_sync_wake_up,
      "Hypercalls are slower; the hypervisor stays on the guest's CPU.",
      "Linux 6.6 or newer has it.", NULL },
    { "memory files", check_memfd, "Guests have no memory.",
      "Allow memfd_create(2) in the container's profile.", NULL },
    { "epoll_pwait2", check_epoll_pwait2, "Guests cannot sleep.",
      "Allow epoll_pwait2(2) in the container's profile.", NULL },
    { "pidfd", check_pidfd, "Guests cannot be watched.",
      "Allow pidfd_open(2) in the container's profile.", NULL },
    { "pseudo terminals", check_pty, "Guests have no console.",
      "Mount devpts on /dev/pts.", NULL },
    { "runtime directory", check_rundir, "No host can be started there.",
      "Set RINGSIDE_RUNDIR to a directory of yours.", NULL, true },
    { "ringsided", check_programs, "There is no hypervisor to start.",
      "Install Ringside completely, or run it from its build directory.", NULL,
      true },
    { "userfaultfd", check_userfaultfd,
      "The driver domain is less confined: it can see all memory of a guest "
      "that grants it a page.",
      "Allow userfaultfd(2) in the container's profile.",
      "RINGSIDE_NO_USERFAULTFD" },
    { "user namespaces", check_namespaces,
      "Guests are confined by their system call filter alone.",
      "sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone or "
      "kernel.apparmor_restrict_unprivileged_userns allow them.",
      "RINGSIDE_NO_USERNS" },
    { "io_uring", check_io_uring,
      "Disks that can block are served by threads, which is slower.",
      "sysctl kernel.io_uring_disabled=0, and the container's profile.",
      "RINGSIDE_NO_IO_URING" },
    { "FSGSBASE", check_fsgsbase,
      "Guests with threads switch between them by a hypercall.", "", NULL },
    { "invariant TSC", check_tsc,
      "Guests' clocks are corrected more often and are less exact.", "", NULL },
    { "CPUs", check_cpus,
      "A guest and the driver domain share the CPU and cannot poll.", "",
      NULL },
    { "descriptors", check_nofile,
      "Few guests fit: each event channel takes two descriptors.",
      "Raise the hard limit of open files (ulimit -Hn) above 4096.", NULL },
    { "TAP devices", check_tun, "vifs of type tap do not work; nat does.",
      "modprobe tun, and the right to open the device.", NULL },
    { "KVM", check_kvm,
      "Guests run as confined processes only; the kvm engine, which is to "
      "come, will need it.",
      "Enable virtualization, and join the group kvm.", "RINGSIDE_NO_KVM" },
    { "packages", check_packages, "Guests cannot be built here.",
      "apt-get install what is missing.", NULL },
};
const size_t doctor_nr_checks =
    sizeof(doctor_checks) / sizeof(doctor_checks[0]);
