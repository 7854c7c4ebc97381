/*
 * What a guest that takes all it can get costs its neighbour: how often and how
 * soon the neighbour's cheapest hypercall, or its read of a disk, is done with
 * nobody else there, and beside each kind of hog (bench/hog.c).
 *
 * Everybody is where Linux puts them: a hog with eight vCPUs is on all
 * processors. The figures are for people to read and to compare.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session.h"
#include "tools/say.h"

#define CALLS "calls 4000"
#define READS "reads 2000"

#define HOG_VCPUS  8u
#define HOG_MIB    64u
#define TOUCH_MIB  1024u
#define PORT_HOGS  4u
#define HOGS_MAX   4u
#define DISK_BYTES (64u << 20)

/* Rate, mean, 99th percentile and maximum: what a neighbour says. */
enum figure { RATE, MEAN, P99, MAX, FIGURES };
static const char *const keys[FIGURES] = { "rate", "mean", "p99", "max" };

static const struct hog {
    const char *name, *job;
    unsigned int guests, vcpus, mib;
    bool disk; /* it and its neighbour have a disk each */
    bool ends; /* it ends, and is started again */
} hogs[] = {
    { "version", "hog version", 1, HOG_VCPUS, HOG_MIB, false, false },
    { "runstate", "hog runstate", 1, HOG_VCPUS, HOG_MIB, false, false },
    { "area", "hog area", 1, HOG_VCPUS, HOG_MIB, false, false },
    { "timers", "hog timers", 1, HOG_VCPUS, HOG_MIB, false, false },
    { "ticks", "hog ticks", 1, HOG_VCPUS, HOG_MIB, false, false },
    { "updown", "hog updown", 1, HOG_VCPUS, HOG_MIB, false, false },
    { "console", "hog console", 1, HOG_VCPUS, HOG_MIB, false, false },
    { "ports", "hog ports", 1, HOG_VCPUS, HOG_MIB, false, false },
    { "bind", "hog bind", 1, HOG_VCPUS, HOG_MIB, false, false },
    { "copies", "hog copies", 1, HOG_VCPUS, HOG_MIB, false, false },
    { "protect", "hog protect", 1, HOG_VCPUS, HOG_MIB, false, false },
    { "balloon", "hog balloon", 1, HOG_VCPUS, HOG_MIB, false, false },
    { "ends", "touch 900", 1, 1, TOUCH_MIB, false, true },
    { "all_ports", "ports", PORT_HOGS, 1, 16, false, false },
    { "writes", "writes", 1, 1, HOG_MIB, true, false },
};
#define NR_HOGS (sizeof(hogs) / sizeof(hogs[0]))

struct field {
    struct bench_session session;
    struct bench_options options; /* with the hog */
    char elf[512];
    char disk[2][64], spec[2][96]; /* the hog's, and the neighbour's */
};

/* ---- the hog ---- */

static int start_hog(struct field *f, const struct hog *h,
                     struct bench_guest *g)
{
    double unused;
    int err;

    f->session.guest_vcpus = h->vcpus;
    f->session.guest_mib = h->mib;
    err = session_start(&f->session, &f->options, g, h->job,
                        h->disk ? f->spec[0] : NULL, NULL);
    f->session.guest_vcpus = f->session.guest_mib = 0;
    if (!err)
        err = session_take(g, "main", &unused);
    /* Whatever else it says, nobody reads. */
    session_hang_up(g);
    return err;
}

/* Has the neighbour said all? */
static bool has_spoken(const struct bench_guest *n)
{
    struct pollfd p = { .fd = n->console, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

/* A hog that ends is taken away and made again, until the neighbour is done. */
static int go_round(struct field *f, const struct hog *h, struct bench_guest *g,
                    const struct bench_guest *n)
{
    int err = 0;

    while (!err && !has_spoken(n)) {
        session_end(g);
        err = start_hog(f, h, g);
    }
    return err;
}

/* ---- the neighbour ---- */

static int measure(struct field *f, const struct hog *h, bool disk,
                   double v[FIGURES])
{
    struct bench_guest hog[HOGS_MAX], n;
    unsigned int k = 0;
    double unused;
    int err = 0;

    for (; !err && h && k < h->guests; k += !err)
        err = start_hog(f, h, &hog[k]);
    if (!err)
        err = session_start(&f->session, &f->options, &n, disk ? READS : CALLS,
                            disk ? f->spec[1] : NULL, NULL);
    if (!err) {
        err = session_take(&n, "main", &unused);
        if (!err && h && h->ends)
            err = go_round(f, h, &hog[0], &n);
        for (int i = 0; i < FIGURES && !err; i++)
            err = session_take(&n, keys[i], &v[i]);
        session_end(&n);
    }
    while (k > 0)
        session_end(&hog[--k]);
    return err;
}

/* ---- figures ---- */

struct figures {
    struct bench_series of[FIGURES];
};

static void add(struct figures *to, const double v[FIGURES])
{
    for (int i = 0; i < FIGURES; i++)
        bench_add(&to->of[i], i == RATE ? v[i] : v[i] / 1e3);
}

static int take(struct field *f, const struct hog *h, bool disk,
                struct figures *to)
{
    double v[FIGURES];
    int err = measure(f, h, disk, v);

    if (!err)
        add(to, v);
    return err;
}

static void report(const struct bench_options *o, const struct hog *h,
                   const struct figures *alone, const struct figures *beside)
{
    char name[64];

    for (int i = 0; i < FIGURES; i++) {
        snprintf(name, sizeof(name), "hostile.%s_%s%s", h->name, keys[i],
                 i == RATE ? "" : "_us");
        bench_report(o, name, &beside->of[i], i == RATE ? "1/s" : "us",
                     &alone->of[i], "without the hog");
    }
}

/* Alone and beside it, in turn: machines drift. */
static int one_hog(struct field *f, const struct bench_options *o,
                   const struct hog *h)
{
    struct figures alone, beside;
    int err = 0;

    memset(&alone, 0, sizeof(alone));
    memset(&beside, 0, sizeof(beside));
    for (unsigned int i = 0; i < o->runs && !err; i++) {
        err = take(f, NULL, h->disk, &alone);
        if (!err)
            err = take(f, h, h->disk, &beside);
    }
    if (!err)
        report(o, h, &alone, &beside);
    return err;
}

/* ---- the field ---- */

static int make_disk(char path[64], char spec[96], const char *access)
{
    int fd, err = 0;

    snprintf(path, 64, "/dev/shm/ringside-bench-XXXXXX");
    fd = mkstemp(path);
    if (fd < 0 || posix_fallocate(fd, 0, DISK_BYTES))
        err = complain("no disk of %u MiB in /dev/shm", DISK_BYTES >> 20);
    if (fd >= 0)
        close(fd);
    snprintf(spec, 96, "%s,raw,xvda,%s", path, access);
    return err;
}

int bench_hostile(const struct bench_options *o)
{
    struct field f = { .options = *o };
    int err = session_open(&f.session, BENCH_FREE);

    if (err)
        return err;
    bench_guest_beside(o, "hog.elf", f.elf, sizeof(f.elf));
    f.options.guest = f.elf;
    err = make_disk(f.disk[0], f.spec[0], "w");
    if (!err)
        err = make_disk(f.disk[1], f.spec[1], "r");
    for (size_t i = 0; i < NR_HOGS && !err; i++)
        err = one_hog(&f, o, &hogs[i]);
    session_close(&f.session);
    for (int i = 0; i < 2; i++)
        unlink(f.disk[i]);
    return err;
}
