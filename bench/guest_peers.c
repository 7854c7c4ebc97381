/*
 * What two guests cost each other: events, grants, vchan. The first says
 * "ready V"; the second is started with the first's domid and V behind its
 * name, and says the figures.
 *
 *   pong             answers each event of the next domain; V: the port
 *   ping D V NAME    event round trips, both block; the figure's name
 *   spinner          answers in a page that it granted; V: the reference
 *   spin D V         the same round trips by looking at memory
 *   granter N        grants N pages; V: the first of N references
 *   mapper D V       maps, copies, reads them
 *   vecho            sends back what comes over a vchan
 *   vping D V        vchan round trips
 *   vsink MIB        takes so much from a vchan, then sends a byte
 *   vsend D V MIB    vchan throughput
 */
#include <ringside/guest.h>
#include <ringside/vchan.h>

#include "bench/guest_job.h"
#include "guest-kernel/grants.h"
#include "guest-kernel/idle.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/pages.h"

static unsigned int number(const char *word)
{
    return (unsigned int)strtoul(word, NULL, 10);
}

static _Noreturn void sleep_for_ever(void)
{
    for (;;)
        rs_sleep(RS_FOREVER);
}

static unsigned int next_domid(void)
{
    unsigned int domid;
    char *text;

    if (rs_store_read("domid", &text))
        return 0;
    domid = number(text) + 1;
    free(text);
    return domid;
}

/* ---- events ---- */

static int pong(char **argv)
{
    struct rs_event *e;

    (void)argv;
    idle_set_poll_max(0);
    if (rs_event_listen(next_domid(), &e))
        return 1;
    say("ready %u\n", rs_event_port(e));
    for (;;) {
        rs_event_wait(e, RS_FOREVER);
        rs_event_notify(e);
    }
}

static void event_round_trip(void *e)
{
    rs_event_notify(e);
    rs_event_wait(e, RS_FOREVER);
}

static int ping(char **argv)
{
    struct rs_event *e;

    idle_set_poll_max(0);
    if (rs_event_connect(number(argv[0]), number(argv[1]), &e))
        return 1;
    rs_event_wait(e, 10000000); /* a bind raises the port once */
    samples_take(&samples, event_round_trip, e, 1);
    say_samples(argv[2], 1);
    say("done\n");
    return 0;
}

/* ---- a word in a shared page, watched by both ---- */

#define THE_END UINT64_MAX

struct words {
    uint64_t there __attribute__((aligned(64)));
    uint64_t back __attribute__((aligned(64)));
};

static int spinner(char **argv)
{
    struct words *w = rs_pages_alloc(1);
    uint64_t seen = 0, now;
    uint32_t ref;

    (void)argv;
    memset(w, 0, sizeof(*w));
    if (rs_grant(next_domid(), w, false, &ref))
        return 1;
    say("ready %u\n", ref);
    while (seen != THE_END) {
        now = __atomic_load_n(&w->there, __ATOMIC_ACQUIRE);
        if (now != seen)
            __atomic_store_n(&w->back, now, __ATOMIC_RELEASE);
        seen = now;
    }
    sleep_for_ever();
}

static void word_round_trip(void *arg)
{
    struct words *w = arg;
    uint64_t next = w->there + 1;

    __atomic_store_n(&w->there, next, __ATOMIC_RELEASE);
    while (__atomic_load_n(&w->back, __ATOMIC_ACQUIRE) != next)
        ;
}

static int spin(char **argv)
{
    uint32_t ref = number(argv[1]);
    struct rs_mapping *m;
    struct words *w;

    if (rs_map(number(argv[0]), &ref, 1, false, &m))
        return 1;
    w = rs_map_address(m);
    samples_take(&samples, word_round_trip, w, 100);
    say_samples("event.pingpong_poll", 1);
    __atomic_store_n(&w->there, THE_END, __ATOMIC_RELEASE);
    say("done\n");
    return 0;
}

/* ---- grants ---- */

#define BATCH_MAX 256
#define FRAME     20000 /* behind the kernel's own of the aperture */

static int granter(char **argv)
{
    unsigned int n = number(argv[0]), peer = next_domid();
    char *pages = rs_pages_alloc(n);
    uint32_t first = 0, ref;

    for (unsigned int i = 0; i < n; i++) {
        memset(pages + i * RS_PAGE_SIZE, 1, RS_PAGE_SIZE);
        if (rs_grant(peer, pages + i * RS_PAGE_SIZE, false, &ref))
            return 1;
        if (i == 0)
            first = ref;
        if (ref != first + i)
            return 1; /* the other one counts on them */
    }
    say("ready %u\n", first);
    sleep_for_ever();
}

static struct {
    domid_t domid;
    grant_ref_t first;
    unsigned int n; /* at a time */
    unsigned int failed;
    struct gnttab_map_grant_ref map[BATCH_MAX];
    struct gnttab_unmap_grant_ref unmap[BATCH_MAX];
    struct gnttab_copy copy[BATCH_MAX];
} g;

static char *frame_at(unsigned int i)
{
    return (char *)((start_info->nr_pages + FRAME + i) << PAGE_SHIFT);
}

static void map_some(void)
{
    for (unsigned int i = 0; i < g.n; i++)
        g.map[i] = (struct gnttab_map_grant_ref){
            .host_addr = (uintptr_t)frame_at(i),
            .flags = GNTMAP_host_map,
            .ref = g.first + i,
            .dom = g.domid,
        };
    g.failed |= hypercall_grant_map(g.map, g.n) != 0;
    for (unsigned int i = 0; i < g.n; i++)
        g.failed |= g.map[i].status != GNTST_okay;
}

static void unmap_some(void)
{
    for (unsigned int i = 0; i < g.n; i++)
        g.unmap[i] = (struct gnttab_unmap_grant_ref){
            .host_addr = g.map[i].host_addr,
            .handle = g.map[i].handle,
        };
    g.failed |= hypercall_grant_unmap(g.unmap, g.n) != 0;
    for (unsigned int i = 0; i < g.n; i++)
        g.failed |= g.unmap[i].status != GNTST_okay;
}

/* A page that nobody touches is not there yet. */
static void map_touch_unmap(void *arg)
{
    (void)arg;
    map_some();
    for (unsigned int i = 0; i < g.n && !g.failed; i++)
        READ_ONCE(*frame_at(i));
    unmap_some();
}

/* Large batches take long, and are many operations each. */
#define FEWEST 30

static void say_maps(void)
{
    unsigned int n;
    char name[32];

    for (g.n = 1; g.n <= BATCH_MAX && !g.failed; g.n *= 4) {
        n = SAMPLES / g.n > FEWEST ? SAMPLES / g.n : FEWEST;
        samples_take_some(&samples, map_touch_unmap, NULL, 1, n);
        snprintf(name, sizeof(name), "grant.map_unmap%u", g.n);
        say_samples(g.n == 1 ? "grant.map_unmap" : name, g.n);
    }
}

static void copy_some(void *arg)
{
    (void)arg;
    g.failed |= hypercall_grant_copy(g.copy, g.n) != 0 || g.copy[0].status;
}

/* n pieces of so many bytes by one hypercall, into memory of ours. */
static void say_copies(const char *name, unsigned int n, uint16_t bytes,
                       char *to)
{
    for (unsigned int i = 0; i < n; i++)
        g.copy[i] = (struct gnttab_copy){
            .source = { .u.ref = g.first + i, .domid = g.domid },
            .dest = { .u.gmfn = page_gfn(to) + i, .domid = DOMID_SELF },
            .len = bytes,
            .flags = GNTCOPY_source_gref,
        };
    g.n = n;
    samples_take(&samples, copy_some, NULL, 1);
    say_samples(name, 1);
}

static char *kept_copy;

static void read_kept(void *page)
{
    memcpy(kept_copy, page, RS_PAGE_SIZE);
    __asm__ __volatile__("" ::"r"(kept_copy) : "memory");
}

/* What a mapping that stays costs: nothing but the copy. */
static void say_kept(char *to)
{
    kept_copy = to;
    g.n = 1;
    map_some();
    samples_take(&samples, read_kept, frame_at(0), 50);
    say_samples("grant.kept4k", 1);
    unmap_some();
}

static int mapper(char **argv)
{
    char *to = rs_pages_alloc(16);

    g.domid = (domid_t)number(argv[0]);
    g.first = number(argv[1]);
    memset(to, 0, 16 * RS_PAGE_SIZE);
    say_maps();
    say_copies("grant.copy64", 1, 64, to);
    say_copies("grant.copy1k", 1, 1024, to);
    say_copies("grant.copy4k", 1, 4096, to);
    say_copies("grant.copy64k", 16, 4096, to);
    say_kept(to);
    if (g.failed)
        return 1;
    say("done\n");
    return 0;
}

/* ---- vchan ---- */

#define VCHAN      "data/vchan"
#define VCHAN_RING (256 * 1024)
#define MIB        (1ull << 20)

/* All n bytes. */
static bool vchan_read_all(struct rs_vchan *v, char *buf, size_t n)
{
    while (n) {
        long got = rs_vchan_read(v, buf, n);

        if (got <= 0)
            return false;
        buf += got;
        n -= (size_t)got;
    }
    return true;
}

static void peer_named(void *arg, const char *path)
{
    (void)path;
    rs_semaphore_up(arg);
}

/* Who comes: the harness writes it into data/peer. */
static unsigned int wait_for_peer(void)
{
    struct rs_semaphore *named = rs_semaphore_new(0);
    struct rs_watch *w;
    char *text;
    unsigned int domid;

    rs_store_watch("data/peer", peer_named, named, &w);
    do
        rs_semaphore_down(named, RS_FOREVER);
    while (rs_store_read("data/peer", &text));
    domid = number(text);
    free(text);
    return domid;
}

static struct rs_vchan *vchan_for_peer(void)
{
    struct rs_vchan *v;

    say("ready 0\n");
    return rs_vchan_listen(wait_for_peer(), VCHAN, VCHAN_RING, VCHAN_RING,
                           &v) == 0
               ? v
               : NULL;
}

static int vecho(char **argv)
{
    static char buf[VCHAN_RING / 2];
    struct rs_vchan *v = vchan_for_peer();
    long n = 1;

    (void)argv;
    while (v && n > 0) {
        n = rs_vchan_read(v, buf, sizeof(buf));
        if (n > 0)
            n = rs_vchan_write(v, buf, (size_t)n);
    }
    sleep_for_ever();
}

static int vsink(char **argv)
{
    static char buf[VCHAN_RING / 2];
    uint64_t bytes = number(argv[0]) * MIB;
    struct rs_vchan *v = vchan_for_peer();

    for (uint64_t done = 0; v && done < bytes; done += sizeof(buf))
        if (!vchan_read_all(v, buf, sizeof(buf)))
            return 1;
    if (v)
        rs_vchan_write(v, "", 1);
    sleep_for_ever();
}

static struct rs_vchan *vchan_to(const char *domid)
{
    struct rs_vchan *v;

    if (rs_vchan_connect(number(domid), VCHAN, RS_FOREVER, &v))
        return NULL;
    return v;
}

static bool vchan_broken;

static void vchan_round_trip(void *v)
{
    char count[8] = { 0 };

    if (rs_vchan_write(v, count, sizeof(count)) < 0 ||
        !vchan_read_all(v, count, sizeof(count)))
        vchan_broken = true;
}

/* Timed twice: the first time warms both ends' polling up. */
static int vping(char **argv)
{
    struct rs_vchan *v = vchan_to(argv[0]);

    if (!v)
        return 1;
    samples_take(&samples, vchan_round_trip, v, 10);
    samples_take(&samples, vchan_round_trip, v, 1);
    if (vchan_broken)
        return 1;
    say_samples("vchan.rtt", 1);
    say("done\n");
    return 0;
}

static int vsend(char **argv)
{
    static char buf[VCHAN_RING / 2];
    uint64_t bytes = number(argv[2]) * MIB, start;
    struct rs_vchan *v = vchan_to(argv[0]);

    start = rs_now();
    for (uint64_t done = 0; v && done < bytes; done += sizeof(buf))
        if (rs_vchan_write(v, buf, sizeof(buf)) < 0)
            return 1;
    if (!v || !vchan_read_all(v, buf, 1))
        return 1;
    say("vchan.throughput %.3f\n",
        (double)bytes * 8 / (double)(rs_now() - start));
    say("done\n");
    return 0;
}

static const struct job jobs[] = {
    { "pong", 0, pong },   { "ping", 3, ping },       { "spinner", 0, spinner },
    { "spin", 2, spin },   { "granter", 1, granter }, { "mapper", 2, mapper },
    { "vecho", 0, vecho }, { "vping", 2, vping },     { "vsink", 1, vsink },
    { "vsend", 3, vsend },
};

int main(int argc, char **argv)
{
    return job_run(jobs, sizeof(jobs) / sizeof(jobs[0]), argc, argv);
}
