/*
 * The group vchan: two guests that talk through memory, beside two processes
 * over a UNIX socket. Both are free to run at the same time.
 */
#include "session.h"

#define ROUND_TRIPS "200000"
#define MIB         "4096"
#define BYTES       (4096ull << 20)

static int round_trip(struct bench_session *s, const struct bench_options *o)
{
    struct bench_series ours = { .n = 0 }, native = { .n = 0 };
    double ns = 0;
    int err = 0;

    for (unsigned int i = 0; i < o->runs && !err; i++) {
        bench_add(&native, native_socket_round_trip());
        err = session_measure_pair(s, o, "vecho", "vping", ROUND_TRIPS, "ns",
                                   &ns);
        bench_add(&ours, ns);
    }
    if (!err)
        bench_report(o, "vchan.rtt", &ours, "ns", &native,
                     "two processes, 8 bytes over a UNIX socket");
    return err;
}

static int throughput(struct bench_session *s, const struct bench_options *o)
{
    struct bench_series ours = { .n = 0 }, native = { .n = 0 };
    double gbit = 0;
    int err = 0;

    for (unsigned int i = 0; i < o->runs && !err; i++) {
        bench_add(&native, native_socket_stream(BYTES));
        err = session_measure_pair(s, o, "vsink " MIB, "vsend", MIB, "gbit",
                                   &gbit);
        bench_add(&ours, gbit);
    }
    if (!err)
        bench_report(o, "vchan.throughput", &ours, "Gbit/s", &native,
                     "two processes over a UNIX socket");
    return err;
}

int bench_vchan(const struct bench_options *o)
{
    struct bench_session s;
    int err = session_open(&s, BENCH_FREE);

    if (!err)
        err = round_trip(&s, o);
    if (!err)
        err = throughput(&s, o);
    session_close(&s);
    return err;
}
