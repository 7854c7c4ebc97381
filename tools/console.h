/* Going to a guest's console, for the verbs `console` and `create -c`. */
#ifndef RINGSIDE_TOOLS_CONSOLE_H
#define RINGSIDE_TOOLS_CONSOLE_H

struct host;

/*
 * Shows what the guest said last, says so with attached(arg), then moves bytes
 * between its console and standard input and output, until the user leaves or
 * the console is gone. 0, or -EINVAL after a complaint.
 */
int console_attach(struct host *h, const char *domain,
                   void (*attached)(void *arg), void *arg);

#endif
