/*
 * ringside run: a guest in the foreground, with its console on standard input
 * and output, on the user's host or on a private one that ends with it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xenstore.h>

#include "check.h"
#include "doctor.h"
#include "guest.h"
#include "layout.h"
#include "log_tail.h"
#include "options.h"
#include "relay.h"
#include "say.h"
#include "summary.h"
#include "verbs.h"

#define GRACE_MS 5000 /* for an orderly shutdown */
#define LOOK_MS  250  /* should the store's news be lost */

struct session {
    struct host *host;
    struct guest guest;
    struct rs_domain_info info;
    struct relay relay, errors; /* the second is not always used */
    int signals;                /* a signalfd */
    int interrupted;            /* how often */
    int last_signal;
    uint64_t deadline; /* in ms: then it is destroyed; 0: none */
    bool connected;    /* and told so */
};

enum {
    FD_SIGNALS,
    FD_STORE,
    FD_HOST,
    FD_RELAY,
    FD_ERRORS = FD_RELAY + RELAY_FDS,
    NR_FDS = FD_ERRORS + RELAY_FDS
};

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- signals ---- */

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Standard input is ours unless we are a terminal's background job. */
static bool owns_input(void)
{
    return !isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* The first asks the guest to end; the second does not ask. */
static void interrupt(struct session *s, int sig)
{
    s->last_signal = sig;
    s->interrupted++;
    if (s->interrupted > 1) {
        s->deadline = now_ms();
        return;
    }
    note_about(s->guest.config->name,
               "is asked to shut down; once more destroys it");
    s->deadline = now_ms() + GRACE_MS;
    guest_ask_shutdown(s->host->store, s->guest.d.domid, "poweroff");
}

static void read_signals(struct session *s)
{
    struct signalfd_siginfo si;

    while (read(s->signals, &si, sizeof(si)) == sizeof(si))
        interrupt(s, (int)si.ssi_signo);
}

/* ---- the session ---- */

static void drain(void *arg)
{
    struct session *s = arg;

    relay_drain(&s->relay);
    relay_drain(&s->errors);
}

/* The consoles moved: their driver domain was started again. */
static void find_consoles(struct session *s)
{
    char tty[64];

    if (s->errors.log >= 0 && s->errors.tty < 0 &&
        layout_error_console(s->host->store, s->guest.d.domid, tty,
                             sizeof(tty)) &&
        access(tty, R_OK | W_OK) == 0)
        relay_open(&s->errors, tty);

    if (s->relay.tty < 0 &&
        layout_console(s->host->store, s->guest.d.domid, tty, sizeof(tty)) &&
        access(tty, R_OK | W_OK) == 0)
        relay_open(&s->relay, tty);
}

static void tell_connected(struct session *s)
{
    const struct guest_config *c = s->guest.config;

    if (s->connected || s->relay.mid_line || s->errors.mid_line ||
        c->nr_disks + c->nr_vifs == 0 || s->info.started_ns == 0 ||
        !guest_connected(&s->guest))
        return;
    s->connected = true;
    summary_connected(&s->guest, &s->info);
}

/* Waits for something to happen and deals with it; true: look at the guest. */
static bool session_step(struct session *s)
{
    struct pollfd p[NR_FDS] = {
        [FD_SIGNALS] = { .fd = s->signals, .events = POLLIN },
        [FD_STORE] = { .fd = xs_fileno(s->host->news), .events = POLLIN },
        [FD_HOST] = { .fd = rs_client_fd(s->host->client), .events = POLLIN },
    };
    int n;

    relay_poll(&s->relay, &p[FD_RELAY]);
    relay_poll(&s->errors, &p[FD_ERRORS]);
    n = poll(p, NR_FDS, LOOK_MS);
    if (n <= 0) {
        drain(s);
        return true;
    }
    if (p[FD_SIGNALS].revents != 0)
        read_signals(s);
    relay_move(&s->relay, &p[FD_RELAY]);
    relay_move(&s->errors, &p[FD_ERRORS]);
    if (s->relay.no_output && s->interrupted == 0)
        interrupt(s, SIGPIPE);
    if (p[FD_STORE].revents != 0)
        guest_drain(&s->guest);
    return (p[FD_STORE].revents | p[FD_HOST].revents) != 0;
}

/* Runs until the guest ends, or does not end in time. */
static enum guest_end session_run(struct session *s)
{
    bool look = true;

    for (;;) {
        if (look) {
            enum guest_end end = guest_look(&s->guest, &s->info);

            if (end != GUEST_LIVES)
                return end;
            find_consoles(s);
            tell_connected(s);
        }
        if (s->deadline != 0 && now_ms() >= s->deadline)
            return GUEST_DESTROYED;
        look = session_step(s);
    }
}

static int open_console(struct session *s)
{
    char log[RUNDIR_FILE_MAX];
    bool cut;
    int fd;

    log_tail_path(log, sizeof(log), s->host->rundir, s->guest.config->name);
    fd = log_tail_open(log, &s->guest.log_start, SIZE_MAX, &cut);
    if (fd < 0)
        return complain("cannot open the console's log %s: %s", log,
                        strerror(-fd));
    relay_follow(&s->relay, log, fd);
    return relay_open(&s->relay, s->guest.tty);
}

/* Without one the guest's standard error comes over the console. */
static int open_errors(struct session *s)
{
    char log[RUNDIR_FILE_MAX];
    bool cut;
    int fd;

    if (s->guest.error_tty[0] == '\0')
        return 0;
    log_tail_path_of(log, sizeof(log), s->host->rundir, LAYOUT_ERROR_CONSOLE,
                     s->guest.config->name);
    fd = log_tail_open(log, &s->guest.error_start, SIZE_MAX, &cut);
    if (fd < 0)
        return complain("cannot open the log of standard error %s: %s", log,
                        strerror(-fd));
    relay_follow(&s->errors, log, fd);
    return relay_open(&s->errors, s->guest.error_tty);
}

static void close_consoles(struct session *s)
{
    relay_close(&s->relay);
    relay_close(&s->errors);
}

/* One boot of the guest, from its creation to its end. */
static enum guest_end boot(struct session *s, struct guest_config *c)
{
    enum guest_end end;

    s->connected = false;
    if (guest_create(&s->guest, s->host, c, STDERR_FILENO) != 0)
        return GUEST_HOST_GONE;
    if (open_console(s) != 0 || open_errors(s) != 0 ||
        guest_start(&s->guest) != 0) {
        guest_remove(&s->guest, NULL, NULL);
        close_consoles(s);
        return GUEST_HOST_GONE;
    }
    summary_start(&s->guest, "Ctrl-C   shuts it down");
    end = session_run(s);
    guest_remove(&s->guest, drain, s);
    close_consoles(s);
    summary_end(&s->guest, end, &s->info);
    return end;
}

static int exit_status(const struct session *s, enum guest_end end)
{
    switch (end) {
    case GUEST_CRASH:
        return EXIT_CRASHED;
    case GUEST_DESTROYED:
        return s->interrupted > 0 ? 128 + s->last_signal : EXIT_DESTROYED;
    case GUEST_HOST_GONE:
        return EXIT_FAILURE;
    default:
        return (int)(s->info.exit_status & 0xff);
    }
}

/*
 * Whether standard error is not where standard output is. If it is, one stream
 * keeps what the guest says in the order in which it said it.
 */
static bool error_is_apart(void)
{
    struct stat out, error;

    if (fstat(STDOUT_FILENO, &out) != 0 || fstat(STDERR_FILENO, &error) != 0)
        return false;
    if (S_ISCHR(out.st_mode) && S_ISCHR(error.st_mode))
        return out.st_rdev != error.st_rdev;
    return out.st_dev != error.st_dev || out.st_ino != error.st_ino;
}

static int run_guest(struct host *h, struct guest_config *c, int signals)
{
    struct session s = {
        .host = h, .signals = signals, .relay = RELAY_INIT, .errors = RELAY_INIT
    };
    enum guest_end end;

    s.relay.input = owns_input();
    s.relay.ends = true;
    s.errors.out = STDERR_FILENO;
    c->error_apart = error_is_apart();
    do {
        end = boot(&s, c);
    } while (s.interrupted == 0 &&
             guest_action(c, end, &s.info) == END_RESTART);
    return exit_status(&s, end);
}

/*
 * It did not work: because this machine cannot run guests at all? Programs that
 * name an engine want to know that.
 */
static int blame_machine(const char *engine, int status)
{
    const char *missing = doctor_first_missing();

    if (missing == NULL)
        return status;
    complain("this machine cannot run guests (missing: %s); 'ringside doctor' "
             "tells more",
             missing);
    return engine != NULL ? EXIT_CANNOT : EXIT_FAILURE;
}

static int open_host(struct host *h, const char *engine)
{
    return engine != NULL ? host_open_private(h, engine)
                          : host_open_or_private(h);
}

int verb_run(int argc, char **argv)
{
    struct guest_options o;
    struct host h;
    int status = EXIT_FAILURE, signals;

    if (options_guest(argc, argv, false, &o) != 0)
        return EXIT_FAILURE;
    note_quiet(o.quiet);
    signals = open_signals();
    if (check_guest(&o.config) != 0)
        goto out;
    if (open_host(&h, o.engine) != 0) {
        status = blame_machine(o.engine, EXIT_FAILURE);
        goto out;
    }
    if (host_check_engine(&h) == 0)
        status = run_guest(&h, &o.config, signals);
    if (status == EXIT_CRASHED)
        status = blame_machine(o.engine, status);
    host_close(&h);
out:
    close(signals);
    config_free(&o.config);
    return status;
}
