/*
 * The group boot: how long until a guest runs, and what an idle one weighs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session.h"
#include "tools/say.h"
#include "weigh.h"

#define GUESTS     100
#define DISK_BYTES (1 << 20)
#define RAM_BYTES  (16 << 20) /* of a guest, by default */

#define PATIENCE_NS 10000000000u

/* Microseconds from the toolstack's first step to the guest's main(). */
static int time_to_main(struct bench_session *s, const struct bench_options *o,
                        double *us)
{
    struct bench_guest g;
    double ns = 0;
    int err = session_start(s, o, &g, "idle", NULL, NULL);

    if (err)
        return err;
    err = session_take(&g, "main", &ns);
    session_end(&g);
    *us = ((double)s->boot_ns + ns - (double)g.began_ns) / 1e3;
    return err;
}

/* The same until all devices are connected, seen from the toolstack. */
static int time_to_connected(struct bench_session *s,
                             const struct bench_options *o, const char *disk,
                             double *us)
{
    struct bench_guest g;
    int err = session_start(s, o, &g, "devices", disk, "type=nat");

    if (err)
        return err;
    while (!err && !guest_connected(&g.guest)) {
        guest_wait(&g.guest, 100);
        if (bench_now() - g.began_ns > PATIENCE_NS)
            err = complain("the bench guest's devices do not connect");
    }
    *us = (double)(bench_now() - g.began_ns) / 1e3;
    session_end(&g);
    return err;
}

static int measure_times(struct bench_session *s, const struct bench_options *o,
                         const char *disk)
{
    struct bench_series to_main = { .n = 0 }, connected = { .n = 0 },
                        native = { .n = 0 };
    double us = 0;
    int err = 0;

    for (unsigned int i = 0; i <= o->runs && !err; i++) {
        err = time_to_main(s, o, &us);
        if (i > 0) { /* the first one warms up */
            bench_add(&to_main, us);
            bench_add(&native, native_fork());
        }
        if (!err)
            err = time_to_connected(s, o, disk, &us);
        if (i > 0)
            bench_add(&connected, us);
    }
    if (err)
        return err;
    bench_report(o, "boot.create_to_main", &to_main, "us", &native,
                 "fork, exit, wait");
    bench_report(o, "boot.create_to_connected", &connected, "us", &native,
                 "fork, exit, wait");
    return 0;
}

/*
 * KiB that each of GUESTS idle guests took, while all of them were there; and
 * how much each had written to at least, of its memory alone.
 */
static int weigh(struct bench_session *s, const struct bench_options *o,
                 struct bench_guest *g, double *kib, double *least)
{
    double before = weigh_machine_kib(), unused;
    unsigned int n = 0;
    int err = 0;

    while (n < GUESTS && !err) {
        err = session_start(s, o, &g[n], "idle", NULL, NULL);
        if (!err)
            err = session_take(&g[n++], "main", &unused);
    }
    *kib = (weigh_machine_kib() - before) / GUESTS;
    *least = weigh_touched_kib(s->host.pid, RAM_BYTES) / GUESTS;
    while (n > 0)
        session_end(&g[--n]);
    return err;
}

#define WEIGHINGS 3u /* at most: each creates all guests */
#define TRIES     3u /* for one: others come and go on the machine */

/* The last of them if none is possible. */
static int weigh_again(struct bench_session *s, const struct bench_options *o,
                       struct bench_guest *g, double *kib, double *least)
{

    for (unsigned int i = 0; i < TRIES; i++) {
        int err = weigh(s, o, g, kib, least);

        if (err || *kib >= *least)
            return err;
    }
    return 0;
}

static int measure_memory(struct bench_session *s,
                          const struct bench_options *o)
{
    struct bench_guest *g = calloc(GUESTS, sizeof(*g));
    struct bench_series series = { .n = 0 };
    int err = g ? 0 : complain("no memory");
    double kib = 0, least = 0;

    for (unsigned int i = 0;
         i < WEIGHINGS && i < o->runs && !err && kib >= least; i++) {
        err = weigh_again(s, o, g, &kib, &least);
        bench_add(&series, kib);
    }
    free(g);
    if (!err && kib < least)
        bench_impossible("boot.kib_per_guest", kib, "KiB");
    else if (!err)
        bench_report(o, "boot.kib_per_guest", &series, "KiB", NULL, NULL);
    return err;
}

int bench_boot(const struct bench_options *o)
{
    char path[] = "/dev/shm/ringside-bench-XXXXXX", disk[64];
    struct bench_session s;
    int fd = mkstemp(path), err;

    if (fd < 0 || ftruncate(fd, DISK_BYTES)) {
        if (fd >= 0)
            close(fd);
        return complain("cannot make a disk image on tmpfs (/dev/shm)");
    }
    snprintf(disk, sizeof(disk), "%s,raw,xvda,w", path);
    err = session_open(&s, BENCH_ONE_CPU);
    if (!err)
        err = measure_times(&s, o, disk);
    if (!err)
        err = measure_memory(&s, o);
    session_close(&s);
    unlink(path);
    close(fd);
    return err;
}
