/*
 * ringside create: a guest in the background on the user's host.
 *
 * As with xl, a child stays behind. It makes the guest, tells the command how
 * that went, and from then on waits for the guest's end, to do what its
 * configuration says (on_poweroff, on_reboot, on_crash) and to remove it and
 * its nodes. It keeps a log, RUNDIR/log/NAME.log, of bounded size. What the
 * guest says on its emergency console and the hypervisor about it comes to the
 * child over a socket and goes there, too: nobody else writes to that file.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xenstore.h>

#include "check.h"
#include "console.h"
#include "guest.h"
#include "log_file.h"
#include "options.h"
#include "say.h"
#include "summary.h"
#include "verbs.h"

#define LOOK_MS   60000 /* should the store's news be lost */
#define READS_MAX 64    /* at once, so that no guest keeps us from others */

/* Where lines about the guest go. */
struct keeper {
    struct log_file *log; /* NULL: it cannot be had */
    int from, to;         /* the socket of the emergency console; -1 */
    bool in_line;         /* the console has not ended its line */
    bool ended_line;      /* but we have */
};

/* ---- the child ---- */

static void open_keeper(struct keeper *k, const struct host *h,
                        const char *name)
{
    char path[RUNDIR_FILE_MAX];
    int ends[2];

    *k = (struct keeper){ .from = -1, .to = -1 };
    snprintf(path, sizeof(path), "%s/log", h->rundir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/log/%s.log", h->rundir, name);
    if (log_file_open(path, 0600, LOG_FILE_LIMIT, LOG_FILE_TELLS, &k->log) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return;
    k->from = ends[0];
    k->to = ends[1];
}

static void write_console(struct keeper *k, const char *s, size_t n)
{
    if (k->ended_line && *s == '\n') {
        s++;
        n--;
    }
    k->ended_line = false;
    log_file_write(k->log, s, n);
    if (n > 0)
        k->in_line = s[n - 1] != '\n';
}

/* Lines of ours begin as lines. */
static void end_line(struct keeper *k)
{
    if (!k->in_line)
        return;
    log_file_write(k->log, "\n", 1);
    k->in_line = false;
    k->ended_line = true;
}

/* Moves what the emergency console has said to the log. */
static void pump(void *arg)
{
    struct keeper *k = arg;
    char buf[4096];
    ssize_t n;

    for (int i = 0; i < READS_MAX && k->from >= 0; i++) {
        n = recv(k->from, buf, sizeof(buf), MSG_DONTWAIT);
        if (n <= 0)
            break;
        write_console(k, buf, (size_t)n);
    }
    if (k->log != NULL)
        log_file_check(k->log); /* we say something ourselves */
}

static enum guest_end wait_end(struct guest *g, struct rs_domain_info *info,
                               struct keeper *k)
{
    struct pollfd p[3] = {
        { .fd = -1, .events = POLLIN },
        { .fd = rs_client_fd(g->host->client), .events = POLLIN },
        { .fd = k->from, .events = POLLIN },
    };
    enum guest_end end;

    if (guest_watch(g) == 0) /* paused guests are not watched yet */
        p[0].fd = xs_fileno(g->host->news);
    while ((end = guest_look(g, info)) == GUEST_LIVES) {
        do {
            poll(p, 3, LOOK_MS);
            pump(k);
        } while (p[2].revents != 0 && p[0].revents == 0 && p[1].revents == 0);
        guest_drain(g);
    }
    pump(k);
    return end;
}

/* The user's terminal is no longer ours; words go to the log. */
static void leave_terminal(struct log_file *log)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    close(null);
    if (log != NULL)
        log_file_bind(log);
    note_quiet(false);
}

/* What is to be done, and whether there is a next life. */
static bool deal_with_end(struct guest *g, struct guest_config *c,
                          enum guest_end end, const struct rs_domain_info *info,
                          struct keeper *k)
{
    enum end_action action = guest_action(c, end, info);

    end_line(k);
    summary_end(g, end, info);
    if (end == GUEST_HOST_GONE)
        return false;
    if (action == END_PRESERVE) {
        note_about(c->name, "is kept until 'ringside destroy %s'", c->name);
        return false;
    }
    guest_remove(g, pump, k);
    if (action != END_RESTART)
        return false;
    return guest_launch(g, g->host, c, k->to) == 0;
}

static void supervise(struct guest *g, struct guest_config *c, struct keeper *k)
{
    struct rs_domain_info info = { 0 };
    enum guest_end end;

    /* There may be a thousand of us. */
    rs_client_forget_kernel(g->host->client);
    do {
        end = wait_end(g, &info, k);
    } while (deal_with_end(g, c, end, &info, k));
}

/* The command is at the guest's console when it closes its end, or has given
 * up. */
static int start_watched(struct guest *g, int done)
{
    char c;

    while (read(done, &c, 1) < 0 && errno == EINTR)
        ;
    return guest_start(g);
}

/* Creates and starts it; says so to the command through socket `done`. */
static int create_guest(struct guest *g, struct host *h,
                        struct guest_options *o, int console, int done)
{
    char domid[16];
    int err = o->paused || o->console ? guest_create(g, h, &o->config, console)
                                      : guest_launch(g, h, &o->config, console);

    if (err != 0)
        return err;
    summary_start(g, "ringside console, shutdown or destroy reaches it");
    snprintf(domid, sizeof(domid), "%u", g->d.domid);
    if (send(done, domid, sizeof(domid), MSG_NOSIGNAL) != sizeof(domid))
        err = -EINVAL; /* the command was interrupted */
    else if (o->console && !o->paused)
        err = start_watched(g, done);
    if (err != 0)
        guest_remove(g, NULL, NULL);
    return err;
}

/* Descriptors that the user's shell left open are not for us to keep. */
static void close_others(int done)
{
    if (done > 3)
        close_range(3, (unsigned int)done - 1, 0);
    close_range((unsigned int)done + 1, ~0U, 0);
}

static int child(struct guest_options *o, int done)
{
    struct keeper k;
    struct guest g;
    struct host h;

    setsid();
    close_others(done);
    if (host_open_or_start(&h) != 0)
        return EXIT_FAILURE;
    open_keeper(&k, &h, o->config.name);
    if (host_check_engine(&h) == 0 &&
        create_guest(&g, &h, o, k.to, done) == 0) {
        close(done);
        leave_terminal(k.log);
        supervise(&g, &o->config, &k);
    }
    host_close(&h);
    return EXIT_SUCCESS;
}

/* ---- the command ---- */

static void let_start(void *arg)
{
    int *done = arg;

    close(*done);
    *done = -1;
}

/* The guest starts when we are there, so that nothing of it is missed. */
static int attach_console(const char *domid, int *done)
{
    struct host h;
    int err = host_open(&h);

    if (err != 0)
        return EXIT_FAILURE;
    err = console_attach(&h, domid, let_start, done);
    host_close(&h);
    return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int create(struct guest_options *o)
{
    char domid[16] = "";
    int done[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, done) != 0) {
        complain("cannot make a socket: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        close(done[0]);
        _exit(child(o, done[1]));
    }
    close(done[1]);
    if (pid < 0)
        complain("cannot start a process: %s", strerror(errno));
    if (pid < 0 || read(done[0], domid, sizeof(domid)) != sizeof(domid))
        return EXIT_FAILURE;
    return o->console ? attach_console(domid, &done[0]) : EXIT_SUCCESS;
}

int verb_create(int argc, char **argv)
{
    struct guest_options o;
    int status = EXIT_FAILURE;

    if (options_guest(argc, argv, true, &o) != 0)
        return EXIT_FAILURE;
    note_quiet(o.quiet);
    if (check_guest(&o.config) == 0)
        status = create(&o);
    config_free(&o.config);
    return status;
}
