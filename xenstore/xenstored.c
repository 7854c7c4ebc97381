/*
 * ringside-xenstored: the daemon around the store. Options, background,
 * signals, and the loop: take in what came, then send what that caused.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "conn_socket.h"
#include "db.h"
#include "hash.h"
#include "hv.h"
#include "hv_ringside.h"
#include "options.h"
#include "store.h"

struct daemon {
    struct event_base *base;
    struct store *store;
    struct listener *listener;
    struct hv_ringside *hv;
    struct db *db;
    struct event *term, *interrupt, *hangup, *tick;
    uint64_t tick_ms; /* what `tick` is set to */
    bool stopping;
    int status;
};

static int fail(const char *what, int err)
{
    fprintf(stderr, "ringside-xenstored: %s: %s\n", what, strerror(-err));
    return 1;
}

/* ---- background ---- */

/*
 * Leaves the terminal. The parent returns from main() when the child serves
 * (a byte on the pipe) or has failed (the pipe's end). Returns the pipe's
 * writing end, in the child.
 */
static int go_background(void)
{
    int fds[2];
    char byte;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC))
        return -errno;
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid > 0) {
        close(fds[1]);
        _exit(read(fds[0], &byte, 1) == 1 ? 0 : 1);
    }
    close(fds[0]);
    setsid();
    return fds[1];
}

static int close_terminal(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    dup2(fd, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
    return 0;
}

static void say_ready(int fd)
{
    if (fd < 0)
        return;
    if (write(fd, "\n", 1) != 1)
        log_line("nobody waits for the daemon to be ready");
    close(fd);
}

static int write_pid(const char *file)
{
    FILE *f = file ? fopen(file, "we") : NULL;

    if (!file)
        return 0;
    if (!f)
        return -errno;
    fprintf(f, "%d\n", getpid());
    return fclose(f) ? -errno : 0;
}

/* Every client is a descriptor. */
static void raise_nofile(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r))
        return;
    r.rlim_cur = r.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &r);
}

/* ---- the loop ---- */

static void stop(struct daemon *d, int status)
{
    d->stopping = true;
    d->status = status;
    event_base_loopbreak(d->base);
}

static void asked_to_stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    stop(arg, 0);
}

static void hung_up(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    log_reopen();
}

static void hypervisor_lost(void *arg)
{
    stop(arg, 1);
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
    struct daemon *d = arg;

    (void)fd;
    (void)what;
    d->tick_ms = UINT64_MAX;
}

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Sets the timer if the store wants it earlier than it is set. */
static void arm_tick(struct daemon *d)
{
    struct store *s = d->store;
    uint64_t ms;
    struct timeval tv;

    if (s->tick_ms >= d->tick_ms)
        return;
    ms = s->tick_ms > s->now_ms ? s->tick_ms - s->now_ms : 1;
    tv = (struct timeval){ (time_t)(ms / 1000),
                           (suseconds_t)(ms % 1000 * 1000) };
    event_add(d->tick, &tv);
    d->tick_ms = s->tick_ms;
}

static void run(struct daemon *d)
{
    struct store *s = d->store;
    bool more = false;

    while (!d->stopping) {
        arm_tick(d);
        event_base_loop(d->base, EVLOOP_ONCE | (more ? EVLOOP_NONBLOCK : 0));
        s->now_ms = now_ms();
        if (s->tick_ms <= s->now_ms)
            store_tick(s);
        more = store_flush(s);
    }
}

/* ---- start and end ---- */

static int setup_events(struct daemon *d)
{
    struct event_config *config = event_config_new();

    if (!config)
        return -ENOMEM;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    d->base = event_base_new_with_config(config);
    event_config_free(config);
    if (!d->base)
        return -ENOMEM;
    d->term = evsignal_new(d->base, SIGTERM, asked_to_stop, d);
    d->interrupt = evsignal_new(d->base, SIGINT, asked_to_stop, d);
    d->hangup = evsignal_new(d->base, SIGHUP, hung_up, d);
    d->tick = evtimer_new(d->base, tick, d);
    d->tick_ms = UINT64_MAX;
    if (!d->term || !d->interrupt || !d->hangup || !d->tick ||
        event_add(d->term, NULL) || event_add(d->interrupt, NULL) ||
        event_add(d->hangup, NULL))
        return -ENOMEM;
    return 0;
}

static int setup_store(struct daemon *d, const struct options *o)
{
    if (d->hv)
        d->store = store_new(&hv_ringside_ops, d->hv);
    else
        d->store = store_new(&hv_none, NULL);
    if (!d->store)
        return -ENOMEM;
    d->store->quota = o->quota;
    d->store->may_open_files = true;
    d->store->now_ms = now_ms();
    return d->hv ? hv_ringside_start(d->hv, d->store, hypervisor_lost, d) : 0;
}

static int setup_db(struct daemon *d, const char *file)
{
    char why[DB_WHY_MAX];
    int err;

    if (db_open(file, &d->db, why)) {
        fprintf(stderr, "ringside-xenstored: --db %s: %s\n", file, why);
        return 1;
    }
    err = db_restore(d->db, d->store);
    if (err)
        return fail(file, err);
    db_attach(d->db, d->store);
    (void)store_flush(d->store); /* what changed by the restart */
    return 0;
}

static int setup(struct daemon *d, const struct options *o)
{
    int err = log_open(o->log);

    if (err)
        return fail(o->log, err);
    log_set_trace(o->trace);
    err = setup_events(d);
    if (err)
        return fail("event loop", err);
    if (o->hypervisor)
        err = hv_ringside_open(d->base, o->hypervisor, &d->hv);
    if (err)
        return fail(o->hypervisor, err);
    err = setup_store(d, o);
    if (err)
        return fail("store", err);
    if (o->db && setup_db(d, o->db))
        return 1;
    err = listener_new(d->base, d->store, o->socket, &d->listener);
    if (err)
        return fail(o->socket, err);
    err = write_pid(o->pid_file);
    return err ? fail(o->pid_file, err) : 0;
}

static void teardown(struct daemon *d)
{
    if (d->listener)
        listener_free(d->listener);
    db_close(d->db);
    if (d->store)
        store_free(d->store);
    if (d->hv)
        hv_ringside_close(d->hv);
    if (d->tick)
        event_free(d->tick);
    if (d->hangup)
        event_free(d->hangup);
    if (d->interrupt)
        event_free(d->interrupt);
    if (d->term)
        event_free(d->term);
    if (d->base)
        event_base_free(d->base);
}

int main(int argc, char **argv)
{
    struct daemon d = { .base = NULL };
    struct options o;

    options_parse(&o, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error */
    hash_init();
    raise_nofile();
    if (!o.foreground) {
        o.ready_fd = go_background();
        if (o.ready_fd < 0)
            return fail("cannot go to the background", o.ready_fd);
    }
    d.status = setup(&d, &o);
    if (!d.status && !o.foreground)
        d.status = close_terminal() ? 1 : 0;
    if (!d.status) {
        log_line("serving on %s", o.socket);
        say_ready(o.ready_fd);
        run(&d);
        log_line("ending");
    }
    teardown(&d);
    if (o.pid_file)
        unlink(o.pid_file);
    options_free(&o);
    return d.status;
}
