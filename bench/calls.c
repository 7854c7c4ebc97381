/*
 * The groups hypercall and event: what it costs to talk to the hypervisor, and
 * to another guest.
 */
#include <stdio.h>

#include "session.h"

#define CALLS       "100000"
#define ROUND_TRIPS "20000"

int bench_hypercall(const struct bench_options *o)
{
    struct bench_series ours = { .n = 0 }, native = { .n = 0 };
    struct bench_session s;
    double ns = 0;
    int err = session_open(&s, BENCH_ONE_CPU);

    for (unsigned int i = 0; i < o->runs && !err; i++) {
        bench_add(&native, native_syscall());
        err = session_measure(&s, o, "trap " CALLS, NULL, "ns", &ns);
        bench_add(&ours, ns);
    }
    session_close(&s);
    if (!err)
        bench_report(o, "hypercall.trap", &ours, "ns", &native,
                     "a system call (getppid)");
    return err;
}

static int measure_send(struct bench_session *s, const struct bench_options *o)
{
    struct bench_series ours = { .n = 0 }, native = { .n = 0 };
    double ns = 0;
    int err = 0;

    for (unsigned int i = 0; i < o->runs && !err; i++) {
        bench_add(&native, native_event_send());
        err = session_measure(s, o, "send " CALLS, NULL, "ns", &ns);
        bench_add(&ours, ns);
    }
    if (!err)
        bench_report(o, "event.send", &ours, "ns", &native,
                     "write to an eventfd in an epoll set");
    return err;
}

int bench_event(const struct bench_options *o)
{
    struct bench_series ours = { .n = 0 }, native = { .n = 0 };
    struct bench_session s;
    double ns = 0;
    int err = session_open(&s, BENCH_ONE_CPU);

    if (!err)
        err = measure_send(&s, o);
    for (unsigned int i = 0; i < o->runs && !err; i++) {
        bench_add(&native, native_event_round_trip());
        err =
            session_measure_pair(&s, o, "pong", "ping", ROUND_TRIPS, "ns", &ns);
        bench_add(&ours, ns);
    }
    session_close(&s);
    if (!err)
        bench_report(o, "event.pingpong", &ours, "ns", &native,
                     "two processes over eventfds");
    return err;
}
