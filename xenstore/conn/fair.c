/* Fair shares of the daemon's time; see fair.h. */
#include "conn/fair.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "conn/conn.h"
#include "store/store.h"

uint64_t fair_clock(bool cpu)
{
    struct timespec ts;

    clock_gettime(cpu ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/*
 * The slice begins when its second request does, so that the clock is not read
 * for a client that waits for each reply.
 */
bool fair_slice_over(struct fair *f)
{
    uint64_t now = f->clock(false);

    if (!f->slice_end)
        f->slice_end = now + SOCKET_SLICE_NS;
    return now >= f->slice_end;
}

/* ---- the heap of rings that have something to do ---- */

static bool before(const struct conn *a, const struct conn *b)
{
    return a->share.used_ns < b->share.used_ns;
}

static void heap_put(struct fair *f, uint32_t i, struct conn *c)
{
    assert(i < f->n && f->n <= f->rings && f->rings <= f->cap);
    f->heap[i] = c;
    c->share.place = i + 1;
}

/* Moves c, which belongs at i or above, in front of its equals. */
static void heap_up(struct fair *f, uint32_t i, struct conn *c)
{
    for (; i > 0 && !before(f->heap[(i - 1) / 2], c); i = (i - 1) / 2)
        heap_put(f, i, f->heap[(i - 1) / 2]);
    heap_put(f, i, c);
}

/* Moves c, which belongs at i or below, after its equals. */
static void heap_down(struct fair *f, uint32_t i, struct conn *c)
{
    for (uint32_t child; (child = 2 * i + 1) < f->n; i = child) {
        if (child + 1 < f->n && before(f->heap[child + 1], f->heap[child]))
            child++;
        if (before(c, f->heap[child]))
            break;
        heap_put(f, i, f->heap[child]);
    }
    heap_put(f, i, c);
}

static void heap_remove(struct fair *f, struct conn *c)
{
    uint32_t i = c->share.place - 1;
    struct conn *last;

    assert(i < f->n && f->heap[i] == c);
    last = f->heap[--f->n];
    c->share.place = 0;
    if (last == c)
        return;
    if (before(last, c))
        heap_up(f, i, last);
    else
        heap_down(f, i, last);
}

void fair_init(struct fair *f)
{
    f->clock = fair_clock;
    budget_init(&f->overruns, 1000000 / OVERRUN_SHARE, OVERRUN_BURST_NS);
}

int fair_join(struct fair *f)
{
    if (f->rings == f->cap) {
        uint32_t cap = f->cap ? 2 * f->cap : 16;
        struct conn **heap = realloc(f->heap, cap * sizeof(*heap));

        if (!heap)
            return -ENOMEM;
        f->heap = heap;
        f->cap = cap;
    }
    f->rings++;
    return 0;
}

void fair_leave(struct store *s, struct conn *c)
{
    if (c->share.place)
        heap_remove(&s->fair, c);
    credit_end(&s->fair.overruns, &c->share.overruns);
    assert(s->fair.rings > s->fair.n);
    s->fair.rings--;
}

void fair_ready(struct store *s, struct conn *c)
{
    struct fair *f = &s->fair;

    if (c->share.place || c->share.suspended)
        return;
    if (c->share.used_ns + LEAD_NS < f->level_ns)
        c->share.used_ns = f->level_ns - LEAD_NS;
    heap_up(f, f->n++, c);
}

void fair_free(struct fair *f)
{
    free(f->heap);
}

/* ---- overruns ---- */

/* Takes c's overrun out of its credit; without credit it is suspended. */
static void charge_overrun(struct store *s, struct conn *c, uint64_t cpu_ns)
{
    struct budget *b = &s->fair.overruns;
    struct fair_share *share = &c->share;

    if (cpu_ns <= OVERRUN_NS)
        return;
    credit_spend(b, &share->overruns, (int64_t)(cpu_ns - SLICE_NS), s->now_ms);
    if (share->overruns.left >= 0)
        return;
    share->suspended = true;
    store_want_tick(s, credit_wait_ms(b, &share->overruns, 0));
}

void fair_tick(struct store *s)
{
    struct budget *b = &s->fair.overruns;
    struct list *pos;

    budget_update(b, s->now_ms);
    list_for_each(pos, &s->conns) {
        struct conn *c = container_of(pos, struct conn, entry);

        if (!c->share.suspended)
            continue;
        if (c->share.overruns.left < 0) {
            store_want_tick(s, credit_wait_ms(b, &c->share.overruns, 0));
            continue;
        }
        c->share.suspended = false;
        fair_ready(s, c);
    }
}

/* ---- slices ---- */

/* Charges a ring with the time of its slice, and sets when it is next. */
static void account_slice(struct store *s, struct conn *c, uint64_t ns,
                          uint64_t cpu)
{
    struct fair *f = &s->fair;

    c->share.used_ns += ns;
    if (c->share.cpu_timed)
        charge_overrun(s, c, f->clock(true) - cpu);
    else if (ns > OVERRUN_NS)
        c->share.cpu_timed = true;
    if (c->share.suspended || !c->ops->pending(c))
        heap_remove(f, c);
    else
        heap_down(f, c->share.place - 1, c);
}

/* Serves the ring that is next; returns the time after that. */
static uint64_t run_first(struct store *s, uint64_t now)
{
    struct fair *f = &s->fair;
    struct conn *c = f->heap[0];
    uint64_t cpu = c->share.cpu_timed ? f->clock(true) : 0, then;

    f->level_ns = c->share.used_ns;
    c->ops->serve(c);
    then = f->clock(false);
    account_slice(s, c, then - now, cpu);
    return then;
}

bool fair_run(struct store *s)
{
    struct fair *f = &s->fair;
    uint64_t now, end;

    if (!f->n)
        return false;
    now = f->clock(false);
    end = now + SLICE_NS;
    for (int i = 0; i < SLICE_RINGS && f->n && now < end; i++) {
        f->slice_end = end;
        now = run_first(s, now);
    }
    return f->n > 0;
}
