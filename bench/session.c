/*
 * A host of one's own for a bench, and its guests. See session.h.
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/check.h"
#include "tools/layout.h"
#include "tools/say.h"

#define PATIENCE_MS 60000

/* All that we might use when we began. */
static const cpu_set_t *all_cpus(void)
{
    static cpu_set_t all;

    if (CPU_COUNT(&all) == 0)
        sched_getaffinity(0, sizeof(all), &all);
    return &all;
}

int session_cpu(unsigned int n)
{
    for (int cpu = 0; cpu < 64; cpu++)
        if (CPU_ISSET(cpu, all_cpus()) && n-- == 0)
            return cpu;
    return -1;
}

/* On the first processor, or on all. */
static void place(enum bench_placement placement)
{
    sched_setaffinity(0, sizeof(cpu_set_t), all_cpus());
    if (placement == BENCH_ONE_CPU)
        native_pin(session_cpu(0));
}

int session_open(struct bench_session *s, enum bench_placement placement)
{
    struct rs_host_info info;
    int err;

    place(placement);
    /* On tmpfs, as the directory of a user's host mostly is. */
    if (access("/dev/shm", W_OK) == 0)
        setenv("XDG_RUNTIME_DIR", "/dev/shm", 0);
    err = host_open_private(&s->host, NULL);
    if (err)
        return err;
    err = rs_client_host_info(s->host.client, &info);
    if (err)
        return complain("the host does not answer: %s", strerror(-err));
    s->boot_ns = bench_now() - info.uptime_ns;
    s->guest_cpu = -1;
    s->guest_mode = MODE_PV;
    s->guest_polled = false;
    s->guest_vcpus = s->guest_mib = 0;
    return 0;
}

void session_close(struct bench_session *s)
{
    host_close(&s->host);
    place(BENCH_FREE); /* the next group looks where it may run */
}

static int configure(const struct bench_session *s,
                     const struct bench_options *o, struct guest_config *c,
                     const char *job, const char *disk, const char *vif)
{
    static unsigned int serial;
    char name[32];
    int err;

    config_init(c);
    c->mode = s->guest_mode;
    c->polled = s->guest_polled;
    if (s->guest_vcpus)
        c->vcpus = s->guest_vcpus;
    if (s->guest_mib)
        c->memory_mib = s->guest_mib;
    snprintf(name, sizeof(name), "bench-%u", ++serial);
    err = config_set(&c->name, name);
    if (!err)
        err = config_set(&c->kernel, o->guest);
    if (!err)
        err = config_add_words(c, "bench", job);
    if (!err && disk)
        err = config_add_disk(c, "bench", disk);
    if (!err && vif)
        err = config_add_vif(c, "bench", vif);
    return err ? err : check_guest(c);
}

static int pin(struct bench_session *s, struct bench_guest *g)
{
    int err = 0;

    if (s->guest_cpu >= 0)
        err = rs_client_vcpu_pin(s->host.client, (uint16_t)g->guest.d.domid, 0,
                                 1ull << s->guest_cpu);
    return err ? complain("cannot pin a guest to processor %d: %s",
                          s->guest_cpu, strerror(-err))
               : 0;
}

int session_start(struct bench_session *s, const struct bench_options *o,
                  struct bench_guest *g, const char *job, const char *disk,
                  const char *vif)
{
    int ends[2], err;

    memset(g, 0, sizeof(*g));
    g->console = -1;
    err = configure(s, o, &g->config, job, disk, vif);
    if (!err && pipe2(ends, O_CLOEXEC))
        err = complain("pipe: %s", strerror(errno));
    if (err) {
        config_free(&g->config);
        return err;
    }
    g->console = ends[0];
    g->began_ns = bench_now();
    err = guest_launch(&g->guest, &s->host, &g->config, ends[1]);
    close(ends[1]);
    if (err) {
        session_forget(g);
        return err;
    }
    err = pin(s, g);
    if (err)
        session_end(g);
    return err;
}

/* A whole line that was not taken yet, its end marked by a NUL; NULL: none.
 * The hypervisor begins each line of a guest with "(dN) ". */
static const char *next_line(struct bench_guest *g)
{
    char *line = g->text + g->taken, *end = strchr(line, '\n'), *text;

    if (!end)
        return NULL;
    *end = '\0';
    g->taken = (size_t)(end + 1 - g->text);
    text = strncmp(line, "(d", 2) == 0 ? strstr(line, ") ") : NULL;
    return text ? text + 2 : line;
}

/* Waits for a line; what it waits for is told if it does not come. */
static int wait_line(struct bench_guest *g, const char *key, const char **line)
{
    struct pollfd p = { .fd = g->console, .events = POLLIN };
    ssize_t n;

    while ((*line = next_line(g)) == NULL) {
        if (g->len + 1 == sizeof(g->text))
            return complain("the bench guest says too much");
        if (poll(&p, 1, PATIENCE_MS) != 1)
            return complain("the bench guest '%s' says no '%s' in %d s",
                            g->config.cmdline, key, PATIENCE_MS / 1000);
        n = read(g->console, g->text + g->len, sizeof(g->text) - 1 - g->len);
        if (n <= 0)
            return complain("the bench guest '%s' ended without '%s': %s",
                            g->config.cmdline, key, g->text + g->taken);
        g->len += (size_t)n;
        g->text[g->len] = '\0';
    }
    return 0;
}

int session_take(struct bench_guest *g, const char *key, double *value)
{
    size_t n = strlen(key);
    const char *line;
    int err;

    do {
        err = wait_line(g, key, &line);
        if (err)
            return err;
    } while (strncmp(line, key, n) != 0 || line[n] != ' ');
    *value = strtod(line + n, NULL);
    return 0;
}

int session_lines(struct bench_guest *g, int (*take)(const char *line))
{
    const char *line;
    int err;

    for (;;) {
        err = wait_line(g, "done", &line);
        if (!err && !strcmp(line, "done"))
            return 0;
        if (!err)
            err = take(line);
        if (err)
            return err;
    }
}

void session_hang_up(struct bench_guest *g)
{
    if (g->console >= 0)
        close(g->console);
    g->console = -1;
}

void session_forget(struct bench_guest *g)
{
    session_hang_up(g);
    config_free(&g->config);
}

void session_end(struct bench_guest *g)
{
    guest_remove(&g->guest, NULL, NULL);
    session_forget(g);
}

int session_measure(struct bench_session *s, const struct bench_options *o,
                    const char *job, const char *disk, const char *key,
                    double *value)
{
    struct bench_guest g;
    int err = session_start(s, o, &g, job, disk, NULL);

    if (err)
        return err;
    err = session_take(&g, key, value);
    session_end(&g);
    return err;
}

/* A domain that is not there yet can be granted and shown nothing. */
static int tell_peer(struct bench_session *s, unsigned int domid,
                     unsigned int peer)
{
    char path[64], value[16];

    snprintf(value, sizeof(value), "%u", peer);
    snprintf(path, sizeof(path), "/local/domain/%u/data/peer", domid);
    if (!layout_write(s->host.store, path, value))
        return complain("the store takes no data/peer: %s", strerror(errno));
    return 0;
}

static int start_second(struct bench_session *s, const struct bench_options *o,
                        struct bench_pair *p)
{
    char job[128];
    double ready;
    int err = session_take(&p->a, "ready", &ready);

    if (err)
        return err;
    snprintf(job, sizeof(job), "%s %u %u %s", p->second, p->a.guest.d.domid,
             (unsigned int)ready, p->args ? p->args : "");
    s->guest_cpu = p->b_cpu;
    err = session_start(s, o, &p->b, job, NULL, NULL);
    if (err)
        return err;
    err = tell_peer(s, p->a.guest.d.domid, p->b.guest.d.domid);
    if (err)
        session_end(&p->b);
    return err;
}

int session_start_pair(struct bench_session *s, const struct bench_options *o,
                       struct bench_pair *p)
{
    int err;

    s->guest_cpu = p->a_cpu;
    err = session_start(s, o, &p->a, p->first, NULL, NULL);
    if (err)
        return err;
    err = start_second(s, o, p);
    if (err)
        session_end(&p->a);
    s->guest_cpu = -1;
    return err;
}

void session_end_pair(struct bench_pair *p)
{
    session_end(&p->b);
    session_end(&p->a);
}
