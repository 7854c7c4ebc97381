/*
 * ringside console: the user's terminal becomes the guest's; see console.h.
 *
 * Output comes from the console's log, so that it begins before we came and is
 * whole however many look on. Standard input that ends is no word to the guest:
 * most who have none want to look only.
 */
#include "console.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "guest.h"
#include "layout.h"
#include "log_tail.h"
#include "options.h"
#include "relay.h"
#include "say.h"
#include "verbs.h"

#define SHOWN_BYTES 16384 /* of what it said before */
#define LOOK_MS     250   /* somebody else may have taken the news */

/* A signal ends the command, but not before the terminal is as it was. */
static void on_signal(int sig)
{
    (void)sig;
    terminal_restore();
    _exit(EXIT_FAILURE);
}

static void catch_signals(void)
{
    signal(SIGTERM, on_signal);
    signal(SIGHUP, on_signal);
    signal(SIGINT, on_signal);
}

/* Until the user leaves, or the console goes away. */
static void converse(struct relay *r, const struct rs_client *client)
{
    struct pollfd p[RELAY_FDS + 1];

    while (r->tty >= 0 && !r->left && !r->no_output) {
        relay_poll(r, p);
        p[RELAY_FDS] =
            (struct pollfd){ .fd = rs_client_fd(client), .events = POLLIN };
        if (poll(p, RELAY_FDS + 1, LOOK_MS) > 0)
            relay_move(r, p);
        else
            relay_drain(r);
        if (p[RELAY_FDS].revents != 0)
            break;
    }
    relay_drain(r);
}

/* Without a log there is the pty, from now on. */
static void follow_log(struct relay *r, const struct host *h,
                       const struct rs_domain_info *info)
{
    char path[RUNDIR_FILE_MAX];
    struct log_mark start;
    bool cut;
    int fd;

    log_tail_path(path, sizeof(path), h->rundir, info->name);
    if (!layout_log_start(h->store, info->domid, &start))
        log_tail_mark(path, &start);
    fd = log_tail_open(path, &start, SHOWN_BYTES, &cut);
    if (fd < 0)
        return;
    if (cut)
        note("what it said before this is in %s", path);
    relay_follow(r, path, fd);
}

int console_attach(struct host *h, const char *domain,
                   void (*attached)(void *arg), void *arg)
{
    struct relay r = RELAY_INIT;
    struct rs_domain_info info;
    char tty[64];

    if (domain_find(h, domain, &info) != 0)
        return -EINVAL;
    if (!layout_console(h->store, info.domid, tty, sizeof(tty)))
        return complain("%s has no console", info.name);
    if (relay_open(&r, tty) != 0)
        return -EINVAL;
    if (isatty(STDIN_FILENO))
        note_about(info.name, "listens; Ctrl-] leaves");
    r.input = r.escape = true;
    follow_log(&r, h, &info);
    relay_drain(&r);
    attached(arg);
    catch_signals();
    terminal_raw();
    converse(&r, h->client);
    terminal_restore();
    note("%s", r.left ? "" : "the console is gone");
    relay_close(&r);
    return 0;
}

static void is_attached(void *arg)
{
    (void)arg;
}

int verb_console(int argc, char **argv)
{
    const char *domain;
    struct host h;
    int status = EXIT_FAILURE;

    if (options_domain(argc, argv, &domain) == 0 && host_open(&h) == 0) {
        if (console_attach(&h, domain, is_attached, NULL) == 0)
            status = EXIT_SUCCESS;
        host_close(&h);
    }
    return status;
}
