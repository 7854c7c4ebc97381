/* ringside console: the user's terminal becomes the guest's. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "guest.h"
#include "layout.h"
#include "options.h"
#include "relay.h"
#include "say.h"
#include "verbs.h"

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
static void converse(struct relay *r)
{
    struct pollfd p[RELAY_FDS + 1];

    while (r->tty >= 0 && !r->left && !r->no_output) {
        relay_poll(r, p);
        p[RELAY_FDS] =
            (struct pollfd){ .fd = hypercall_fd(), .events = POLLIN };
        if (poll(p, RELAY_FDS + 1, -1) < 0)
            continue;
        relay_move(r, p);
        if (p[RELAY_FDS].revents != 0)
            break;
    }
}

static int attach(struct host *h, const char *domain)
{
    struct relay r = RELAY_INIT;
    struct hypercall_info info;
    char tty[64];

    if (domain_find(domain, &info) != 0)
        return EXIT_FAILURE;
    if (!layout_console(h->store, info.domid, tty, sizeof(tty))) {
        complain("%s has no console", info.name);
        return EXIT_FAILURE;
    }
    if (relay_open(&r, tty) != 0)
        return EXIT_FAILURE;
    if (isatty(STDIN_FILENO))
        note_about(info.name, "listens; Ctrl-] leaves");
    r.input = r.escape = true;
    catch_signals();
    terminal_raw();
    converse(&r);
    terminal_restore();
    note("%s", r.left ? "" : "the console is gone");
    relay_close(&r);
    return EXIT_SUCCESS;
}

int verb_console(int argc, char **argv)
{
    const char *domain;
    struct host h;
    int status = EXIT_FAILURE;

    if (options_domain(argc, argv, &domain) == 0 && host_open(&h) == 0) {
        status = attach(&h, domain);
        host_close(&h);
    }
    return status;
}
