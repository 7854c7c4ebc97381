/*
 * The store while guests attack it: how long one read takes a client on the
 * host, and a guest, with nobody else there and beside each kind of attack of
 * bench/hostile.c.
 *
 * The store's daemon is on one processor and the client on another; attackers
 * are where Linux puts them. Both, and the guest that is measured, run at
 * real-time priority where that is permitted, so that what is measured is the
 * store and not who else wants the processor.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"
#include "rundir_check.h"
#include "socket_name.h"
#include "xen_compat.h"
#include "xs_pipeline.h"

#include "session.h"
#include "tools/say.h"

#define READS     4000u
#define SHARED    "/tool/bench"
#define ATTACKERS 3u
#define RUNS_MAX  3u

static const struct attack {
    const char *name;
    const char *jobs[ATTACKERS]; /* fewer: the last ones repeat */
} attacks[] = {
    { "cheap", { "cheap" } },
    { "directory", { "directory" } },
    { "rm", { "rm" } },
    { "deep", { "deep" } },
    { "commit", { "commit" } },
    { "deepcommit", { "deepcommit" } },
    { "watches", { "watches" } },
    { "reset", { "reset" } },
    { "perms", { "perms" } },
    { "unread", { "unread" } },
    { "open", { "open" } },
    { "indices", { "indices" } },
    { "notify", { "notify" } },
    { "watched", { "shared " SHARED, "watch " SHARED } },
    { "mixed", { "cheap", "deepcommit", "watches" } },
};
#define NR_ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

struct field {
    struct bench_session session;
    struct bench_options options; /* with the hostile guest */
    char hostile[512];
    int fd; /* our connection to the store */
};

/* ---- the clients ---- */

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int store_connect(const char *rundir)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err = fd < 0 ? -errno : 0;
    char path[RUNDIR_FILE_MAX];

    snprintf(path, sizeof(path), "%s/xenstored.sock", rundir);
    if (!err)
        err = socket_name_connect(fd, path);
    if (!err)
        err = peer_check(fd);
    if (!err)
        return fd;
    if (fd >= 0)
        close(fd);
    return complain("no connection to the store: %s", strerror(-err));
}

/* One request and its reply; false: the store is gone. */
static bool read_once(int fd)
{
    static const char path[] = "/local/domain/1";
    struct {
        struct xsd_sockmsg header;
        char payload[XENSTORE_PAYLOAD_MAX];
    } m = { .header = { XS_READ, 1, 0, sizeof(path) } };

    memcpy(m.payload, path, sizeof(path));
    return send(fd, &m, sizeof(m.header) + sizeof(path), 0) > 0 &&
           recv(fd, &m, sizeof(m), 0) > 0;
}

static int measure_host(struct field *f, double *p99)
{
    static uint64_t took[READS];

    for (unsigned int i = 0; i < READS; i++) {
        uint64_t start = bench_now();

        if (!read_once(f->fd))
            return complain("the store is gone");
        took[i] = bench_now() - start;
    }
    qsort(took, READS, sizeof(took[0]), ascending);
    *p99 = (double)took[READS - READS / 100 - 1] / 1e3;
    return 0;
}

/* Before others where that is permitted; if not, no harm. */
static void hurry(pid_t pid)
{
    struct sched_param real_time = { .sched_priority = 1 };

    (void)sched_setscheduler(pid, SCHED_FIFO, &real_time);
}

static int measure_guest(struct field *f, double *p99)
{
    struct bench_guest g;
    struct rs_domain_info info;
    double unused;
    char job[32];
    int err;

    snprintf(job, sizeof(job), "reads %u", READS);
    err = session_start(&f->session, &f->options, &g, job, NULL, NULL);
    if (err)
        return err;
    if (rs_client_domain_info(f->session.host.client, (uint16_t)g.guest.d.domid,
                              &info) == 0)
        hurry((pid_t)info.pid);
    err = session_take(&g, "main", &unused);
    if (!err)
        err = session_take(&g, "p99", p99);
    session_end(&g);
    *p99 /= 1e3;
    return err;
}

/* ---- beside an attack ---- */

static int start_attack(struct field *f, const struct attack *a,
                        struct bench_guest *g, unsigned int *n)
{
    const char *job = a->jobs[0];
    double unused;
    int err = 0;

    for (*n = 0; *n < ATTACKERS && !err;) {
        if (a->jobs[*n])
            job = a->jobs[*n];
        err = session_start(&f->session, &f->options, &g[*n], job, NULL, NULL);
        if (!err)
            err = session_take(&g[(*n)++], "main", &unused);
    }
    return err;
}

static int measure(struct field *f, const struct attack *a, double *host,
                   double *guest)
{
    struct bench_guest g[ATTACKERS];
    unsigned int n = 0;
    int err = a ? start_attack(f, a, g, &n) : 0;

    usleep(100000);
    if (!err)
        err = measure_host(f, host);
    if (!err)
        err = measure_guest(f, guest);
    while (n > 0)
        session_end(&g[--n]);
    return err;
}

/* ---- places ---- */

/* The store on the first processor that we may use, we on the others. */
static void place_all(const struct field *f)
{
    struct ucred peer = { .pid = 0 };
    socklen_t len = sizeof(peer);
    cpu_set_t all, one;
    int cpu = 0;

    sched_getaffinity(0, sizeof(all), &all);
    if (CPU_COUNT(&all) < 2 ||
        getsockopt(f->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
        return;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CPU_CLR(cpu, &all);
    sched_setaffinity(peer.pid, sizeof(one), &one);
    sched_setaffinity(0, sizeof(all), &all);
    hurry(peer.pid);
    hurry(0);
}

/* A directory in which every guest may write. */
static int share(struct xs_pipeline *store)
{
    xs_pipeline_add(store, XS_MKDIR, 0, SHARED, NULL, 0);
    if (xs_pipeline_ask(store, XS_SET_PERMS, SHARED, "b0", sizeof("b0")))
        return 0;
    return complain("%s in the store: %s", SHARED, strerror(errno));
}

static int open_field(struct field *f, const struct bench_options *o)
{
    int err = session_open(&f->session, BENCH_FREE);

    if (err)
        return err;
    f->options = *o;
    bench_guest_beside(o, "hostile.elf", f->hostile, sizeof(f->hostile));
    f->options.guest = f->hostile;
    f->fd = store_connect(f->session.host.rundir);
    err = f->fd < 0 ? f->fd : share(f->session.host.store);
    if (err)
        session_close(&f->session);
    else
        place_all(f);
    return err;
}

/* Others after us shall have what they had. */
static void close_field(struct field *f)
{
    struct sched_param ordinary = { .sched_priority = 0 };

    (void)sched_setscheduler(0, SCHED_OTHER, &ordinary);
    close(f->fd);
    session_close(&f->session);
}

/* ---- figures ---- */

/* p99 of each kind of client, quiet and beside each attack. */
struct figures {
    struct bench_series quiet, hostile[NR_ATTACKS];
};

static int measure_all(struct field *f, struct figures *host,
                       struct figures *guest)
{
    double h, g;
    int err = measure(f, NULL, &h, &g);

    bench_add(&host->quiet, h);
    bench_add(&guest->quiet, g);
    for (size_t i = 0; i < NR_ATTACKS && !err; i++) {
        err = measure(f, &attacks[i], &h, &g);
        bench_add(&host->hostile[i], h);
        bench_add(&guest->hostile[i], g);
    }
    return err;
}

static void report(const struct bench_options *o, const char *name,
                   const struct figures *f)
{
    char hostile[64], quiet[64], what[64];
    size_t worst = 0;

    for (size_t i = 1; i < NR_ATTACKS; i++)
        if (bench_median(&f->hostile[i]) > bench_median(&f->hostile[worst]))
            worst = i;
    snprintf(quiet, sizeof(quiet), "xenstore.%s_us", name);
    snprintf(hostile, sizeof(hostile), "xenstore.%s_hostile_us", name);
    snprintf(what, sizeof(what), "quiet; worst is '%s'", attacks[worst].name);
    bench_report(o, quiet, &f->quiet, "us", NULL, NULL);
    bench_report(o, hostile, &f->hostile[worst], "us", &f->quiet, what);
}

int bench_xenstore_hostile(const struct bench_options *o)
{
    static struct figures host, guest;
    struct field f;
    int err = open_field(&f, o);

    if (err)
        return err;
    for (unsigned int i = 0; i < o->runs && i < RUNS_MAX && !err; i++)
        err = measure_all(&f, &host, &guest);
    close_field(&f);
    if (err)
        return err;
    report(o, "read_p99", &host);
    report(o, "guest_read_p99", &guest);
    return 0;
}
