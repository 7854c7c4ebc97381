/*
 * A pseudo terminal, on which somebody may look at a guest's console.
 *
 * Raw mode. Output is dropped while nobody has the terminal open, or if the
 * reader is too slow (what the kernel keeps for it is all): the log
 * (console_log.h) has it. A slow reader is told how much it missed.
 */
#ifndef RINGSIDE_BACKENDS_CONSOLE_PTY_H
#define RINGSIDE_BACKENDS_CONSOLE_PTY_H

#include <stddef.h>

struct console_pty;
struct event_base;

/* input(arg) is called when there is something to read. -errno. */
int console_pty_open(struct event_base *base, void (*input)(void *arg),
                     void *arg, struct console_pty **out);
void console_pty_close(struct console_pty *pty);

/* The name that others open: /dev/pts/N. */
const char *console_pty_name(const struct console_pty *pty);

void console_pty_write(struct console_pty *pty, const char *buf, size_t n);

/*
 * Reads at most n bytes; 0: nothing there. input() comes again only after a
 * read that returned 0, or at new input.
 */
size_t console_pty_read(struct console_pty *pty, char *buf, size_t n);

#endif
