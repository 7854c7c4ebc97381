/*
 * Bytes between a guest's console (a pty of the driver domain) and this
 * command's standard input and output, or error.
 *
 * The owner polls: relay_poll() fills in what to wait for, relay_move() moves
 * what there is. Neither blocks for long; what the guest does not read stays
 * in a small buffer and input is not read meanwhile.
 */
#ifndef RINGSIDE_TOOLS_RELAY_H
#define RINGSIDE_TOOLS_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "rundir_check.h"

#define RELAY_FDS    2
#define RELAY_ESCAPE 0x1d /* Ctrl-] */
#define RELAY_INIT                                 \
    {                                              \
        .tty = -1, .log = -1, .out = STDOUT_FILENO \
    }

struct relay {
    int tty;        /* -1: the console is away */
    bool input;     /* standard input is open and ours */
    bool ends;      /* its end reaches the guest, as Ctrl-D */
    bool escape;    /* RELAY_ESCAPE, typed at a terminal, means: leave */
    bool left;      /* it came */
    bool mid_line;  /* the output does not end a line */
    int out;        /* where output goes */
    bool no_output; /* nobody reads that any more */
    int log;        /* the log being followed, -1: none */
    char log_path[RUNDIR_FILE_MAX];
    char buf[512]; /* from input, not yet taken by the console */
    size_t at, n;
};

/*
 * Opens the console's pty, which must be one (the name comes from the driver
 * domain). 0, or -EINVAL after a complaint.
 */
int relay_open(struct relay *r, const char *tty);
void relay_close(struct relay *r);

/*
 * Takes output from this log, which log_tail_open() opened as fd: all of it,
 * and to others that look at it, too. The pty then only tells of news: who
 * reads it takes them from others, so look (relay_drain()) now and then.
 */
void relay_follow(struct relay *r, const char *path, int fd);

void relay_poll(const struct relay *r, struct pollfd p[RELAY_FDS]);
void relay_move(struct relay *r, const struct pollfd p[RELAY_FDS]);

/* Moves all that the console has said to where it goes. */
void relay_drain(struct relay *r);

/*
 * Makes the terminal on standard input raw (keys go to the guest one by one,
 * nothing is echoed) until terminal_restore() or exit. No terminal: nothing.
 */
void terminal_raw(void);
void terminal_restore(void);

#endif
