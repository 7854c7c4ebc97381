/*
 * Many hypercalls of the kind that a mailbox may carry, from two vCPUs at once,
 * with events in between: results are the same whichever way they go.
 * run-guest: --vcpus 2
 * run-guest-hypercall: trap ring
 */
#include <ringside/guest.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/events.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/thread.h"
#include "tests/guest/tap.h"

#define ROUNDS  20000
#define COPIES  2000 /* more than one turn of the hypervisor */
#define BATCHES 20
#define BYTES   (PAGE_SIZE / COPIES)
#define EVENTS  1000

static unsigned int wrong;

static void check(bool ok)
{
    if (!ok)
        __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
}

/* ---- small calls ---- */

static void query(unsigned int round)
{
    struct xen_feature_info info = { .submap_idx = round % 2 };
    struct evtchn_status status = { .dom = DOMID_SELF, .port = 0 };
    long err = hypercall_xen_version(XENVER_get_features, &info, sizeof(info));

    check(err == (round % 2 ? -XEN_EINVAL : 0));
    check(hypercall_xen_version(XENVER_pagesize, NULL, 0) == PAGE_SIZE);
    check(hypercall_evtchn_status(&status) == 0);
    check(status.status == EVTCHNSTAT_closed);
}

static void query_often(void *arg)
{
    (void)arg;
    for (unsigned int i = 0; i < ROUNDS; i++)
        query(i);
}

/* ---- long ones ---- */

static struct gnttab_copy copies[COPIES];

/* Piece i of one page to piece COPIES - 1 - i of another. */
static void prepare(const uint8_t *from, const uint8_t *to)
{
    for (unsigned int i = 0; i < COPIES; i++) {
        struct gnttab_copy *c = &copies[i];

        memset(c, 0, sizeof(*c));
        c->source.domid = c->dest.domid = DOMID_SELF;
        c->source.u.gmfn = (uintptr_t)from >> PAGE_SHIFT;
        c->dest.u.gmfn = (uintptr_t)to >> PAGE_SHIFT;
        c->source.offset = (uint16_t)(i * BYTES);
        c->dest.offset = (uint16_t)((COPIES - 1 - i) * BYTES);
        c->len = BYTES;
        c->status = 1;
    }
}

static void copy_once(uint8_t *from, uint8_t *to, unsigned int seed)
{
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        from[i] = (uint8_t)(i * 7 + seed);
    memset(to, 0, PAGE_SIZE);
    prepare(from, to);
    check(hypercall_grant_copy(copies, COPIES) == 0);
    for (unsigned int i = 0; i < COPIES; i++) {
        check(copies[i].status == GNTST_okay);
        check(!memcmp(to + (COPIES - 1 - i) * BYTES, from + i * BYTES, BYTES));
    }
}

static void copy_often(void)
{
    uint8_t *from = pages_alloc(1), *to = pages_alloc(1);

    for (unsigned int i = 0; i < BATCHES; i++)
        copy_once(from, to, i);
    pages_free(from, 1);
    pages_free(to, 1);
}

/* ---- with events ---- */

static struct semaphore came = SEMAPHORE_INIT(came, 0);

static void handler(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
    semaphore_up(&came);
}

/* Each event arrives, by way of the calls or of the wait behind them. */
static void events(void)
{
    evtchn_port_t near, far;

    check(event_alloc_unbound(DOMID_SELF, handler, NULL, &far) == 0);
    check(event_bind_interdomain(DOMID_SELF, far, handler, NULL, &near) == 0);
    while (semaphore_down(&came, clock_deadline_ms(10)) == 0)
        ;
    for (unsigned int i = 0; i < EVENTS; i++) {
        event_notify(near);
        for (unsigned int k = 0; k < i % 8; k++)
            query(k);
        check(semaphore_down(&came, clock_deadline_ms(5000)) == 0);
    }
    event_close(near);
    event_close(far);
}

static bool right(void (*fn)(void *), void *arg)
{
    wrong = 0;
    fn(arg);
    return wrong == 0;
}

static void all(void *arg)
{
    struct rs_thread *other = rs_thread_create("queries", query_often, NULL, 0);

    query_often(arg);
    copy_often();
    events();
    rs_thread_join(other);
}

static void only_copies(void *arg)
{
    (void)arg;
    copy_often();
}

static void only_events(void *arg)
{
    (void)arg;
    events();
}

int main(void)
{
    plan(4);
    point(right(query_often, NULL), "%d rounds of queries", ROUNDS);
    point(right(only_copies, NULL), "%d times %d copies", BATCHES, COPIES);
    point(right(only_events, NULL), "%d events between queries", EVENTS);
    point(right(all, NULL), "all at once, on two vCPUs");
    return done();
}
