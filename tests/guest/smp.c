/*
 * Torture of the kernel on four vCPUs: workers of every kind at once, for a
 * second and a half, or as many seconds as the argument says
 * (`ringside run --vcpus 4 smp.elf -- 300`).
 * run-guest: --vcpus 4 --memory 64
 */
#include <errno.h>
#include <ringside/guest.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define VCPUS 4
#define EACH  2 /* workers of a kind */
#define MS    1000000ull

struct worker {
    const struct kind *kind;
    unsigned int id, seed;
    unsigned long rounds, wrong;
    struct rs_thread *thread;
};

struct kind {
    const char *name;
    void (*round)(struct worker *w);
};

static bool stop;
static struct rs_mutex *mutex;
static unsigned long guarded[2]; /* always alike */
static unsigned int vcpus_seen;

static _Thread_local unsigned long own;

static unsigned int draw(struct worker *w, unsigned int below)
{
    w->seed = w->seed * 1103515245 + 12345;
    return (w->seed >> 16) % below;
}

static void check(struct worker *w, bool good)
{
    w->wrong += !good;
}

static void compute(unsigned int n)
{
    for (volatile unsigned int i = 0; i < n; i++)
        ;
}

/* ---- kinds ---- */

/* Two words that only the mutex keeps alike. */
static void locks(struct worker *w)
{
    rs_mutex_lock(mutex);
    check(w, guarded[0] == guarded[1]);
    guarded[0]++;
    compute(draw(w, 200));
    if (draw(w, 16) == 0)
        rs_thread_yield();
    guarded[1]++;
    rs_mutex_unlock(mutex);
}

/* Blocks of the heap with a pattern that nobody else may disturb. */
static void heap(struct worker *w)
{
    unsigned char *block[8];
    size_t size[8];

    for (int i = 0; i < 8; i++) {
        size[i] = 1 + draw(w, i ? 600 : 20000);
        block[i] = malloc(size[i]);
        if (block[i])
            memset(block[i], (int)(w->id * 8) + i, size[i]);
    }
    for (int i = 0; i < 8; i++) {
        for (size_t k = 0; block[i] && k < size[i]; k += 37)
            check(w, block[i][k] == (unsigned char)(w->id * 8 + i));
        free(block[i]);
    }
}

static void sleeps(struct worker *w)
{
    uint64_t ns = draw(w, 2000) * 1000ull, start = rs_now();

    rs_sleep(ns);
    check(w, rs_now() >= start + ns);
}

static void child(void *arg)
{
    unsigned int *n = arg;

    own += 1;
    *n += (unsigned int)own; /* a fresh copy in each thread */
}

static void threads(struct worker *w)
{
    unsigned int n[3] = { 0 };
    struct rs_thread *t[3];

    for (int i = 0; i < 3; i++)
        t[i] = rs_thread_create("child", child, &n[i], 0);
    for (int i = 0; i < 3; i++) {
        check(w, t[i] != NULL);
        if (t[i])
            rs_thread_join(t[i]);
        check(w, n[i] == 1);
    }
}

struct pair {
    struct rs_semaphore *ping, *pong;
    unsigned int count;
};

static void partner(void *arg)
{
    struct pair *p = arg;

    for (int i = 0; i < 20; i++) {
        rs_semaphore_down(p->ping, RS_FOREVER);
        p->count++;
        rs_semaphore_up(p->pong);
    }
}

static void semaphores(struct worker *w)
{
    struct pair p = { rs_semaphore_new(0), rs_semaphore_new(0), 0 };
    struct rs_thread *t = rs_thread_create("partner", partner, &p, 0);

    for (unsigned int i = 0; i < 20 && t; i++) {
        check(w, p.count == i);
        rs_semaphore_up(p.ping);
        check(w, rs_semaphore_down(p.pong, 20000 * MS) == 0);
    }
    if (t)
        rs_thread_join(t);
    check(w, rs_semaphore_down(p.pong, 100) == -ETIMEDOUT);
    rs_semaphore_free(p.ping);
    rs_semaphore_free(p.pong);
}

/* Computes, and so is interrupted; keeps its registers, errno and TLS. */
static void computes(struct worker *w)
{
    double x = 1.0 + w->id, y = x;

    errno = 1000 + (int)w->id;
    own = w->id;
    for (int i = 0; i < 20000; i++) {
        x = x * 1.0000001 + 1e-9;
        y = y * 1.0000001 + 1e-9;
    }
    rs_thread_yield();
    check(w, x == y && errno == 1000 + (int)w->id && own == w->id);
}

static void store(struct worker *w)
{
    char path[32], text[16], *back;

    snprintf(path, sizeof(path), "data/smp%u", w->id);
    snprintf(text, sizeof(text), "%lu", w->rounds);
    check(w, rs_store_write(path, text) == 0);
    check(w, rs_store_read(path, &back) == 0);
    check(w, strcmp(back, text) == 0);
    free(back);
}

/* An event channel to ourselves, from one thread to another. */
static void events(struct worker *w)
{
    struct rs_event *a, *b;

    check(w, rs_event_listen(RS_DOMID_SELF, &a) == 0);
    check(w, rs_event_connect(RS_DOMID_SELF, rs_event_port(a), &b) == 0);
    rs_event_wait(b, 0); /* a bind tells once */
    for (int i = 0; i < 8; i++) {
        rs_event_notify(a);
        check(w, rs_event_wait(b, 20000 * MS) == 0);
    }
    rs_event_close(b);
    rs_event_close(a);
}

static void pages(struct worker *w)
{
    size_t n = 1 + draw(w, 5);
    unsigned char *p = rs_pages_alloc(n);
    uint32_t ref;

    check(w, p != NULL);
    memset(p, (int)w->id, n * RS_PAGE_SIZE);
    check(w, rs_grant(0, p, true, &ref) == 0);
    compute(500);
    for (size_t i = 0; i < n * RS_PAGE_SIZE; i += 511)
        check(w, p[i] == w->id);
    check(w, rs_grant_end(ref) == 0);
    rs_pages_free(p, n);
}

static void output(struct worker *w)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%u %s %.3f", w->id, w->kind->name,
                     (double)w->id / 3);

    check(w, n > 0 && strlen(text) == (size_t)n);
    if (w->rounds % 512 == 0)
        printf("# %s: %lu rounds\n", w->kind->name, w->rounds);
}

static const struct kind kinds[] = {
    { "locks", locks },           { "heap", heap },
    { "sleeps", sleeps },         { "threads", threads },
    { "semaphores", semaphores }, { "computes", computes },
    { "store", store },           { "events", events },
    { "pages", pages },           { "output", output },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* ---- the test ---- */

static void work(void *arg)
{
    struct worker *w = arg;

    do {
        w->kind->round(w);
        w->rounds++;
        if (draw(w, 8) == 0)
            rs_thread_yield();
    } while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST));
}

static bool wait_online(unsigned int n)
{
    uint64_t end = rs_now() + 30000 * MS;

    while (rs_vcpus_online() != n && rs_now() < end)
        rs_sleep(MS);
    return rs_vcpus_online() == n;
}

/* Each waits for the others without ever letting go: only vCPUs of their own
 * bring them together. */
static unsigned int met;

static void meet(void *arg)
{
    uint64_t end = rs_now() + 30000 * MS;

    (void)arg;
    __atomic_fetch_or(&vcpus_seen, 1u << rs_vcpu(), __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&met, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&met, __ATOMIC_SEQ_CST) < VCPUS && rs_now() < end)
        ;
}

static void test_parallel(void)
{
    struct rs_thread *t[VCPUS];

    for (int i = 0; i < VCPUS; i++)
        t[i] = rs_thread_create("meet", meet, NULL, 0);
    for (int i = 0; i < VCPUS; i++)
        rs_thread_join(t[i]);
    point(met == VCPUS, "four threads compute at the same time");
    point(vcpus_seen == (1u << VCPUS) - 1, "each on a vCPU of its own");
}

static void torture(uint64_t ns)
{
    static struct worker workers[KINDS * EACH];

    for (unsigned int i = 0; i < KINDS * EACH; i++) {
        struct worker *w = &workers[i];

        w->kind = &kinds[i % KINDS];
        w->id = i;
        w->seed = i * 7919 + 1;
        w->thread = rs_thread_create(w->kind->name, work, w, 0);
    }
    rs_sleep(ns);
    __atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
    for (unsigned int i = 0; i < KINDS * EACH; i++)
        rs_thread_join(workers[i].thread);
    for (unsigned int k = 0; k < KINDS; k++) {
        unsigned long rounds = 0, wrong = 0;

        for (unsigned int i = k; i < KINDS * EACH; i += KINDS) {
            rounds += workers[i].rounds;
            wrong += workers[i].wrong;
        }
        point(rounds > 0 && wrong == 0, "%s", kinds[k].name);
        printf("# %lu rounds, %lu wrong\n", rounds, wrong);
    }
}

int main(int argc, char **argv)
{
    uint64_t seconds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    struct rs_usage before, after;

    plan(4 + KINDS);
    mutex = rs_mutex_new();
    point(wait_online(VCPUS), "four vCPUs are up");
    test_parallel();
    rs_usage(&before);
    torture(seconds ? seconds * 1000 * MS : 1500 * MS);
    rs_usage(&after);
    point(before.grants == after.grants && before.events == after.events &&
              before.threads == after.threads,
          "nothing leaked");
    return done();
}
