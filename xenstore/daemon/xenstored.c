/*
 * ringside-xenstored: the daemon around the store. Options, background,
 * signals, and the loop: take in what came, then send what it caused.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/hash.h"
#include "config.h"
#include "daemon/daemon.h"
#include "daemon/handover.h"
#include "daemon/options.h"
#include "persist/db.h"
#include "serve/store_life.h"
#include "serve/turn.h"
#include "store/hv.h"
#include "store/store.h"
#include "transport/conn_socket.h"
#include "transport/hv_ringside.h"

static int fail(const char *what, int err)
{
    fprintf(stderr, "ringside-xenstored: %s: %s\n", what, strerror(-err));
    return 1;
}

static int fail_hypervisor(int err)
{
    if (err != -ENOKEY)
        return fail("cannot join the host", err);
    fputs("ringside-xenstored: ringsided did not start this program; for a "
          "store without guests: --hypervisor none\n",
          stderr);
    return 1;
}

static int fail_socket(const char *path, int err)
{
    const char *why = strerror(-err);

    if (err == -EADDRINUSE)
        why = "another daemon serves it";
    else if (err == -ENOTSOCK)
        why = "it exists and is no socket";
    else if (err == -ENAMETOOLONG)
        why = "the name behind the last / is too long for a socket";
    else if (err == -ENOENT)
        why = "its directory does not exist";
    fprintf(stderr, "ringside-xenstored: --socket %s: %s\n", path, why);
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

/*
 * A caller may have closed the standard descriptors; what is opened later
 * would get their numbers, and close_terminal() would end it.
 */
static int hold_standard_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
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

/* Each client needs a descriptor. */
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

/* How often the daemon polls for work before it sleeps: 25 us at most. */
#define POLLS 40
/* After so many polls without success it does not poll for PAUSE busy turns. */
#define VAIN  8
#define PAUSE 256

/*
 * Clients that run on another processor send their next request sooner than
 * the daemon would fall asleep and wake, so it polls some times before it
 * sleeps. On a processor that it shares with them polling never succeeds, and
 * is given up for a while.
 */
static bool poll_again(struct daemon *d)
{
    uint64_t served = d->store->requests - d->requests;

    d->requests += served;
    if (served && d->polls && d->polls < POLLS)
        d->vain = 0;
    if (served > 1) {
        if (d->vain >= VAIN && ++d->vain == VAIN + PAUSE)
            d->vain = VAIN - 1;
        d->polls = d->vain < VAIN ? POLLS : 0;
    } else if (served == 0 && d->polls && --d->polls == 0) {
        d->vain++;
    }
    return d->polls > 0;
}

static void run(struct daemon *d)
{
    struct store *s = d->store;
    bool more = false;

    while (!d->stopping) {
        arm_tick(d);
        event_base_loop(d->base, EVLOOP_ONCE | (more ? EVLOOP_NONBLOCK : 0));
        store_clock(s);
        if (s->tick_ms <= s->now_ms)
            store_tick(s);
        more = store_flush(s);
        more |= handover_turn(d->handover);
        more |= poll_again(d);
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

static int setup_store(struct daemon *d)
{
    if (d->hv)
        d->store = store_new(&hv_ringside_ops, d->hv);
    else
        d->store = store_new(&hv_none, NULL);
    if (!d->store)
        return -ENOMEM;
    d->store->quota = d->options.quota;
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
    (void)store_flush(d->store); /* writes what the restart changed */
    return 0;
}

static int setup_new(struct daemon *d)
{
    const struct options *o = &d->options;
    int err = 0;

    if (!o->alone)
        err = hv_ringside_open(d->base, &d->hv);
    if (err)
        return fail_hypervisor(err);
    err = setup_store(d);
    if (err)
        return fail("store", err);
    store_clock(d->store);
    if (o->db && setup_db(d, o->db))
        return 1;
    err = listener_new(d->base, d->store, o->socket, &d->listener);
    return err ? fail_socket(o->socket, err) : 0;
}

/* Continues from the state of the program that this process executed before. */
static int setup_taken(struct daemon *d)
{
    int err = handover_take(d);

    if (err)
        return fail("--take-over", err);
    if (d->hv)
        err = hv_ringside_start(d->hv, d->store, hypervisor_lost, d);
    if (err)
        return fail("hypervisor", err);
    if (d->hv)
        hv_ringside_poll(d->hv);
    if (d->options.db)
        handover_open_db(d);
    return 0;
}

static int setup(struct daemon *d)
{
    const struct options *o = &d->options;
    int err = log_open(o->log);

    if (err)
        return fail(o->log, err);
    log_set_trace(o->trace);
    err = setup_events(d);
    if (err)
        return fail("event loop", err);
    if (o->state_fd >= 0 ? setup_taken(d) : setup_new(d))
        return 1;
    d->store->may_open_files = true;
    d->handover = handover_new(d);
    if (!d->handover)
        return fail("live update", -ENOMEM);
    err = write_pid(o->pid_file);
    d->wrote_pid = o->pid_file && !err;
    return err ? fail(o->pid_file, err) : 0;
}

static void teardown(struct daemon *d)
{
    if (d->handover)
        handover_free(d->handover);
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

/* ---- arguments ---- */

/*
 * Copies the arguments for a live update, since parsing changes them. The two
 * that a live update appended, --take-over and its descriptor, are left out.
 */
static char **copy_arguments(int argc, char **argv)
{
    char **copy = calloc((size_t)argc + 1, sizeof(*copy));
    int n =
        argc > 2 && !strcmp(argv[argc - 2], "--take-over") ? argc - 2 : argc;

    for (int i = 1; copy && i < n; i++)
        copy[i - 1] = strdup(argv[i]);
    return copy;
}

static void free_arguments(char **copy)
{
    for (char **s = copy; s && *s; s++)
        free(*s);
    free(copy);
}

/* Goes to the background, unless a terminal or a supervisor keeps it. */
static int find_place(struct options *o)
{
    if (o->state_fd >= 0) {
        o->foreground = true;
        o->ready_fd = -1;
    }
    if (o->foreground)
        return 0;
    o->ready_fd = go_background();
    return o->ready_fd < 0 ? o->ready_fd : 0;
}

/* --check-state: only shows that it can read a state. */
static int check_state(struct daemon *d)
{
    int status = handover_check(&d->options);

    options_free(&d->options);
    free_arguments(d->arguments);
    return status;
}

static void serve(struct daemon *d)
{
    const struct options *o = &d->options;

    log_line("serving on %s, version " PACKAGE_VERSION, o->socket);
    say_ready(o->ready_fd);
    run(d);
    log_line("ending");
}

int main(int argc, char **argv)
{
    struct daemon d = { .arguments = copy_arguments(argc, argv) };
    struct options *o = &d.options;
    int err;

    options_parse(o, argc, argv);
    hash_init();
    if (o->check_fd >= 0)
        return check_state(&d);
    prctl(PR_SET_NAME, "ringside-xenstored");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ,
           SIG_IGN); /* a write beyond the file size limit returns an error */
    raise_nofile();
    err = hold_standard_fds();
    if (err)
        return fail("/dev/null", err);
    err = find_place(o);
    if (err)
        return fail("cannot go to the background", err);
    d.status = setup(&d);
    handover_signals();
    if (!d.status && !o->foreground)
        d.status = close_terminal() ? 1 : 0;
    if (!d.status)
        serve(&d);
    teardown(&d);
    if (d.wrote_pid) /* otherwise the file is another daemon's */
        unlink(o->pid_file);
    options_free(o);
    free_arguments(d.arguments);
    return d.status;
}
