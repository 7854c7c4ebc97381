/*
 * ringsided: the hypervisor as a daemon.
 *
 * A host of libringside in a runtime directory, with its control socket, its
 * store and its driver domain, from the first instruction to the last file
 * removed. What it does itself is here; what a host is, is in ringside.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "log_file.h"
#include "options.h"
#include "ringside/ringside.h"
#include "rundir.h"
#include "supervise.h"

struct daemon {
    struct options opt;
    struct rundir rundir;
    struct rs_host *host;
    struct supervisor *supervisor;
    int signals;          /* a signalfd */
    struct log_file *log; /* NULL: standard error */
    int detached;         /* --daemon: tells the waiting parent; -1 */
    bool failed;
    bool keep; /* the logs say why */
};

/* ---- words ---- */

void complain(const char *fmt, ...)
{
    va_list ap;

    fputs("ringsided: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

static void write_log(struct daemon *d, const char *level, const char *line)
{
    struct timespec now;
    struct tm tm;
    char stamp[32], text[640];
    int n;

    if (!d->log) {
        complain("%s%s%s", level, *level ? ": " : "", line);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    strftime(stamp, sizeof(stamp), "%F %T", &tm);
    n = snprintf(text, sizeof(text), "%s.%03ld %-7s %.560s\n", stamp,
                 now.tv_nsec / 1000000, *level ? level : "info", line);
    log_file_write(d->log, text, (size_t)n);
}

static void log_line(void *data, enum rs_log_level level, const char *line)
{
    static const char *const names[] = { "error", "warning", "" };

    if (level <= RS_LOG_INFO)
        write_log(data, names[level], line);
}

/* ---- readiness and its opposite ---- */

static void say_ready(int *fd)
{
    if (*fd < 0)
        return;
    if (write(*fd, "\n", 1) != 1)
        complain("nobody reads that the host is ready");
    close(*fd);
    *fd = -1;
}

/* The terminal is given back: from here on the log is all that we say. */
static void leave_terminal(struct daemon *d)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    say_ready(&d->detached);
}

static void all_serve(void *data)
{
    struct daemon *d = data;

    char line[RUNDIR_FILE_MAX + 16];

    snprintf(line, sizeof(line), "ready in %s", d->rundir.path);
    log_line(d, RS_LOG_INFO, line);
    say_ready(&d->opt.ready_fd);
    if (d->opt.daemon)
        leave_terminal(d);
}

static void must_end(void *data, const char *why)
{
    struct daemon *d = data;

    d->failed = d->keep = true;
    write_log(d, "error", why);
    if (d->log && (!d->opt.daemon || d->detached >= 0))
        complain("%s", why);
    rs_host_stop(d->host);
}

static void got_signal(void *data, uint32_t events)
{
    struct daemon *d = data;
    struct signalfd_siginfo info;

    (void)events;
    if (read(d->signals, &info, sizeof(info)) == sizeof(info))
        rs_host_stop(d->host);
}

static void lifeline_moved(void *data, uint32_t events)
{
    struct daemon *d = data;
    char bytes[64];
    ssize_t n = read(d->opt.lifeline_fd, bytes, sizeof(bytes));

    (void)events;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        rs_host_stop(d->host);
}

/* ---- setting up, in order ---- */

static void raise_limits(void)
{
    static const int limits[] = { RLIMIT_NOFILE, RLIMIT_MEMLOCK };
    struct rlimit r;

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        if (!getrlimit(limits[i], &r) && r.rlim_cur < r.rlim_max) {
            r.rlim_cur = r.rlim_max;
            setrlimit(limits[i], &r);
        }
}

static bool open_log(struct daemon *d)
{
    char path[RUNDIR_FILE_MAX];
    const char *file = d->opt.log;
    int err;

    if (!file && !d->opt.daemon)
        return true;
    rundir_file(&d->rundir, "log/ringsided.log", path, sizeof(path));
    if (!file)
        file = path;
    err = log_file_open(file, 0600, LOG_FILE_LIMIT, LOG_FILE_TELLS, &d->log);
    if (err)
        complain("%s: %s", file, strerror(-err));
    return !err;
}

static void write_pid(const struct daemon *d)
{
    char path[RUNDIR_FILE_MAX];
    int fd;

    rundir_file(&d->rundir, "ringsided.pid", path, sizeof(path));
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        dprintf(fd, "%d\n", (int)getpid());
        close(fd);
    }
}

/* The parent's part of --daemon: ends when the child is ready, or has failed.
 */
static int wait_for(int fd)
{
    char byte;

    return read(fd, &byte, 1) == 1 ? 0 : 1;
}

static bool go_to_background(struct daemon *d)
{
    int pipe[2];
    pid_t pid;

    d->detached = -1;
    if (!d->opt.daemon)
        return true;
    if (pipe2(pipe, O_CLOEXEC) || (pid = fork()) < 0) {
        complain("--daemon: %s", strerror(errno));
        return false;
    }
    if (pid) {
        close(pipe[1]);
        _exit(wait_for(pipe[0]));
    }
    close(pipe[0]);
    setsid();
    d->detached = pipe[1];
    return true;
}

static unsigned int host_flags(void)
{
    const char *no_uffd = getenv("RINGSIDE_NO_USERFAULTFD");
    const char *no_ns = getenv("RINGSIDE_NO_USERNS");

    return (no_uffd && !strcmp(no_uffd, "1") ? RS_HOST_NO_USERFAULTFD : 0) |
           (no_ns && !strcmp(no_ns, "1") ? RS_HOST_NO_NAMESPACES : 0);
}

/*
 * Linux then lets us run as soon as we wake, before guests that compute, which
 * otherwise keep this processor until a tick: up to 4 ms of every neighbour's
 * hypercall. Our share stays what it was, and what we start inherits this.
 * Linux before 6.12 ignores it.
 */
#define OUR_SLICE_NS 200000u

static void ask_for_short_slices(void)
{
    /* sched_setattr(2); before version 2.41 glibc has none, and Linux's header
     * of it clashes with sched.h. */
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } a = { 0 };

    if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) ||
        a.policy != SCHED_OTHER)
        return; /* whoever started us chose another policy */
    a.runtime = OUR_SLICE_NS;
    syscall(SYS_sched_setattr, 0, &a, 0);
}

static bool make_host(struct daemon *d)
{
    struct rs_host_config c = {
        .engine = d->opt.engine,
        .memory_kib = d->opt.memory_mib * 1024,
        .flags = host_flags(),
        .log = log_line,
        .data = d,
    };
    char path[RUNDIR_FILE_MAX];
    int err = rs_host_new(&c, &d->host);

    if (err) {
        complain("%s", rs_error()[0] ? rs_error() : strerror(-err));
        return false;
    }
    rundir_file(&d->rundir, "hypervisor.sock", path, sizeof(path));
    if (rs_host_listen(d->host, path)) {
        complain("%s", rs_error());
        return false;
    }
    ask_for_short_slices(); /* not for guests, whose parent is there by now */
    return true;
}

static bool watch_all(struct daemon *d, const sigset_t *signals)
{
    int err;

    d->signals = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
    err = d->signals < 0
              ? -errno
              : rs_host_watch(d->host, d->signals, EPOLLIN, got_signal, d);
    if (!err && d->opt.lifeline_fd >= 0)
        err = rs_host_watch(d->host, d->opt.lifeline_fd, EPOLLIN,
                            lifeline_moved, d);
    if (err)
        complain("cannot watch for the end: %s", strerror(-err));
    return !err;
}

static bool start_children(struct daemon *d)
{
    struct supervise_config c = {
        .rundir = d->rundir.path,
        .store = d->opt.store,
        .driver = d->opt.driver,
        .driver_program = d->opt.driver_program,
        .log = log_line,
        .ready = all_serve,
        .failed = must_end,
        .data = d,
    };

    d->supervisor = supervise_start(d->host, &c);
    if (!d->supervisor)
        complain("no memory to watch over children");
    return d->supervisor;
}

/* ---- the end ---- */

/* Guests first, while their back ends are there; then those; then the host. */
static void take_down(struct daemon *d)
{
    static struct rs_domain_info info[64];
    int n;

    while (d->host && (n = rs_domain_list(d->host, info, 64)) > 0) {
        int ended = 0;

        for (int i = 0; i < n; i++)
            ended += !rs_domain_destroy(d->host, info[i].domid);
        if (!ended)
            break; /* processes, and guests that they still map */
    }
    supervise_stop(d->supervisor);
    rs_host_free(d->host);
}

int main(int argc, char **argv)
{
    static struct daemon d;
    char why[RUNDIR_WHY_MAX];
    sigset_t signals;

    if (!options_parse(&d.opt, argc, argv))
        return 1;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    raise_limits();
    /* What our parent left open is not for our children. */
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    if (!go_to_background(&d))
        return 1;
    if (!rundir_open(&d.rundir, d.opt.rundir, why, sizeof(why))) {
        complain("%s", why);
        return 1;
    }
    write_pid(&d);
    if (!open_log(&d) || !make_host(&d) || !watch_all(&d, &signals) ||
        !start_children(&d) || d.failed || rs_host_run(d.host))
        d.failed = true;
    take_down(&d);
    d.rundir.made &= !d.keep;
    rundir_remove(&d.rundir);
    return d.failed;
}
