/*
 * The vCPU's end of its mailbox: asks, waits, and goes to fetch the answer if
 * it does not come by itself.
 *
 * `polled` is looked at while we wait, too. So it does not matter when the
 * hypervisor clears it, and neither side needs a full barrier: a request that
 * came too late is answered by a notification, as one that takes too long is.
 * The hypervisor does each request once, whichever way it hears of it.
 */
#include "../mailbox.h"
#include "stub.h"

/* The hypervisor may share our processor, or do something else. */
#define PATIENCE_NS 50000
#define POLLS       64 /* per look at the clock */

static bool is_answered(const struct sandbox_mailbox *m)
{
    /* Acquire: partner is the release in mailbox_serve(). */
    return __atomic_load_n(&m->answer.answered, __ATOMIC_ACQUIRE) ==
           m->request.asked;
}

/* False: it does not come. */
static bool wait_for_answer(const struct sandbox_mailbox *m)
{
    uint64_t until = 0, now = 0;

    do {
        for (int i = 0; i < POLLS; i++) {
            if (is_answered(m))
                return true;
            cpu_relax();
        }
        now = stub_now();
        if (!until)
            until = now + PATIENCE_NS;
    } while (READ_ONCE(m->answer.polled) && now < until);
    return false;
}

bool stub_ask(unsigned long nr, unsigned long a1, unsigned long a2,
              unsigned long a3, unsigned long a4, unsigned long a5, long *ret)
{
    struct stub_vcpu *me = stub_me();
    struct sandbox_mailbox *m = &me->page->mailbox;
    bool changing = me->changing, done;

    if (!READ_ONCE(m->answer.polled) || !mailbox_carries((unsigned int)nr, a1))
        return false;
    /* An upcall's own hypercall would overwrite this one. */
    WRITE_ONCE(me->changing, true);
    barrier(); /* partner: the tick handler on this very thread */
    m->request.nr = (uint32_t)nr;
    m->request.args[0] = a1;
    m->request.args[1] = a2;
    m->request.args[2] = a3;
    m->request.args[3] = a4;
    m->request.args[4] = a5;
    /* Release: partner is the acquire in mailbox_serve(). */
    __atomic_store_n(&m->request.asked, m->request.asked + 1, __ATOMIC_RELEASE);
    if (!wait_for_answer(m))
        sys3(SANDBOX_CALL_MAIL, 0, 0, 0);
    done = is_answered(m) && !m->answer.refused;
    *ret = m->answer.value;
    barrier();
    WRITE_ONCE(me->changing, changing);
    return done;
}
