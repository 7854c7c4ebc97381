/*
 * What `ringside doctor` asks of the kernel; see doctor.h. What would change
 * the process for good (filters, namespaces) is tried in a child.
 */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>

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

enum verdict doctor_verdict(struct finding *f, int err, enum verdict failed)
{
    DOCTOR_SAY(f, "%s", err == 0 ? "" : strerror(err));
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

enum verdict doctor_check_kernel(struct finding *f)
{
    struct utsname u;
    int major = 0, minor = 0;

    uname(&u);
    DOCTOR_SAY(f, "Linux %s", u.release);
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

enum verdict doctor_check_listener(struct finding *f)
{
    int err = in_child(try_listener);

    if (err != EBUSY)
        return doctor_verdict(f, err, DOCTOR_MISSING);
    DOCTOR_SAY(f, "another sandbox around this process has the only listener");
    return DOCTOR_MISSING;
}

enum verdict doctor_check_sync_wake_up(struct finding *f)
{
    return doctor_verdict(f, in_child(try_sync_wake_up), DOCTOR_WEAKER);
}

enum verdict doctor_check_userfaultfd(struct finding *f)
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
        return doctor_verdict(f, err, DOCTOR_WEAKER);
    DOCTOR_SAY(f, "features for shared memory are missing (has %#llx)",
               (unsigned long long)api.features);
    return DOCTOR_WEAKER;
}

static int try_namespaces(void)
{
    return unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC) == 0 ? 0 : errno;
}

enum verdict doctor_check_namespaces(struct finding *f)
{
    return doctor_verdict(f, in_child(try_namespaces), DOCTOR_WEAKER);
}

enum verdict doctor_check_io_uring(struct finding *f)
{
    struct io_uring_params p = { 0 };
    int fd = (int)syscall(SYS_io_uring_setup, 4, &p);
    int err = fd < 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    return doctor_verdict(f, err, DOCTOR_WEAKER);
}

enum verdict doctor_check_memfd(struct finding *f)
{
    int fd = memfd_create("doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int err = fd < 0 ? errno : 0;

    if (err == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
        err = errno;
    if (fd >= 0)
        close(fd);
    return doctor_verdict(f, err, DOCTOR_MISSING);
}

enum verdict doctor_check_epoll_pwait2(struct finding *f)
{
    struct timespec zero = { 0 };
    struct epoll_event e;
    int fd = epoll_create1(EPOLL_CLOEXEC), err = 0;

    if (syscall(SYS_epoll_pwait2, fd, &e, 1, &zero, NULL, 0) < 0)
        err = errno;
    close(fd);
    return doctor_verdict(f, err, DOCTOR_MISSING);
}

enum verdict doctor_check_pidfd(struct finding *f)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int err = fd < 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    return doctor_verdict(f, err, DOCTOR_MISSING);
}
