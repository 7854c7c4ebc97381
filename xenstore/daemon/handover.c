/* Live update: the old program's side; see handover.h. */
#include "conn/transport.h"
#include "daemon/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conn/conn.h"
#include "persist/db.h"
#include "state/state.h"
#include "store/store.h"
#include "transport/conn_socket.h"
#include "transport/hv_ringside.h"

#define CHECK_S 10 /* for the new program to give its whole answer */

extern char **environ;

struct handover {
    struct daemon *d;
    int program; /* an open file: the path may change meanwhile; -1 */
    pid_t child; /* the new program checks the state; leads a process group; 0:
                    none */
    uint64_t until_ms;
    struct event *answer;
    int pipe;
    char want[STATE_WHY_MAX + 1], said[STATE_WHY_MAX + 64];
    size_t said_len;
};

struct handover *handover_new(struct daemon *d)
{
    struct handover *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->d = d;
    h->program = h->pipe = -1;
    d->store->update.possible = true;
    return h;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- the state ---- */

static void fill_daemon(const struct daemon *d, struct state_daemon *out)
{
    *out = (struct state_daemon){
        .listener = listener_fd(d->listener),
        .hv = { .fd = -1, .virq_rx = -1 },
        .new_arguments = d->store->update.arguments != NULL,
        .trace = log_tracing(),
    };
    snprintf(out->socket, sizeof(out->socket), "%s", d->options.socket);
    snprintf(out->log, sizeof(out->log), "%s", log_path() ? log_path() : "");
    for (int i = 0; i < LOG_SWITCHES; i++)
        out->switches[i] = log_switched((enum log_switch)i);
    if (d->hv)
        hv_ringside_save(d->hv, &out->hv);
}

/* Takes fd. */
static int write_state(const struct daemon *d, int fd)
{
    FILE *f = fdopen(fd, "w");
    struct state_daemon s;
    int err;

    if (!f) {
        close(fd);
        return -errno;
    }
    fill_daemon(d, &s);
    err = state_save(d->store, &s, f);
    return fclose(f) && !err ? -errno : err;
}

/* The state as a sealed file. Its descriptor, or -errno. */
static int save_state(const struct daemon *d)
{
    int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    int file = memfd_create("xenstore", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int fd = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, 3), err;

    if (fd < 0) {
        err = -errno;
        close_fd(&file);
        return err;
    }
    err = write_state(d, file);
    if (!err && (fcntl(fd, F_ADD_SEALS, seals) || lseek(fd, 0, SEEK_SET)))
        err = -errno;
    if (err)
        close(fd);
    return err ? err : fd;
}

/* ---- the command line ---- */

static size_t count(char *const *argv)
{
    size_t n = 0;

    while (argv && argv[n])
        n++;
    return n;
}

/*
 * Makes the new program's arguments: its name, the command line, an option and
 * its descriptor. `number` and `words` hold what is allocated here.
 */
static char **make_argv(const struct daemon *d, const char *option, int fd,
                        char number[16], char **words)
{
    const struct update *u = &d->store->update;
    size_t n = count(d->arguments), at = 0;
    char **argv, *word, *rest;

    *words = u->arguments ? strdup(u->arguments) : NULL;
    if (u->arguments)
        n = strlen(u->arguments);
    argv = calloc(n + 4, sizeof(*argv));
    if (!argv || (u->arguments && !*words)) {
        free(argv);
        free(*words);
        return NULL;
    }
    snprintf(number, 16, "%d", fd);
    argv[at++] = u->file;
    for (size_t i = 0; !*words && i < n; i++)
        argv[at++] = d->arguments[i];
    for (word = *words ? strtok_r(*words, " \t", &rest) : NULL; word;
         word = strtok_r(NULL, " \t", &rest))
        argv[at++] = word;
    argv[at++] = (char *)option;
    argv[at] = number;
    return argv;
}

/* ---- the check ---- */

/* Kills the program with its process group; returns its status. */
static int check_end(struct handover *h)
{
    int status = 0;

    if (h->child) {
        kill(-h->child, SIGKILL);
        waitpid(h->child, &status, 0);
    }
    if (h->answer)
        event_free(h->answer);
    h->answer = NULL;
    close_fd(&h->pipe);
    h->child = 0;
    return status;
}

/* Tells the client what the program said, or how it ended. */
static void check_failed(struct handover *h, int status)
{
    struct store *s = h->d->store;

    h->said[strcspn(h->said, "\n")] = '\0';
    if (h->said[0])
        update_failed(s, "%.200s says: %s", s->update.file, h->said);
    else if (WIFSIGNALED(status))
        update_failed(s, "%.200s ended by signal %d (%s)", s->update.file,
                      WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        update_failed(s, "%.200s ended with status %d and without a word",
                      s->update.file, WEXITSTATUS(status));
}

/* The program has closed its output; it may not have ended yet. */
static void check_result(struct handover *h)
{
    int status = check_end(h);

    h->said[h->said_len] = '\0';
    if (!strcmp(h->said, h->want))
        update_checked(h->d->store);
    else
        check_failed(h, status);
}

static void check_readable(evutil_socket_t fd, short what, void *arg)
{
    struct handover *h = arg;
    struct store *s = h->d->store;
    size_t room = sizeof(h->said) - 1 - h->said_len;
    ssize_t n;

    if ((what & EV_TIMEOUT) || s->now_ms > h->until_ms) {
        check_end(h);
        update_failed(s, "%.200s has not proved itself in %d seconds",
                      s->update.file, CHECK_S);
        return;
    }
    n = read(fd, h->said + h->said_len, room);
    if (n > 0)
        h->said_len += (size_t)n;
    if (n == 0 || h->said_len == sizeof(h->said) - 1)
        check_result(h);
}

/* Of the store's descriptors the program gets only that of the state. */
static int check_spawn(struct handover *h, int state, int out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, ignored;
    char path[32], number[16], *words = NULL;
    char **argv = make_argv(h->d, "--check-state", state, number, &words);
    int err = argv ? 0 : ENOMEM;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", h->program);
    sigemptyset(&none);
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    sigaddset(&ignored, SIGXFSZ);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &ignored);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
                                        POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    if (!err)
        err = posix_spawn_file_actions_adddup2(&files, state, state);
    if (!err)
        err = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    if (!err)
        err = posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
    if (!err)
        err = posix_spawn(&h->child, path, &files, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    free(argv);
    free(words);
    return -err;
}

static int check_listen(struct handover *h)
{
    static const struct timeval patience = { CHECK_S, 0 };

    h->answer =
        event_new(h->d->base, h->pipe, EV_READ | EV_PERSIST, check_readable, h);
    if (!h->answer || event_add(h->answer, &patience))
        return -ENOMEM;
    return 0;
}

static int check_start(struct handover *h, int state)
{
    int fds[2], err;

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
        return -errno;
    h->pipe = fds[0];
    h->said_len = 0;
    h->until_ms = h->d->store->now_ms + CHECK_S * 1000;
    (void)fcntl(fds[1], F_SETFL, 0); /* the program writes without O_NONBLOCK */
    err = check_listen(h);
    if (!err)
        err = check_spawn(h, state, fds[1]);
    close(fds[1]);
    if (err)
        check_end(h);
    return err;
}

static void run_check(struct handover *h)
{
    struct store *s = h->d->store;
    int state, err = 0;

    close_fd(&h->program);
    h->program = open(s->update.file, O_PATH | O_CLOEXEC);
    state = h->program < 0 ? -errno : save_state(h->d);
    state_summary(s, h->want, STATE_WHY_MAX);
    strcat(h->want, "\n");
    s->update.phase = UPDATE_CHECKING;
    err = state < 0 ? state : check_start(h, state);
    if (state >= 0)
        close(state);
    if (err)
        update_failed(s, "%.200s: %s", s->update.file, strerror(-err));
}

/* ---- the step ---- */

static void survive(int fd, bool survives)
{
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, survives ? 0 : FD_CLOEXEC);
}

/* Sets which descriptors stay open over exec, apart from the state's. */
static void all_survive(const struct daemon *d, bool survive_exec)
{
    struct state_daemon own;
    struct list *pos;

    fill_daemon(d, &own);
    survive(own.listener, survive_exec);
    survive(own.hv.fd, survive_exec);
    survive(own.hv.virq_rx, survive_exec);
    list_for_each(pos, &d->store->conns) {
        const struct conn *c = container_of(pos, struct conn, entry);
        struct transport t = { .fd = -1, .rx = -1, .tx = -1 };

        c->ops->save(c, &t);
        survive(t.fd, survive_exec);
        survive(t.rx, survive_exec);
        survive(t.tx, survive_exec);
    }
}

/* Blocks the signals that the new program has no handlers for yet. */
static void hold_signals(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(how, &set, NULL);
}

void handover_signals(void)
{
    hold_signals(SIG_UNBLOCK);
}

/* Returns only if it fails. */
static int execute(struct handover *h)
{
    char number[16], *words = NULL, **argv;
    int state = save_state(h->d), err;

    if (state < 0)
        return state;
    argv = make_argv(h->d, "--take-over", state, number, &words);
    err = argv ? 0 : -ENOMEM;
    if (!err) {
        all_survive(h->d, true);
        survive(state, true);
        hold_signals(SIG_BLOCK);
        execveat(h->program, "", argv, environ, AT_EMPTY_PATH);
        err = -errno;
        hold_signals(SIG_UNBLOCK);
        all_survive(h->d, false);
    }
    free(argv);
    free(words);
    close(state);
    return err;
}

void handover_open_db(struct daemon *d)
{
    char why[DB_WHY_MAX];

    if (db_open(d->options.db, &d->db, why))
        log_line("db %s: %s; going on in memory", d->options.db, why);
    else
        db_attach(d->db, d->store);
}

static void step(struct handover *h)
{
    struct daemon *d = h->d;
    bool db = d->db != NULL;
    int err;

    log_line("live update: handing over to %s", d->store->update.file);
    db_close(d->db);
    d->db = NULL;
    if (d->hv)
        hv_ringside_unmap(d->hv);
    err = execute(h);
    if (d->hv)
        hv_ringside_remap(d->hv);
    if (db)
        handover_open_db(d);
    update_failed(d->store, "%.200s: %s", d->store->update.file,
                  strerror(-err));
}

bool handover_turn(struct handover *h)
{
    enum update_phase phase = h->d->store->update.phase;

    if (h->child && phase != UPDATE_CHECKING)
        check_end(h);
    if (phase == UPDATE_DUE)
        run_check(h);
    else if (phase == UPDATE_READY)
        step(h);
    return !list_empty(&h->d->store->dirty);
}

void handover_free(struct handover *h)
{
    check_end(h);
    close_fd(&h->program);
    free(h);
}
