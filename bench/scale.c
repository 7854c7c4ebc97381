/*
 * The group scale: many idle guests, each with a disk and a network card.
 *
 * What the last hundred cost beside the 10th to the 109th, in time and memory;
 * then what all together cost while nobody uses them, and how long it takes to
 * list them, to destroy one, and to end their host. Everything runs on one
 * processor (session.h). With --growth FILE the cost of each guest is kept: as
 * CSV, or drawn by gnuplot if the file's name ends in .svg.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "figures.h"
#include "session.h"
#include "tools/say.h"
#include "weigh.h"
#include "xen_compat.h"

#define DISK_BYTES  (1 << 20)
#define PATIENCE_NS 10000000000u
#define PIECE       100u /* guests that make one figure */
#define WARM        10u  /* before the piece that the last is compared with */
#define ENDED       20u  /* are destroyed one by one */
#define QUIET_S     25   /* lwIP and libslirp look after tables for so long */
#define IDLE_S      10
#define WARM_BYTES  (2ul << 20) /* what a page table maps; guests take less */

struct cost {
    double main_us, connected_us;
    double kib, cpu_us; /* of all guests so far; kib: beyond their RAM */
};

struct scale {
    const struct bench_options *o;
    struct bench_session s;
    struct bench_guest *guest;
    struct cost *cost;
    unsigned int n; /* guests that there are */
    double kib_before;
    char *warm;          /* memory for those that come */
    size_t nr_warm;      /* pieces of it that are left */
    double released_kib; /* of what kib_before has in it */
    double aside_us;     /* processor time that this and weighing took */
};

/* Ctrl-C: what was made is taken away. */
static volatile sig_atomic_t interrupted;

static void interrupt(int sig)
{
    (void)sig;
    interrupted = 1;
}

/* ---- warm memory ---- */

/*
 * In a virtual machine the first touch of a page may cost ten times as much as
 * a later one, because its host has to find the page. That is no cost of ours.
 * So memory for all guests is touched beforehand, and a piece of it given back
 * before each guest, which then gets most of its pages from there.
 */
static void warm_up(struct scale *sc)
{
    size_t n = sc->o->guests;
    size_t most = weigh_available_kib() / 4 / (WARM_BYTES / 1024);
    char *p;

    if (n > most)
        n = most;
    p = mmap(NULL, (n + 1) * WARM_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return;
    sc->warm = (char *)(((uintptr_t)p + WARM_BYTES - 1) & ~(WARM_BYTES - 1));
    sc->nr_warm = n;
    for (size_t at = 0; at < n * WARM_BYTES; at += PAGE_SIZE)
        sc->warm[at] = 1;
}

static double process_cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void release_piece(struct scale *sc)
{
    double from = process_cpu_us();

    if (sc->nr_warm == 0)
        return;
    sc->nr_warm--;
    munmap(sc->warm + sc->nr_warm * WARM_BYTES, WARM_BYTES);
    sc->released_kib += (WARM_BYTES + PAGE_SIZE) / 1024.0; /* and its table */
    sc->aside_us += process_cpu_us() - from;
}

/* ---- one guest ---- */

static int make_disk(char *path)
{
    int fd = mkstemp(path);

    if (fd < 0 || ftruncate(fd, DISK_BYTES)) {
        if (fd >= 0)
            unlink(path);
        return complain("cannot make a disk image on tmpfs (/dev/shm)");
    }
    close(fd);
    return 0;
}

static int wait_connected(struct bench_guest *g, double *us)
{
    int err = 0;

    while (!err && !guest_connected(&g->guest)) {
        guest_wait(&g->guest, 100);
        if (interrupted || bench_now() - g->began_ns > PATIENCE_NS)
            err = complain("the bench guest's devices do not connect");
    }
    *us = (double)(bench_now() - g->began_ns) / 1e3;
    return err;
}

/* Until it is quiet: connected, and with an address. */
static int settle(struct scale *sc, struct bench_guest *g, struct cost *c)
{
    double main_ns = 0, up_ns;
    int err = wait_connected(g, &c->connected_us);

    if (!err)
        err = session_take(g, "main", &main_ns);
    if (!err)
        err = session_take(g, "up", &up_ns);
    c->main_us = ((double)sc->s.boot_ns + main_ns - (double)g->began_ns) / 1e3;
    return err;
}

/* Its disk has no name any more once the driver domain has it open. */
static int add_guest(struct scale *sc)
{
    char path[] = "/dev/shm/ringside-bench-XXXXXX", disk[64];
    struct bench_guest *g = &sc->guest[sc->n];
    int err = make_disk(path);

    if (err)
        return err;
    snprintf(disk, sizeof(disk), "%s,raw,xvda,w", path);
    err = session_start(&sc->s, sc->o, g, "member", disk, "type=nat");
    if (!err)
        err = settle(sc, g, &sc->cost[sc->n++]);
    unlink(path);
    session_hang_up(g);
    return err;
}

static double kib_now(const struct scale *sc)
{
    off_t ram = sc->n ? (off_t)sc->guest[0].config.memory_mib << 20 : 0;

    return weigh_machine_kib() - weigh_touched_kib(sc->s.host.pid, ram) -
           (sc->kib_before - sc->released_kib);
}

/* Of the host's processes and of ours, the toolstack. */
static double cpu_now(const struct scale *sc)
{
    return weigh_cpu_ns(sc->s.host.pid) / 1e3 + process_cpu_us() - sc->aside_us;
}

static void weigh(struct scale *sc, struct cost *c)
{
    double from = process_cpu_us();

    c->cpu_us = cpu_now(sc);
    c->kib = kib_now(sc);
    sc->aside_us += process_cpu_us() - from;
}

/* Where pieces begin and end all is weighed. */
static bool is_weighed(const struct scale *sc)
{
    return sc->n == WARM || sc->n == WARM + PIECE ||
           sc->n == sc->o->guests - PIECE || sc->n == sc->o->guests;
}

static int add_all(struct scale *sc)
{
    int err = 0;

    warm_up(sc);
    sc->kib_before = weigh_machine_kib();
    while (sc->n < sc->o->guests && !err && !interrupted) {
        release_piece(sc);
        err = add_guest(sc);
        if (!err && is_weighed(sc))
            weigh(sc, &sc->cost[sc->n - 1]);
    }
    return interrupted ? complain("interrupted") : err;
}

/* ---- figures of pieces ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double main_of(const struct cost *c)
{
    return c->main_us;
}

static double connected_of(const struct cost *c)
{
    return c->connected_us;
}

static double cpu_of(const struct cost *c)
{
    return c->cpu_us;
}

static double kib_of(const struct cost *c)
{
    return c->kib;
}

static struct bench_series median_of(const struct cost *first,
                                     double (*value)(const struct cost *))
{
    struct bench_series s = { .n = 0 };
    double v[PIECE];

    for (unsigned int i = 0; i < PIECE; i++)
        v[i] = value(&first[i]);
    qsort(v, PIECE, sizeof(v[0]), by_value);
    bench_add(&s, (v[PIECE / 2 - 1] + v[PIECE / 2]) / 2);
    return s;
}

/* What each guest of the piece after `from` guests added. */
static struct bench_series share_of(const struct scale *sc, unsigned int from,
                                    double (*value)(const struct cost *))
{
    struct bench_series s = { .n = 0 };

    bench_add(
        &s, (value(&sc->cost[from + PIECE - 1]) - value(&sc->cost[from - 1])) /
                PIECE);
    return s;
}

static void report_pieces(const struct scale *sc)
{
    static const char what[] = "the 10th to the 109th guest";
    const struct cost *early = &sc->cost[WARM], *last;
    struct bench_series a, b;

    last = &sc->cost[sc->n - PIECE];
    a = median_of(last, main_of);
    b = median_of(early, main_of);
    bench_report(sc->o, "scale.create_us", &a, "us", &b, what);
    a = median_of(last, connected_of);
    b = median_of(early, connected_of);
    bench_report(sc->o, "scale.connected_us", &a, "us", &b, what);
    a = share_of(sc, sc->n - PIECE, cpu_of);
    b = share_of(sc, WARM, cpu_of);
    bench_report(sc->o, "scale.cpu_us", &a, "us", &b, what);
    a = share_of(sc, sc->n - PIECE, kib_of);
    b = share_of(sc, WARM, kib_of);
    bench_report(sc->o, "scale.kib_per_guest", &a, "KiB", &b, what);
}

static void report_one(const struct scale *sc, const char *name, double value,
                       const char *unit)
{
    struct bench_series s = { .n = 0 };

    bench_add(&s, value);
    bench_report(sc->o, name, &s, unit, NULL, NULL);
}

/* ---- all of them ---- */

static void rest(time_t seconds)
{
    struct timespec t = { .tv_sec = seconds };

    if (!interrupted)
        nanosleep(&t, NULL); /* Ctrl-C ends it */
}

static int measure_idle(const struct scale *sc)
{
    double before;
    uint64_t from;

    rest(QUIET_S);
    before = weigh_cpu_ns(sc->s.host.pid);
    from = bench_now();
    rest(IDLE_S);
    if (interrupted)
        return complain("interrupted");
    report_one(sc, "scale.idle_cpu_percent",
               (weigh_cpu_ns(sc->s.host.pid) - before) * 100 /
                   (double)(bench_now() - from),
               "%");
    return 0;
}

/* `ringside list`, from its start to its end, in ms; -1: it failed. */
static double time_list(const struct scale *sc)
{
    uint64_t from = bench_now();
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        setenv("RINGSIDE_RUNDIR", sc->s.host.rundir, 1);
        dup2(null, 1);
        execl("/proc/self/exe", "ringside", "list", (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
        return -1;
    return (double)(bench_now() - from) / 1e6;
}

static int measure_list(const struct scale *sc)
{
    struct bench_series s = { .n = 0 };

    for (unsigned int i = 0; i < sc->o->runs; i++)
        bench_add(&s, time_list(sc));
    if (interrupted || bench_median(&s) < 0)
        return complain(interrupted ? "interrupted" : "ringside list failed");
    bench_report(sc->o, "scale.list_ms", &s, "ms", NULL, NULL);
    return 0;
}

/* As `ringside destroy`, and whoever looks after the guest, do it. */
static int measure_destroy(struct scale *sc)
{
    struct bench_series s = { .n = 0 };

    for (unsigned int i = 0; i < ENDED && !interrupted; i++) {
        struct bench_guest *g = &sc->guest[i * (sc->n / ENDED)];
        uint64_t from = bench_now();

        session_end(g);
        bench_add(&s, (double)(bench_now() - from) / 1e6);
        *g = sc->guest[--sc->n];
    }
    if (interrupted)
        return complain("interrupted");
    report_one(sc, "scale.destroy_ms", bench_median(&s), "ms");
    return 0;
}

static int measure(struct scale *sc)
{
    int err = add_all(sc);

    if (err)
        return err;
    report_pieces(sc);
    err = measure_idle(sc);
    if (!err)
        err = measure_list(sc);
    if (!err)
        err = measure_destroy(sc);
    return err;
}

/* ---- each guest's cost, kept ---- */

static void write_csv(FILE *f, const struct scale *sc)
{
    fprintf(f, "guest,create_us,connected_us\n");
    for (unsigned int i = 0; i < sc->o->guests; i++)
        fprintf(f, "%u,%.1f,%.1f\n", i + 1, sc->cost[i].main_us,
                sc->cost[i].connected_us);
}

static void write_plot(FILE *f, const struct scale *sc)
{
    fprintf(f,
            "set terminal svg size 800,400\n"
            "set output '%s'\n"
            "set datafile separator ','\n"
            "set xlabel 'guests'\n"
            "set ylabel 'ms'\n"
            "set yrange [0:*]\n"
            "$cost << END\n",
            sc->o->growth);
    write_csv(f, sc);
    fprintf(f, "END\n"
               "plot $cost skip 1 using 1:($3/1000) with dots lw 2 title "
               "'create to connected', \\\n"
               "     $cost skip 1 using 1:($2/1000) with dots lw 2 title "
               "'create to main()'\n");
}

static int keep_growth(const struct scale *sc)
{
    const char *path = sc->o->growth;
    bool svg = plot_is_svg(path);
    FILE *f = svg ? popen("gnuplot", "w") : fopen(path, "w");

    if (!f)
        return complain("cannot write %s: %s", path, strerror(errno));
    if (svg)
        write_plot(f, sc);
    else
        write_csv(f, sc);
    if (svg ? pclose(f) : fclose(f))
        return complain("%s could not be %s", path, svg ? "drawn" : "written");
    return 0;
}

/* ---- the group ---- */

static void forget_guests(struct scale *sc)
{
    for (unsigned int i = 0; i < sc->n; i++)
        session_forget(&sc->guest[i]);
}

/* What cannot be kept is told before it is measured. */
static int check_growth(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0)
        return complain("cannot write %s: %s", path, strerror(errno));
    close(fd);
    return 0;
}

static int run(struct scale *sc)
{
    int err = sc->o->growth ? check_growth(sc->o->growth) : 0;
    uint64_t from;

    if (!err)
        err = session_open(&sc->s, BENCH_ONE_CPU);
    if (err)
        return err;
    err = measure(sc);
    forget_guests(sc);
    from = bench_now();
    session_close(&sc->s);
    if (!err)
        report_one(sc, "scale.host_end_ms", (double)(bench_now() - from) / 1e6,
                   "ms");
    if (!err && sc->o->growth)
        err = keep_growth(sc);
    return err;
}

int bench_scale(const struct bench_options *o)
{
    const struct sigaction act = { .sa_handler = interrupt };
    struct sigaction old;
    struct scale sc = { .o = o };
    int err;

    sc.guest = calloc(o->guests, sizeof(*sc.guest));
    sc.cost = calloc(o->guests, sizeof(*sc.cost));
    interrupted = 0;
    sigaction(SIGINT, &act, &old);
    err = sc.guest && sc.cost ? run(&sc) : complain("no memory");
    sigaction(SIGINT, &old, NULL);
    munmap(sc.warm, sc.nr_warm * WARM_BYTES);
    free(sc.guest);
    free(sc.cost);
    return err;
}
