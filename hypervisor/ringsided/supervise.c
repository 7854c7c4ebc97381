/*
 * Starts the store and the driver domain, and the latter again when it dies.
 * See supervise.h.
 */
#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control_wire.h"

/*
 * The driver domain is started again at once, unless it dies again and again
 * without having done anything for a guest: then the pause doubles.
 */
#define FIRST_PAUSE_MS 10u
#define LAST_PAUSE_MS  5000u
#define AT_ONCE        3u             /* deaths in vain that are forgiven */
#define IN_VAIN_MAX    (AT_ONCE + 10) /* then the pause is the longest */
#define STEADY_NS      10000000000ull /* having run so long is no death in vain */
#define STOP_MS        3000
#define READY_FD       3 /* in the child */

enum { STORE, DRIVER, CHILDREN };

struct child {
    struct supervisor *supervisor;
    const char *program, *log;
    const char *role; /* that it takes on the control socket */
    bool wanted;
    bool served;     /* was ready once */
    bool ready_now;  /* in this life */
    bool progressed; /* in this life, as it reported */
    pid_t pid;       /* 0: does not run */
    int exit, ready; /* watched descriptors; -1 */
    uint64_t started_ns;
};

struct supervisor {
    struct rs_host *host;
    struct supervise_config config;
    struct child child[CHILDREN];
    int timer;            /* until the driver domain is started again */
    unsigned int in_vain; /* its deaths in a row without progress, or enough
                           * of them for the longest pause */
    bool stopping, reported_ready;
};

static void start_next(struct supervisor *s);

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void report(const struct supervisor *s, enum rs_log_level level,
                   const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void report(const struct supervisor *s, enum rs_log_level level,
                   const char *fmt, ...)
{
    char line[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    s->config.log(s->config.data, level, line);
}

/* ---- finding and starting a program ---- */

/* Of a full name, that; else beside us, as in a build tree, or where it is
 * installed. */
static bool find_program(const char *name, char *path)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return !access(path, X_OK);
    }
    if (n > 0) {
        self[n] = '\0';
        dirname(self);
        if (snprintf(path, PATH_MAX, "%s/%s", self, name) < PATH_MAX &&
            !access(path, X_OK))
            return true;
    }
    snprintf(path, PATH_MAX, "%s/%s", RINGSIDE_SBINDIR, name);
    return !access(path, X_OK);
}

/* In the forked child: nothing here but system calls. The log is its standard
 * error from the start, and it keeps it bounded itself (log_file.h). */
static void become(const char *path, const char *rundir, const char *log_path,
                   int ready, int log, pid_t parent)
{
    char *argv[] = { (char *)path, "--rundir", (char *)rundir,   "--ready-fd",
                     "3",          "--log",    (char *)log_path, NULL };
    sigset_t none;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    _Static_assert(READY_FD == 3, "in argv above");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    /* Out of the way of the numbers that are given out below. */
    ready = fcntl(ready, F_DUPFD_CLOEXEC, 10);
    if (ready >= 0 && dup2(null, 0) == 0 && dup2(log, 1) == 1 &&
        dup2(log, 2) == 2 && dup2(ready, READY_FD) == READY_FD)
        execv(path, argv);
    _exit(127);
}

static void child_ready(void *data, uint32_t events);
static void child_exited(void *data, uint32_t events);
static unsigned int restart_later(struct child *c);

static int open_log(const struct child *c, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/log/%s", c->supervisor->config.rundir, c->log);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int watch_child(struct child *c, int ready)
{
    struct rs_host *h = c->supervisor->host;
    int err;

    c->exit = (int)syscall(SYS_pidfd_open, c->pid, 0);
    err = c->exit < 0 ? -errno : 0;
    if (!err)
        err = rs_host_watch(h, c->exit, EPOLLIN, child_exited, c);
    if (!err)
        err = rs_host_watch(h, ready, EPOLLIN, child_ready, c);
    if (!err)
        c->ready = ready;
    return err;
}

/* Into our environment, for the child alone, which inherits it. */
static bool give_identity(const struct child *c)
{
    char identity[PATH_MAX];

    snprintf(identity, sizeof(identity), "%s:%s/hypervisor.sock", c->role,
             c->supervisor->config.rundir);
    return !setenv(CONTROL_IDENTITY, identity, 1);
}

static int spawn(struct child *c)
{
    char path[PATH_MAX], log_path[PATH_MAX];
    pid_t self = getpid();
    int ready[2], log, err;

    if (!find_program(c->program, path))
        return -ENOENT;
    if (pipe2(ready, O_CLOEXEC | O_NONBLOCK))
        return -errno;
    log = open_log(c, log_path);
    c->pid = log < 0 || !give_identity(c) ? -1 : fork();
    err = c->pid < 0 ? -errno : 0;
    if (c->pid == 0)
        become(path, c->supervisor->config.rundir, log_path, ready[1], log,
               self);
    unsetenv(CONTROL_IDENTITY);
    close(ready[1]);
    if (log >= 0)
        close(log);
    c->started_ns = now_ns();
    c->ready_now = c->progressed = false;
    if (!err)
        err = watch_child(c, ready[0]);
    else
        c->pid = 0;
    if (err)
        close(ready[0]);
    return err;
}

/* ---- what happens to a child ---- */

static void fail(struct supervisor *s, const char *why)
{
    s->stopping = true;
    s->config.failed(s->config.data, why);
}

static void start(struct child *c)
{
    struct supervisor *s = c->supervisor;
    char why[PATH_MAX];
    int err = spawn(c);

    if (!err)
        return;
    if (c->served) { /* the machine is short of something: later, then */
        restart_later(c);
        return;
    }
    snprintf(why, sizeof(why), "%s cannot be started: %s", c->program,
             err == -ENOENT ? "there is no such program beside ringsided"
                            : strerror(-err));
    fail(s, why);
}

/* Watches a descriptor no longer, and closes it. */
static void forget(struct supervisor *s, int *fd)
{
    if (*fd < 0)
        return;
    rs_host_unwatch(s->host, *fd);
    close(*fd);
    *fd = -1;
}

static void forget_ready(struct child *c)
{
    forget(c->supervisor, &c->ready);
}

static void child_serves(struct child *c)
{
    report(c->supervisor, RS_LOG_INFO, "%s serves (process %d)", c->program,
           (int)c->pid);
    c->served = c->ready_now = true;
    start_next(c->supervisor);
}

/* A first byte: it serves. A second: it has done something for a guest. */
static void child_ready(void *data, uint32_t events)
{
    struct child *c = data;
    char byte;
    ssize_t n = read(c->ready, &byte, 1);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    c->progressed = n == 1 && c->ready_now;
    if (n != 1 || c->progressed)
        forget_ready(c); /* closed without a word: its exit says more */
    else
        child_serves(c);
}

static void say_end(char *out, size_t n, const char *program, int status)
{
    if (WIFSIGNALED(status))
        snprintf(out, n, "%s was killed by signal %d (%s)", program,
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(out, n, "%s ended with status %d", program,
                 WEXITSTATUS(status));
}

static void pause_over(void *data, uint32_t events)
{
    struct supervisor *s = data;
    uint64_t n;

    (void)events;
    if (read(s->timer, &n, sizeof(n)) < 0)
        return;
    if (!s->stopping)
        start(&s->child[DRIVER]);
}

/* Returns after how many ms. */
static unsigned int restart_later(struct child *c)
{
    struct supervisor *s = c->supervisor;
    unsigned int pause_ms = FIRST_PAUSE_MS;
    struct itimerspec t = { 0 };

    if (c->progressed || now_ns() - c->started_ns > STEADY_NS)
        s->in_vain = 0;
    else if (s->in_vain < IN_VAIN_MAX)
        s->in_vain++;
    for (unsigned int i = AT_ONCE; i < s->in_vain; i++)
        pause_ms = pause_ms * 2 < LAST_PAUSE_MS ? pause_ms * 2 : LAST_PAUSE_MS;
    t.it_value.tv_sec = pause_ms / 1000;
    t.it_value.tv_nsec = (long)(pause_ms % 1000) * 1000000;
    timerfd_settime(s->timer, 0, &t, NULL);
    return pause_ms;
}

/* It may have died before we came to read it. */
static void hear_last_word(struct child *c)
{
    char byte;

    if (c->ready >= 0 && c->ready_now && read(c->ready, &byte, 1) == 1)
        c->progressed = true;
}

static void child_exited(void *data, uint32_t events)
{
    struct child *c = data;
    struct supervisor *s = c->supervisor;
    char end[128], why[PATH_MAX];
    int status;

    (void)events;
    if (waitpid(c->pid, &status, WNOHANG) != c->pid)
        return;
    c->pid = 0;
    hear_last_word(c);
    forget_ready(c);
    forget(s, &c->exit);
    if (s->stopping)
        return;
    say_end(end, sizeof(end), c->program, status);
    if (c->served && c == &s->child[DRIVER]) {
        unsigned int ms = restart_later(c);

        report(s, RS_LOG_WARN, "%s; starting it again in %u ms%s", end, ms,
               ms == LAST_PAUSE_MS ? ", as after each further death in vain"
                                   : "");
        return;
    }
    snprintf(why, sizeof(why), "%s; see %s/log/%s", end, s->config.rundir,
             c->log);
    fail(s, why);
}

/* Starts the first that is wanted and has not served; or all have. */
static void start_next(struct supervisor *s)
{
    for (int i = 0; i < CHILDREN; i++)
        if (s->child[i].wanted && !s->child[i].served) {
            if (!s->child[i].pid)
                start(&s->child[i]);
            return;
        }
    if (!s->reported_ready) {
        s->reported_ready = true;
        s->config.ready(s->config.data);
    }
}

/* ---- life ---- */

struct supervisor *supervise_start(struct rs_host *h,
                                   const struct supervise_config *c)
{
    struct supervisor *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->host = h;
    s->config = *c;
    s->child[STORE] = (struct child){ .supervisor = s,
                                      .program = "ringside-xenstored",
                                      .log = "xenstored.log",
                                      .role = CONTROL_STORE_NAME,
                                      .exit = -1,
                                      .ready = -1,
                                      .wanted = c->store };
    s->child[DRIVER] =
        (struct child){ .supervisor = s,
                        .program = c->driver_program ? c->driver_program
                                                     : "ringside-driverd",
                        .log = "driverd.log",
                        .role = CONTROL_DRIVER_NAME,
                        .exit = -1,
                        .ready = -1,
                        .wanted = c->driver };
    s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->timer < 0 || rs_host_watch(h, s->timer, EPOLLIN, pause_over, s)) {
        if (s->timer >= 0)
            close(s->timer);
        free(s);
        return NULL;
    }
    start_next(s);
    return s;
}

/* Signals a child and serves the host until it has ended, or STOP_MS. */
static void end_child(struct supervisor *s, struct child *c, int sig)
{
    uint64_t deadline = now_ns() + STOP_MS * 1000000ull;

    if (c->pid)
        kill(c->pid, sig);
    while (c->pid && now_ns() < deadline)
        if (rs_host_dispatch(s->host, 20))
            break;
}

void supervise_stop(struct supervisor *s)
{
    if (!s)
        return;
    s->stopping = true;
    /* The driver domain first: it says good-bye to the store. */
    for (int i = CHILDREN - 1; i >= 0; i--) {
        end_child(s, &s->child[i], SIGTERM);
        end_child(s, &s->child[i], SIGKILL);
    }
    forget(s, &s->timer);
    free(s);
}
