/*
 * The zygote: a small single-threaded process, forked before the first
 * domain, that spawns the others. A fork of the hypervisor itself would
 * inherit every guest's mapping, and a domain process must die with its
 * parent, which PDEATHSIG ties to the spawning *thread*.
 *
 * Protocol, over one SEQPACKET pair: a request carries descriptors and an
 * offset; its answer a pid and a pidfd. Unasked comes {pid, wait status} for
 * every process that ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"

#define NOBODY 65534
/* RAM, socket, then an epoll file for each vCPU. */
#define REQUEST_FDS (2 + SANDBOX_MAX_VCPUS)

struct request {
    uint64_t page_offset;
    uint32_t nr_vcpus;
};

struct answer {
    enum { ANSWER_SPAWNED, ANSWER_ENDED } kind;
    int32_t pid; /* or -errno */
    int32_t status;
};

/* The stub's ELF image, from stub_blob.S. */
extern const uint8_t stub_image[], stub_image_end[];

/* ---- messages with descriptors ---- */

static ssize_t send_with_fds(int sock, const void *data, size_t n,
                             const int *fds, unsigned int nr)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(REQUEST_FDS * sizeof(int))];
    } control;
    struct iovec iov = { (void *)(uintptr_t)data, n };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
    struct cmsghdr *c;

    memset(&control, 0, sizeof(control));
    if (nr) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(nr * sizeof(int));
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(nr * sizeof(int));
        memcpy(CMSG_DATA(c), fds, nr * sizeof(int));
    }
    return sendmsg(sock, &m, MSG_NOSIGNAL);
}

/* Fills fds with what came, -1 for the rest; returns the data's length. */
static ssize_t recv_with_fds(int sock, void *data, size_t n, int *fds,
                             unsigned int nr, int flags)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(REQUEST_FDS * sizeof(int))];
    } control;
    struct iovec iov = { data, n };
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof(control) };
    struct cmsghdr *c;
    ssize_t got;

    for (unsigned int i = 0; i < nr; i++)
        fds[i] = -1;
    got = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | flags);
    if (got < 0)
        return -errno;
    c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len <= CMSG_LEN(nr * sizeof(int)))
        memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    return got;
}

/* ---- inside the zygote ---- */

struct zygote {
    int sock, boot_fd, stub_fd, sigfd;
    pid_t pid;
};

struct spawn {
    const struct zygote *zygote;
    int fds[REQUEST_FDS];
    unsigned int nr_vcpus;
    char offset[24];
};

static bool place(int fd, int number)
{
    return dup2(fd, number) == number;
}

/* Between clone and exec, in the zygote's memory: only system calls. */
static int become_stub(void *arg)
{
    struct spawn *spawn = arg;
    const struct zygote *z = spawn->zygote;
    char name[] = "ringside-guest";
    char *argv[] = { name, spawn->offset, NULL };
    char *envp[] = { NULL };
    sigset_t none;

    if (!place(spawn->fds[0], SANDBOX_FD_RAM) ||
        !place(spawn->fds[1], SANDBOX_FD_SOCKET) ||
        !place(z->boot_fd, SANDBOX_FD_BOOT))
        _exit(2);
    for (unsigned int i = 0; i < spawn->nr_vcpus; i++)
        if (!place(spawn->fds[2 + i], SANDBOX_FD_EPOLL + (int)i))
            _exit(2);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* The zygote may have died between fork and here. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != z->pid)
        _exit(3);
    syscall(SYS_execveat, z->stub_fd, "", argv, envp, AT_EMPTY_PATH);
    _exit(4);
}

/*
 * As vfork, but with a stack of its own, and not replaced by fork in sanitizer
 * builds: when the pid is sent, the stub runs. (A SIGSTOP that came before its
 * PDEATHSIG would make it outlive us.)
 */
static pid_t spawn_stub(struct spawn *spawn)
{
    static char stack[16384] __attribute__((aligned(16)));
    pid_t pid = clone(become_stub, stack + sizeof(stack),
                      CLONE_VM | CLONE_VFORK | SIGCHLD, spawn);

    return pid < 0 ? -errno : pid;
}

static void serve_spawn(const struct zygote *z)
{
    struct answer a = { .kind = ANSWER_SPAWNED };
    struct spawn spawn = { .zygote = z };
    int pidfd = -1;
    struct request rq;
    ssize_t n =
        recv_with_fds(z->sock, &rq, sizeof(rq), spawn.fds, REQUEST_FDS, 0);

    if (n != (ssize_t)sizeof(rq))
        _exit(0); /* the hypervisor is gone */
    spawn.nr_vcpus = rq.nr_vcpus;
    snprintf(spawn.offset, sizeof(spawn.offset), "%llu",
             (unsigned long long)rq.page_offset);
    a.pid = spawn_stub(&spawn);
    if (a.pid > 0)
        pidfd = (int)syscall(SYS_pidfd_open, a.pid, 0);
    send_with_fds(z->sock, &a, sizeof(a), &pidfd, pidfd >= 0);
    for (unsigned int i = 0; i < 2 + rq.nr_vcpus; i++)
        close(spawn.fds[i]);
    if (pidfd >= 0)
        close(pidfd);
}

static void serve_ends(const struct zygote *z)
{
    struct answer a = { .kind = ANSWER_ENDED };
    struct signalfd_siginfo si;

    while (read(z->sigfd, &si, sizeof(si)) > 0)
        ;
    for (;;) {
        int status;

        a.pid = waitpid(-1, &status, WNOHANG);
        if (a.pid <= 0)
            return;
        a.status = status;
        send_with_fds(z->sock, &a, sizeof(a), NULL, 0);
    }
}

static bool become_nobody(void)
{
    return !setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) &&
           !setresuid(NOBODY, NOBODY, NOBODY);
}

/* The root of a container may have no other user to become; then it goes on
 * like an ordinary user, which is what it is outside. */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct h = { .version =
                                              _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    return !syscall(SYS_capset, &h, none);
}

/* Root's guests run as nobody; everyone's in namespaces where there are any. */
static void shed_rights(unsigned int flags)
{
    if (geteuid() == 0 && !become_nobody() && !drop_capabilities())
        _exit(5);
    /* Refused on some machines (doctor says so): the filter is the wall. */
    if (!(flags & RS_HOST_NO_NAMESPACES))
        unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS |
                CLONE_NEWNET | CLONE_NEWCGROUP);
    prctl(PR_SET_NAME, "ringside-zygote");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _exit(6);
}

/* Closes all but these, which go to the last numbers below SANDBOX_FDS. */
static void keep_only(struct zygote *z)
{
    int *keep[3] = { &z->sock, &z->boot_fd, &z->stub_fd };
    struct rlimit rl = { 0, 0 };
    int away = 3;

    if (!getrlimit(RLIMIT_NOFILE, &rl)) {
        rl.rlim_cur = rl.rlim_max;
        setrlimit(RLIMIT_NOFILE, &rl);
    }
    if (rl.rlim_max > SANDBOX_FDS + 3)
        away = SANDBOX_FDS;
    /* First out of the way of what stands at those numbers now. */
    for (int i = 0; i < 3; i++) {
        *keep[i] = fcntl(*keep[i], F_DUPFD, away);
        if (*keep[i] < 0)
            _exit(7);
    }
    for (int i = 0; i < 3; i++) {
        *keep[i] = dup3(*keep[i], SANDBOX_FDS - 3 + i, O_CLOEXEC);
        if (*keep[i] < 0)
            _exit(7);
    }
    close_range(0, SANDBOX_FDS - 4, 0);
    close_range(SANDBOX_FDS, ~0u, 0);
}

static void limit(int what, rlim_t max)
{
    struct rlimit rl = { max, max };

    if (setrlimit(what, &rl))
        _exit(8);
}

/* The stub needs a few hundred bytes; the rest would be the guest's, unpaid. */
#define STACK_BYTES 131072

/*
 * The C library hides the signals 32 and 33, which what was started by
 * posix_spawn (make's children) ignores. If it handles them itself, they stay.
 */
static void default_signals(void)
{
    static const unsigned long none[4];
    unsigned long now[4]; /* as the kernel has it: the handler comes first */

    for (int sig = 1; sig < 32; sig++)
        signal(sig, SIG_DFL);
    for (int sig = 32; sig <= 64; sig++)
        if (!syscall(SYS_rt_sigaction, sig, NULL, now, 8) &&
            now[0] == (unsigned long)SIG_IGN)
            syscall(SYS_rt_sigaction, sig, none, NULL, 8);
}

/* A non-leader drops only its own controlling terminal. */
static void leave_terminal(void)
{
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (tty < 0)
        return; /* there is none */
    ioctl(tty, TIOCNOTTY);
    close(tty);
}

static _Noreturn void zygote_main(struct zygote z, unsigned int flags)
{
    struct pollfd p[2];
    sigset_t set;

    /* A terminal's Ctrl-C is not for us. A session of our own would be one for
     * the scheduler too (autogroup), and cost each trap a tenth more. */
    setpgid(0, 0);
    leave_terminal();
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    default_signals();
    keep_only(&z);
    limit(RLIMIT_NOFILE, SANDBOX_FDS);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_STACK, STACK_BYTES);
    limit(RLIMIT_MEMLOCK, 0);
    if (chdir("/")) /* nobody's directory is held */
        _exit(10);
    prctl(PR_SET_TIMERSLACK, 1);
    shed_rights(flags);
    z.pid = getpid();
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    z.sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    p[0] = (struct pollfd){ .fd = z.sock, .events = POLLIN };
    p[1] = (struct pollfd){ .fd = z.sigfd, .events = POLLIN };
    for (;;) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            _exit(9);
        if (p[1].revents)
            serve_ends(&z);
        if (p[0].revents)
            serve_spawn(&z);
    }
}

/* ---- the hypervisor's side ---- */

static int stub_file(void)
{
    size_t n = (size_t)(stub_image_end - stub_image);
    int fd = memfd_create("ringside-stub", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    if (write(fd, stub_image, n) == (ssize_t)n &&
        !fcntl(fd, F_ADD_SEALS,
               F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
        return fd;
    close(fd);
    return -EIO;
}

/* Takes one answer; 0, or -errno. *pidfd is -1 unless one came. */
static int take_answer(struct sandbox_host *s, struct answer *a, int *pidfd,
                       int flags)
{
    ssize_t n = recv_with_fds(s->zygote_fd, a, sizeof(*a), pidfd, 1, flags);

    if (n == (ssize_t)sizeof(*a))
        return 0;
    return n < 0 ? (int)n : -EPIPE;
}

static void zygote_ready(void *data, uint32_t events)
{
    struct sandbox_host *s = data;
    struct answer a;
    int pidfd, err;

    (void)events;
    for (;;) {
        err = take_answer(s, &a, &pidfd, MSG_DONTWAIT);
        if (err == -EAGAIN || err == -EINTR)
            return;
        if (err) {
            host_unwatch(s->host, &s->zygote_watch);
            host_log(s->host, RS_LOG_ERROR,
                     "the process that spawns domains has died");
            sandbox_zygote_ended(s);
            return;
        }
        if (a.kind == ANSWER_ENDED)
            sandbox_process_ended(s, a.pid, a.status);
    }
}

int zygote_spawn(struct sandbox_host *s, int ram_fd, int socket_fd,
                 const int *epoll_fds, unsigned int nr_vcpus,
                 uint64_t page_offset, int *pidfd)
{
    struct request rq = { page_offset, nr_vcpus };
    int fds[REQUEST_FDS] = { ram_fd, socket_fd };
    struct answer a;
    int err;

    memcpy(fds + 2, epoll_fds, nr_vcpus * sizeof(fds[0]));
    if (send_with_fds(s->zygote_fd, &rq, sizeof(rq), fds, 2 + nr_vcpus) < 0)
        return -errno;
    for (;;) {
        err = take_answer(s, &a, pidfd, 0);
        if (err == -EINTR)
            continue;
        if (err)
            return err;
        if (a.kind == ANSWER_SPAWNED)
            return a.pid > 0 && *pidfd < 0 ? -EMFILE : a.pid;
        sandbox_process_ended(s, a.pid, a.status);
    }
}

int zygote_open(struct sandbox_host *s)
{
    struct zygote z = { .boot_fd = s->boot_fd };
    int sp[2];

    z.stub_fd = stub_file();
    if (z.stub_fd < 0)
        return z.stub_fd;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp)) {
        close(z.stub_fd);
        return -errno;
    }
    z.sock = sp[1];
    s->zygote_pid = fork();
    if (s->zygote_pid == 0)
        zygote_main(z, s->host->flags);
    close(sp[1]);
    close(z.stub_fd);
    s->zygote_fd = sp[0];
    if (s->zygote_pid < 0)
        return -errno;
    return host_watch(s->host, &s->zygote_watch, s->zygote_fd, EPOLLIN,
                      zygote_ready, s);
}

void zygote_close(struct sandbox_host *s)
{
    host_unwatch(s->host, &s->zygote_watch);
    if (s->zygote_fd >= 0)
        close(s->zygote_fd);
    if (s->zygote_pid > 0)
        waitpid(s->zygote_pid, NULL, 0);
}
