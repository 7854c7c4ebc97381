/*
 * Calls to Linux that may never come back, each in a thread: opening and
 * closing a file whose file system has a server that hangs.
 *
 * The loop hands over a call, and is told of its end. At most SLOW_CALLS_MAX
 * are under way; more wait in order. A call that hangs keeps its thread and
 * what it was called for, and nobody else.
 */
#ifndef RINGSIDE_BACKENDS_SLOW_CALL_H
#define RINGSIDE_BACKENDS_SLOW_CALL_H

#define SLOW_CALLS_MAX 64

struct event_base;
struct slow_calls;

struct slow_call {
    void (*run)(struct slow_call *call);  /* in a thread */
    void (*done)(struct slow_call *call); /* in the loop, after that */
    struct slow_call *next;               /* ours from here on */
};

/* -errno. */
int slow_calls_new(struct event_base *base, struct slow_calls **out);

/* done() is called later, never from here. */
void slow_calls_make(struct slow_calls *s, struct slow_call *call);

/* What has not ended is not waited for, and nobody is told of its end. */
void slow_calls_free(struct slow_calls *s);

#endif
