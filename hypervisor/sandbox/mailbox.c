/*
 * Mailboxes: hypercalls without an exit (mailbox.h says which). The vCPU goes
 * on running while it waits, this thread looks at its mailbox: nobody is
 * stopped, woken or scheduled, and a call costs a few moves of a cache line.
 *
 * Looking takes a processor, so it must pay: a domain is looked at while it
 * calls often. The bound for an empty mailbox grows and shrinks as KVM's halt
 * polling does, from how long the domain took to its next call. Who does not
 * call costs nothing. Looking is not tried again for a while if it found few
 * calls, if somebody else needed the processor, or if too many notifications
 * came: while we do not sleep, their callers are woken across processors, and
 * each costs what some sixteen calls by mailbox save.
 *
 * The page is the guest's to corrupt, also in the middle of a call and by
 * another vCPU. So each word of a request is read once, the copy is judged, and
 * which request was the last is what we remember, not what the page says. A
 * forged request is a hypercall like any other, by a domain that may make it.
 */
#include "mailbox.h"

#include <sched.h>

#include "hypercalls/hypercall.h"
#include "sandbox.h"
#include "preempt.h"

#define BOUND_FIRST_NS 20000  /* of a domain that has begun to call often */
#define BOUND_MAX_NS   200000 /* a call by notification may take half of it */
#define SLICE_NS       20000  /* all else that the host does waits as long */
#define GAP_NS         20000  /* a longer gap means that we were preempted */
#define LOOKS          8      /* at all mailboxes, per look at the clock */

#define PAUSE_NS      1000000ull /* before we look again, the first time; */
#define PAUSE_DOUBLED 6          /* at last 64 ms */

/* To begin costs two wake-ups across processors. */
#define CALLS_THAT_PAY 32

#define CREDIT_FIRST 64
#define CREDIT_MAX   256
#define CREDIT_COST  16 /* of a notification, in calls */

/* ---- whom to look at ---- */

static void set_polled(struct sandbox_domain *sd, uint32_t polled)
{
    for (unsigned int i = 0; i < sd->domain->nr_vcpus; i++)
        __atomic_store_n(
            &sandbox_page_of(&sd->domain->vcpu[i])->mailbox.answer.polled,
            polled, __ATOMIC_RELAXED);
}

static void activate(struct sandbox_domain *sd)
{
    struct sandbox_host *s = sd->host;

    if (list_empty(&s->ring_active))
        s->ring_credit = CREDIT_FIRST;
    sd->ring.active = true;
    sd->ring.served = 0;
    list_add_tail(&s->ring_active, &sd->ring.link);
    __atomic_store_n(&s->host->polling, true, __ATOMIC_RELAXED);
    set_polled(sd, 1);
}

/*
 * Synchronous wake-up puts who is answered on our processor, because we are
 * about to sleep. While we look at mailboxes we are not.
 */
static void set_async(struct sandbox_domain *sd, bool async)
{
    if (sd->ring.async == async || !sd->host->sync_wake)
        return;
    sd->ring.async = async;
    if (async)
        list_add_tail(&sd->host->ring_async, &sd->ring.link_async);
    else
        list_del(&sd->ring.link_async);
    pacing_set_sync(sd->listener.fd, !async);
}

void mailbox_choose_wake(struct sandbox_domain *sd)
{
    set_async(sd, !list_empty(&sd->host->ring_active));
}

static void end_polling(struct sandbox_host *s)
{
    __atomic_store_n(&s->host->polling, false, __ATOMIC_RELAXED);
    while (!list_empty(&s->ring_async))
        set_async(container_of(s->ring_async.next, struct sandbox_domain,
                               ring.link_async),
                  false);
}

/* Who waits for an answer sees `polled`, and notifies us. */
static void retire(struct sandbox_domain *sd)
{
    struct sandbox_host *s = sd->host;

    if (!sd->ring.active)
        return;
    set_polled(sd, 0);
    sd->ring.active = false;
    if (s->ring_next == &sd->ring.link)
        s->ring_next = sd->ring.link.next;
    list_del(&sd->ring.link);
    if (list_empty(&s->ring_active))
        end_polling(s);
}

void mailbox_close(struct sandbox_domain *sd)
{
    retire(sd);
    set_async(sd, false);
}

/* The next time is not soon if it did not pay, or if it was in the way. */
static void retire_and_pause(struct sandbox_domain *sd, uint64_t now,
                             bool in_the_way)
{
    bool paid = sd->ring.served >= CALLS_THAT_PAY;

    retire(sd);
    if (paid)
        sd->ring.useless = 0;
    if (paid && !in_the_way)
        return;
    sd->ring.not_before_ns = now + (PAUSE_NS << sd->ring.useless);
    if (sd->ring.useless < PAUSE_DOUBLED)
        sd->ring.useless++;
}

void mailbox_interrupted(struct sandbox_host *s)
{
    uint64_t now;

    if (list_empty(&s->ring_active))
        return;
    s->ring_credit -= CREDIT_COST;
    if (s->ring_credit >= 0)
        return;
    now = host_now();
    while (!list_empty(&s->ring_active))
        retire_and_pause(
            container_of(s->ring_active.next, struct sandbox_domain, ring.link),
            now, true);
}

/* Where the guest can run only while we do not, it must not wait for us. A
 * guest that is not pinned may run where its host was started. */
static bool has_one_cpu(const struct domain *d)
{
    cpu_set_t cpus;

    if (sched_getaffinity(0, sizeof(cpus), &cpus))
        return false;
    for (unsigned int i = 0; i < d->nr_vcpus; i++)
        for (int cpu = 0; cpu < 64; cpu++)
            if (d->vcpu[i].cpus >> cpu & 1)
                CPU_SET(cpu, &cpus);
    return CPU_COUNT(&cpus) == 1;
}

/* The bound for the next time, from how long it was until this call. */
static void adapt(struct sandbox_domain *sd, uint64_t idle)
{
    if (idle > BOUND_MAX_NS)
        sd->ring.bound_ns = 0;
    else if (!sd->ring.bound_ns)
        sd->ring.bound_ns = BOUND_FIRST_NS;
    else if (idle > sd->ring.bound_ns)
        sd->ring.bound_ns *= 2;
    if (sd->ring.bound_ns > BOUND_MAX_NS)
        sd->ring.bound_ns = BOUND_MAX_NS;
}

void mailbox_missed(struct sandbox_domain *sd, unsigned int nr, uint64_t cmd)
{
    struct rs_host *h = sd->domain->host;
    uint64_t now;

    if (!sd->domain->polled || sd->ring.active || !h->may_poll ||
        !mailbox_carries(nr, cmd))
        return;
    now = host_now();
    adapt(sd, now - sd->ring.last_ns);
    sd->ring.last_ns = now;
    if (!sd->ring.bound_ns || now < sd->ring.not_before_ns)
        return;
    if (has_one_cpu(sd->domain))
        sd->ring.not_before_ns = now + (PAUSE_NS << PAUSE_DOUBLED);
    else
        activate(sd);
}

/* ---- looking ---- */

static bool may_ask(const struct vcpu *v)
{
    const struct domain *d = v->domain;

    return d->polled && v->up && !d->pause_count && !d->shut_down;
}

/* False: refused, nothing was done. */
static bool carry_out(struct vcpu *v, const struct sandbox_mailbox *m,
                      struct hypercall_run *t)
{
    unsigned int nr = READ_ONCE(m->request.nr);
    uint64_t args[6] = { 0 };

    for (unsigned int i = 0; i < 5; i++)
        args[i] = READ_ONCE(m->request.args[i]);
    if (!may_ask(v) || !mailbox_carries(nr, args[0]))
        return false;
    hypercall_dispatch_sampled(v, nr, args, t);
    sandbox_publish_continuation(v);
    return true;
}

bool mailbox_serve(struct vcpu *v)
{
    struct sandbox_mailbox *m = &sandbox_page_of(v)->mailbox;
    struct sandbox_vcpu *sv = v->engine;
    struct hypercall_run turn = { .ret = 0 };
    uint32_t asked;
    bool done;

    /* Acquire: partner is the stub's release, behind the arguments. */
    asked = __atomic_load_n(&m->request.asked, __ATOMIC_ACQUIRE);
    if (asked == sv->asked)
        return false;
    sv->asked = asked;
    done = carry_out(v, m, &turn);
    m->answer.refused = !done;
    m->answer.value = turn.ret;
    /* Release: partner is the stub's acquire, before it reads the value. */
    __atomic_store_n(&m->answer.answered, asked, __ATOMIC_RELEASE);
    if (done) {
        v->polled_calls++;
        hypercall_count(v, &turn);
    }
    return true;
}

/* A look at one domain; how many calls it made, one of each vCPU at most. */
static unsigned int look(struct sandbox_domain *sd, uint64_t now,
                         bool preempted)
{
    struct domain *d = sd->domain;
    unsigned int n = 0, work = 0;

    /* What the calls cost in all is one turn's: the next look begins behind the
     * vCPU that used it up. */
    for (unsigned int i = 0; i < d->nr_vcpus && work <= PREEMPT_BUDGET; i++) {
        struct vcpu *v = &d->vcpu[sd->ring.next_vcpu];

        if (++sd->ring.next_vcpu == d->nr_vcpus)
            sd->ring.next_vcpu = 0;
        if (mailbox_serve(v)) {
            work += v->work;
            n++;
        }
    }
    if (n) {
        sd->ring.last_ns = now;
        sd->ring.served += n;
    } else if (d->pause_count || d->shut_down) {
        retire(sd);
    } else if (preempted || now - sd->ring.last_ns >= sd->ring.bound_ns) {
        retire_and_pause(sd, now, preempted);
    }
    return n;
}

/* One call of each vCPU, at most: a domain that floods gets no more. */
static unsigned int look_at_all(struct sandbox_host *s, uint64_t now,
                                bool preempted)
{
    struct list *pos = s->ring_active.next;
    unsigned int done = 0;

    while (pos != &s->ring_active) {
        s->ring_next = pos->next;
        done += look(container_of(pos, struct sandbox_domain, ring.link), now,
                     preempted);
        pos = s->ring_next;
    }
    s->ring_next = NULL;
    s->ring_credit += (int)done;
    if (s->ring_credit > CREDIT_MAX)
        s->ring_credit = CREDIT_MAX;
    return done;
}

bool mailbox_poll(struct rs_host *h)
{
    struct sandbox_host *s = h->engine_host;
    uint64_t start = host_now(), now = start;
    bool preempted = false;

    while (!list_empty(&s->ring_active) && now - start < SLICE_NS &&
           !host_lock_contended(h)) {
        unsigned int done = 0;
        uint64_t before = now;

        for (int i = 0; i < LOOKS && !done; i++) {
            cpu_relax();
            done = look_at_all(s, now, preempted);
        }
        now = host_now();
        preempted = !done && now - before > GAP_NS;
    }
    return !list_empty(&s->ring_active);
}
