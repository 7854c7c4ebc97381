/*
 * The baseline of a hypercall by notification: the bare mechanism, without a
 * hypervisor. A child asks by a system call that seccomp holds; we take it and
 * answer it. Both are on one processor.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "figures.h"
#include "tools/say.h"

/* Newer than Debian 12's headers (Linux 6.6). */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ul
#endif

#define CALL 0x5000 /* no system call of Linux */
#define LAST 1      /* its argument: the child is done */

/* ---- the child ---- */

static int install_filter(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALL, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                        SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

union fd_space {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int))];
};

static bool send_fd(int sock, int fd)
{
    char byte = 0;
    struct iovec iov = { &byte, 1 };
    union fd_space control = { 0 };
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof(control) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    return sendmsg(sock, &m, 0) == 1;
}

static void ask(void *arg)
{
    (void)arg;
    syscall(CALL, 0);
}

static _Noreturn void child(int sock, struct samples *s)
{
    int fd = install_filter();

    if (fd < 0 || !send_fd(sock, fd))
        _exit(1);
    samples_take(s, ask, NULL, 1);
    syscall(CALL, LAST);
    _exit(0);
}

/* ---- who answers ---- */

static int receive_fd(int sock)
{
    char byte;
    struct iovec iov = { &byte, 1 };
    union fd_space control;
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof(control) };
    struct cmsghdr *c;
    int fd = -1;

    if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != 1)
        return -1;
    c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

/* A newer kernel's structures may be larger. */
static bool answer_all(int fd)
{
    union {
        struct seccomp_notif n;
        char space[512];
    } q;
    union {
        struct seccomp_notif_resp r;
        char space[512];
    } a;

    ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
          SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP); /* where there is such a thing */
    do {
        memset(&q, 0, sizeof(q));
        if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &q))
            return false;
        memset(&a, 0, sizeof(a));
        a.r.id = q.n.id;
        if (ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &a))
            return false;
    } while (q.n.data.args[0] != LAST);
    return true;
}

int native_notifications(void)
{
    struct samples *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int sock[2] = { -1, -1 }, fd = -1;
    bool good = false;
    pid_t pid = -1;

    if (s == MAP_FAILED)
        return complain("no memory");
    if (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
        pid = fork();
    if (pid == 0) {
        close(sock[0]);
        child(sock[1], s);
    }
    close(sock[1]);
    if (pid > 0) {
        fd = receive_fd(sock[0]);
        good = fd >= 0 && answer_all(fd);
        close(fd); /* a child that still asks gets ENOSYS */
        waitpid(pid, NULL, 0);
    }
    close(sock[0]);
    if (good)
        figure_add_samples("native.notify", s);
    munmap(s, sizeof(*s));
    return good ? 0 : complain("a bare notification does not work here");
}
