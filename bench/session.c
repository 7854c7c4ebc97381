#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenstore.h>

#include "tools/check.h"
#include "tools/say.h"

#define PATIENCE_MS 60000

/* The first processor that we may use, or all that we might when we began. */
static void place(enum bench_placement placement)
{
    static cpu_set_t all;
    cpu_set_t one;
    int cpu = 0;

    if (CPU_COUNT(&all) == 0)
        sched_getaffinity(0, sizeof(all), &all);
    while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof(all), placement == BENCH_FREE ? &all : &one);
}

int session_open(struct bench_session *s, enum bench_placement placement)
{
    struct hypercall_host_info info;
    int err;

    place(placement);
    err = host_open_private(&s->host, NULL);

    if (err)
        return err;
    err = hypercall_host_info(&info);
    if (err)
        return complain("the host does not answer: %s", strerror(-err));
    s->boot_ns = bench_now() - info.uptime_ns;
    return 0;
}

void session_close(struct bench_session *s)
{
    host_close(&s->host);
}

static int configure(const struct bench_options *o, struct guest_config *c,
                     const char *job, const char *disk, const char *vif)
{
    static unsigned int serial;
    char name[32];
    int err;

    config_init(c);
    snprintf(name, sizeof(name), "bench-%u", ++serial);
    err = config_set(&c->name, name);
    if (!err)
        err = config_set(&c->kernel, o->guest);
    if (!err)
        err = config_add_words(c, job);
    if (!err && disk)
        err = config_add_disk(c, "bench", disk);
    if (!err && vif)
        err = config_add_vif(c, "bench", vif);
    return err ? err : check_guest(c);
}

int session_start(struct bench_session *s, const struct bench_options *o,
                  struct bench_guest *g, const char *job, const char *disk,
                  const char *vif)
{
    int ends[2], err;

    memset(g, 0, sizeof(*g));
    g->console = -1;
    err = configure(o, &g->config, job, disk, vif);
    if (!err && pipe2(ends, O_CLOEXEC))
        err = complain("pipe: %s", strerror(errno));
    if (err) {
        config_free(&g->config);
        return err;
    }
    g->console = ends[0];
    g->began_ns = bench_now();
    err = guest_create(&g->guest, &s->host, &g->config, ends[1]);
    close(ends[1]);
    if (!err)
        err = guest_start(&g->guest);
    if (err) {
        close(g->console);
        config_free(&g->config);
    }
    return err;
}

/* Finds a whole line "KEY VALUE" that was not taken yet. */
static bool find_line(struct bench_guest *g, const char *key, double *value)
{
    size_t n = strlen(key);

    for (char *p = g->text + g->taken; *p != '\0';) {
        char *end = strchr(p, '\n');

        if (!end)
            return false;
        if (!strncmp(p, key, n) && p[n] == ' ') {
            *value = strtod(p + n, NULL);
            g->taken = (size_t)(end + 1 - g->text);
            return true;
        }
        p = end + 1;
    }
    return false;
}

int session_take(struct bench_guest *g, const char *key, double *value)
{
    struct pollfd p = { .fd = g->console, .events = POLLIN };
    ssize_t n;

    while (!find_line(g, key, value)) {
        if (g->len + 1 == sizeof(g->text))
            return complain("the bench guest says too much");
        if (poll(&p, 1, PATIENCE_MS) != 1)
            return complain("the bench guest says no '%s' in %d s", key,
                            PATIENCE_MS / 1000);
        n = read(g->console, g->text + g->len, sizeof(g->text) - 1 - g->len);
        if (n <= 0)
            return complain("the bench guest ended without '%s': %s", key,
                            g->text);
        g->len += (size_t)n;
        g->text[g->len] = '\0';
    }
    return 0;
}

void session_end(struct bench_guest *g)
{
    guest_remove(&g->guest, NULL, NULL);
    close(g->console);
    config_free(&g->config);
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
    int n = snprintf(value, sizeof(value), "%u", peer);

    snprintf(path, sizeof(path), "/local/domain/%u/data/peer", domid);
    if (!xs_write(s->host.xs, XBT_NULL, path, value, (unsigned int)n))
        return complain("the store takes no data/peer: %s", strerror(errno));
    return 0;
}

int session_measure_pair(struct bench_session *s, const struct bench_options *o,
                         const char *first, const char *second,
                         const char *args, const char *key, double *value)
{
    struct bench_guest a, b;
    char job[64];
    double ready;
    int err = session_start(s, o, &a, first, NULL, NULL);

    if (err)
        return err;
    err = session_take(&a, "ready", &ready);
    if (!err) {
        snprintf(job, sizeof(job), "%s %u %u %s", second, a.guest.d.domid,
                 (unsigned int)ready, args);
        err = session_start(s, o, &b, job, NULL, NULL);
    }
    if (!err) {
        err = tell_peer(s, a.guest.d.domid, b.guest.d.domid);
        if (!err)
            err = session_take(&b, key, value);
        session_end(&b);
    }
    session_end(&a);
    return err;
}
