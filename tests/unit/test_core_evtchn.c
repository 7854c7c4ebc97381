/*
 * Event channels: every operation and every error that
 * <xen/event_channel.h> tells of.
 */
#include "core.h"

#include <errno.h>
#include <string.h>

struct fixture {
    struct rs_host *h;
    uint16_t a, b;
};

static struct fixture fx;

static long evtchn(uint16_t domid, uint64_t cmd, void *op, size_t size)
{
    return core_op(fx.h, domid, __HYPERVISOR_event_channel_op, cmd, op, size);
}

static long alloc(uint16_t d, uint16_t dom, uint16_t remote, uint32_t *port)
{
    struct evtchn_alloc_unbound op = { .dom = dom, .remote_dom = remote };
    long ret = evtchn(d, EVTCHNOP_alloc_unbound, &op, sizeof(op));

    *port = op.port;
    return ret;
}

static long bind(uint16_t d, uint16_t remote, uint32_t remote_port,
                 uint32_t *port)
{
    struct evtchn_bind_interdomain op = { .remote_dom = remote,
                                          .remote_port = remote_port };
    long ret = evtchn(d, EVTCHNOP_bind_interdomain, &op, sizeof(op));

    *port = op.local_port;
    return ret;
}

static long virq(uint16_t d, uint32_t nr, uint32_t vcpu, uint32_t *port)
{
    struct evtchn_bind_virq op = { .virq = nr, .vcpu = vcpu };
    long ret = evtchn(d, EVTCHNOP_bind_virq, &op, sizeof(op));

    *port = op.port;
    return ret;
}

static long close_port(uint16_t d, uint32_t port)
{
    struct evtchn_close op = { .port = port };

    return evtchn(d, EVTCHNOP_close, &op, sizeof(op));
}

static long send(uint16_t d, uint32_t port)
{
    struct evtchn_send op = { .port = port };

    return evtchn(d, EVTCHNOP_send, &op, sizeof(op));
}

static struct evtchn_status status_of(uint16_t d, uint32_t port)
{
    struct evtchn_status op = { .dom = DOMID_SELF, .port = port };

    assert_int_equal(evtchn(d, EVTCHNOP_status, &op, sizeof(op)), 0);
    return op;
}

static unsigned int ports_of(uint16_t d)
{
    struct rs_domain_info info;

    assert_int_equal(rs_domain_info(fx.h, d, &info), 0);
    return info.ports;
}

static int setup(void **state)
{
    (void)state;
    fx.h = core_host("test");
    fx.a = core_boot(fx.h);
    fx.b = core_boot(fx.h);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rs_host_free(fx.h);
    return 0;
}

/* ---- channels ---- */

static void test_interdomain(void **state)
{
    uint32_t pa, pb, other;
    struct evtchn_status st;

    (void)state;
    assert_int_equal(alloc(fx.a, DOMID_SELF, fx.b, &pa), 0);
    st = status_of(fx.a, pa);
    assert_int_equal(st.status, EVTCHNSTAT_unbound);
    assert_int_equal(st.u.unbound.dom, fx.b);

    assert_int_equal(bind(fx.b, fx.a, pa, &pb), 0);
    st = status_of(fx.a, pa);
    assert_int_equal(st.status, EVTCHNSTAT_interdomain);
    assert_int_equal(st.u.interdomain.dom, fx.b);
    assert_int_equal(st.u.interdomain.port, pb);
    st = status_of(fx.b, pb);
    assert_int_equal(st.status, EVTCHNSTAT_interdomain);
    assert_int_equal(st.u.interdomain.dom, fx.a);
    assert_int_equal(st.u.interdomain.port, pa);

    /* Whoever binds is told once, as what was sent before may be lost. */
    assert_true(core_pending(fx.h, fx.b, pb));
    assert_false(core_pending(fx.h, fx.b, pb));
    assert_false(core_pending(fx.h, fx.a, pa));

    assert_int_equal(send(fx.a, pa), 0);
    assert_true(core_pending(fx.h, fx.b, pb));
    assert_false(core_pending(fx.h, fx.a, pa));
    assert_int_equal(send(fx.b, pb), 0);
    assert_int_equal(send(fx.b, pb), 0);
    assert_true(core_pending(fx.h, fx.a, pa));
    assert_false(core_pending(fx.h, fx.a, pa));

    /* It is taken. */
    assert_int_equal(bind(fx.b, fx.a, pa, &other), -EINVAL);
    assert_int_equal(ports_of(fx.b), 1);
}

static void test_close_leaves_peer_unbound(void **state)
{
    uint32_t pa, pb;
    struct evtchn_status st;

    (void)state;
    assert_int_equal(alloc(fx.a, DOMID_SELF, fx.b, &pa), 0);
    assert_int_equal(bind(fx.b, fx.a, pa, &pb), 0);
    assert_int_equal(close_port(fx.b, pb), 0);
    assert_int_equal(status_of(fx.b, pb).status, EVTCHNSTAT_closed);
    st = status_of(fx.a, pa);
    assert_int_equal(st.status, EVTCHNSTAT_unbound);
    assert_int_equal(st.u.unbound.dom, fx.b);
    /* Nobody is there to hear it; as in Xen that is no error. */
    assert_int_equal(send(fx.a, pa), 0);
    assert_int_equal(send(fx.b, pb), -EINVAL);
    assert_int_equal(close_port(fx.b, pb), -EINVAL);

    /* The same two may meet again, and events flow both ways. */
    assert_int_equal(bind(fx.b, fx.a, pa, &pb), 0);
    assert_true(core_pending(fx.h, fx.b, pb));
    core_pending(fx.h, fx.a, pa);
    assert_int_equal(send(fx.b, pb), 0);
    assert_true(core_pending(fx.h, fx.a, pa));
    assert_int_equal(send(fx.a, pa), 0);
    assert_true(core_pending(fx.h, fx.b, pb));

    /* The side that allocated may go first as well. */
    assert_int_equal(close_port(fx.a, pa), 0);
    assert_int_equal(status_of(fx.b, pb).status, EVTCHNSTAT_unbound);
    assert_int_equal(bind(fx.a, fx.b, pb, &pa), 0);
    core_pending(fx.h, fx.a, pa);
    assert_int_equal(send(fx.b, pb), 0);
    assert_true(core_pending(fx.h, fx.a, pa));
}

static void test_loopback(void **state)
{
    uint32_t p, q;

    (void)state;
    assert_int_equal(alloc(fx.a, DOMID_SELF, DOMID_SELF, &p), 0);
    assert_int_equal(status_of(fx.a, p).u.unbound.dom, fx.a);
    assert_int_equal(bind(fx.a, DOMID_SELF, p, &q), 0);
    assert_int_not_equal(p, q);
    assert_int_equal(status_of(fx.a, p).u.interdomain.port, q);
    assert_true(core_pending(fx.h, fx.a, q));
    assert_int_equal(send(fx.a, p), 0);
    assert_true(core_pending(fx.h, fx.a, q));
    assert_false(core_pending(fx.h, fx.a, p));
    assert_int_equal(send(fx.a, q), 0);
    assert_true(core_pending(fx.h, fx.a, p));
    assert_int_equal(close_port(fx.a, p), 0);
    assert_int_equal(status_of(fx.a, q).status, EVTCHNSTAT_unbound);
    assert_int_equal(close_port(fx.a, q), 0);
    assert_int_equal(ports_of(fx.a), 0);
}

static void test_bind_errors(void **state)
{
    uint32_t p, q;

    (void)state;
    assert_int_equal(alloc(fx.a, DOMID_SELF, fx.a, &p), 0);
    assert_int_equal(bind(fx.b, fx.a, p, &q), -EINVAL); /* not for b */
    assert_int_equal(bind(fx.b, fx.a, 0, &q), -EINVAL);
    assert_int_equal(bind(fx.b, fx.a, p + 1, &q), -EINVAL);
    assert_int_equal(bind(fx.b, fx.a, ~0u, &q), -EINVAL);
    assert_int_equal(bind(fx.b, 4711, p, &q), -ESRCH);
    assert_int_equal(bind(fx.b, DOMID_IO, p, &q), -ESRCH);
    assert_int_equal(virq(fx.a, VIRQ_TIMER, 0, &q), 0);
    assert_int_equal(bind(fx.a, fx.a, q, &q), -EINVAL); /* a VIRQ */
    assert_int_equal(ports_of(fx.b), 0);
}

/* A domain may not act for another, unless it is privileged. */
static void test_privilege(void **state)
{
    struct evtchn_alloc_unbound op = { .dom = fx.b, .remote_dom = fx.a };
    struct evtchn_status st = { .dom = fx.b, .port = 1 };
    struct domain *dom0;
    uint32_t p;

    (void)state;
    assert_int_equal(alloc(fx.a, fx.b, fx.a, &p), -EPERM);
    assert_int_equal(alloc(fx.a, fx.a, fx.b, &p), 0);
    assert_int_equal(alloc(fx.a, 4711, fx.a, &p), -ESRCH);
    assert_int_equal(evtchn(fx.a, EVTCHNOP_status, &st, sizeof(st)), -EPERM);

    dom0 = core_join(fx.h, 0);
    assert_int_equal(core_process_op(dom0, __HYPERVISOR_event_channel_op,
                                     EVTCHNOP_alloc_unbound, &op, sizeof(op)),
                     0);
    st.port = op.port;
    assert_int_equal(core_process_op(dom0, __HYPERVISOR_event_channel_op,
                                     EVTCHNOP_status, &st, sizeof(st)),
                     0);
    assert_int_equal(st.status, EVTCHNSTAT_unbound);
    assert_int_equal(st.u.unbound.dom, fx.a);
    assert_int_equal(bind(fx.a, fx.b, op.port, &p), 0);
    domain_destroy(dom0);
}

/* ---- VIRQs ---- */

static void test_virq(void **state)
{
    uint32_t p, q;
    struct evtchn_status st;

    (void)state;
    assert_int_equal(virq(fx.a, VIRQ_TIMER, 0, &p), 0);
    st = status_of(fx.a, p);
    assert_int_equal(st.status, EVTCHNSTAT_virq);
    assert_int_equal(st.u.virq, VIRQ_TIMER);
    assert_int_equal(virq(fx.a, VIRQ_TIMER, 0, &q), -EEXIST);
    assert_int_equal(virq(fx.b, VIRQ_TIMER, 0, &q), 0);
    assert_int_equal(virq(fx.a, VIRQ_DEBUG, 1, &q), -ENOENT);
    assert_int_equal(virq(fx.a, NR_VIRQS, 0, &q), -EINVAL);
    assert_int_equal(virq(fx.a, ~0u, 0, &q), -EINVAL);
    assert_int_equal(send(fx.a, p), -EINVAL);
    evtchn_raise_virq(&core_domain(fx.h, fx.a)->vcpu[0], VIRQ_TIMER);
    assert_true(core_pending(fx.h, fx.a, p));
    assert_int_equal(close_port(fx.a, p), 0);
    evtchn_raise_virq(&core_domain(fx.h, fx.a)->vcpu[0], VIRQ_TIMER);
    assert_int_equal(virq(fx.a, VIRQ_TIMER, 0, &p), 0);
    assert_false(core_pending(fx.h, fx.a, p));
}

/* ---- the table ---- */

static void test_exhaustion(void **state)
{
    unsigned int fds = core_count_fds();
    uint32_t p, limit = core_domain(fx.h, fx.a)->evtchn.max = 200;
    long ret = 0;

    (void)state;
    for (uint32_t i = 1; i < limit; i++) {
        assert_int_equal(alloc(fx.a, DOMID_SELF, fx.b, &p), 0);
        assert_int_equal(p, i);
    }
    assert_int_equal(alloc(fx.a, DOMID_SELF, fx.b, &p), -ENOSPC);
    assert_int_equal(virq(fx.a, VIRQ_TIMER, 0, &p), -ENOSPC);
    /* A failed bind does not take the remote port. */
    assert_int_equal(alloc(fx.b, DOMID_SELF, fx.a, &p), 0);
    assert_int_equal(bind(fx.a, fx.b, p, &p), -ENOSPC);
    assert_int_equal(status_of(fx.b, 1).status, EVTCHNSTAT_unbound);
    assert_int_equal(ports_of(fx.a), limit - 1);
    assert_int_equal(close_port(fx.a, 77), 0);
    assert_int_equal(bind(fx.a, fx.b, 1, &p), 0);
    assert_int_equal(p, 77);
    for (p = 1; p < limit; p++)
        ret |= close_port(fx.a, p);
    ret |= close_port(fx.b, 1);
    assert_int_equal(ret, 0);
    assert_int_equal(ports_of(fx.a), 0);
    assert_int_equal(core_count_fds(), fds);
}

/* Both tables grow in the middle of a loopback bind. */
static void test_grow_in_loopback(void **state)
{
    uint32_t p, q;

    (void)state;
    for (int i = 0; i < 15; i++)
        assert_int_equal(alloc(fx.a, DOMID_SELF, DOMID_SELF, &p), 0);
    assert_int_equal(bind(fx.a, DOMID_SELF, p, &q), 0);
    assert_int_equal(q, 16);
    assert_int_equal(status_of(fx.a, p).u.interdomain.port, q);
    assert_int_equal(status_of(fx.a, p).status, EVTCHNSTAT_interdomain);
}

static void test_bad_calls(void **state)
{
    struct evtchn_status st = { .dom = DOMID_SELF };
    uint32_t nr = __HYPERVISOR_event_channel_op;

    (void)state;
    assert_int_equal(close_port(fx.a, 0), -EINVAL);
    assert_int_equal(close_port(fx.a, 1), -EINVAL);
    assert_int_equal(close_port(fx.a, ~0u), -EINVAL);
    assert_int_equal(send(fx.a, 0), -EINVAL);
    assert_int_equal(send(fx.a, EVTCHN_MAX_PORTS), -EINVAL);
    assert_int_equal(status_of(fx.a, 1).status, EVTCHNSTAT_closed);
    assert_int_equal(status_of(fx.a, 0).status, EVTCHNSTAT_closed);
    st.port = EVTCHN_MAX_PORTS;
    assert_int_equal(evtchn(fx.a, EVTCHNOP_status, &st, sizeof(st)), -EINVAL);
    assert_int_equal(core_call(fx.h, fx.a, nr, EVTCHNOP_send, 0, 0), -EFAULT);
    assert_int_equal(
        core_call(fx.h, fx.a, nr, EVTCHNOP_send, CORE_RAM_END - 2, 0), -EINVAL);
    assert_int_equal(core_call(fx.h, fx.a, nr, 99, CORE_ARG, 0), -ENOSYS);
    assert_int_equal(core_call(fx.h, fx.a, nr, ~0ull, CORE_ARG, 0), -ENOSYS);
}

static void test_unmask(void **state)
{
    struct shared_info *si = core_at(fx.h, fx.a, CORE_RAM_END);
    struct evtchn_unmask op;
    uint32_t p, q;

    (void)state;
    assert_int_equal(alloc(fx.a, DOMID_SELF, DOMID_SELF, &p), 0);
    assert_int_equal(bind(fx.a, DOMID_SELF, p, &q), 0);
    core_pending(fx.h, fx.a, q);
    si->vcpu_info[0].evtchn_pending_sel = 0;
    si->vcpu_info[0].evtchn_upcall_pending = 0;
    si->evtchn_mask[0] = 1ul << q;
    assert_int_equal(send(fx.a, p), 0);
    assert_int_equal(si->vcpu_info[0].evtchn_upcall_pending, 0);
    assert_true(si->evtchn_pending[0] & 1ul << q);
    op.port = q;
    assert_int_equal(evtchn(fx.a, EVTCHNOP_unmask, &op, sizeof(op)), 0);
    assert_int_equal(si->evtchn_mask[0], 0);
    assert_int_equal(si->vcpu_info[0].evtchn_upcall_pending, 1);
    assert_int_equal(si->vcpu_info[0].evtchn_pending_sel, 1);
    op.port = ~0u;
    assert_int_equal(evtchn(fx.a, EVTCHNOP_unmask, &op, sizeof(op)), -EINVAL);
}

/* ---- death ---- */

static void test_peer_dies(void **state)
{
    uint32_t pa, pb, again;
    uint16_t c;

    (void)state;
    assert_int_equal(alloc(fx.a, DOMID_SELF, fx.b, &pa), 0);
    assert_int_equal(bind(fx.b, fx.a, pa, &pb), 0);
    assert_int_equal(rs_domain_destroy(fx.h, fx.b), 0);
    assert_int_equal(status_of(fx.a, pa).status, EVTCHNSTAT_unbound);
    assert_int_equal(send(fx.a, pa), 0);
    /* The next domain is another one. */
    c = core_boot(fx.h);
    assert_int_not_equal(c, fx.b);
    assert_int_equal(bind(c, fx.a, pa, &again), -EINVAL);
    assert_int_equal(bind(fx.a, fx.b, pb, &again), -ESRCH);
    assert_int_equal(close_port(fx.a, pa), 0);
}

/* A peer of the same id as one that died does not fall to its ports. */
static void test_domid_again(void **state)
{
    uint32_t pa, pb, pc, again;

    (void)state;
    assert_int_equal(alloc(fx.a, DOMID_SELF, fx.b, &pa), 0);
    assert_int_equal(bind(fx.b, fx.a, pa, &pb), 0);
    assert_int_equal(rs_domain_destroy(fx.h, fx.b), 0);
    fx.h->next_domid = fx.b;
    assert_int_equal(core_boot(fx.h), fx.b);
    assert_int_equal(alloc(fx.b, DOMID_SELF, fx.a, &pc), 0);
    assert_int_equal(pc, pb);
    assert_int_equal(bind(fx.a, fx.b, pc, &again), 0);
    assert_int_equal(close_port(fx.a, pa), 0);
    assert_int_equal(status_of(fx.b, pc).status, EVTCHNSTAT_interdomain);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_interdomain), CASE(test_close_leaves_peer_unbound),
        CASE(test_loopback),    CASE(test_bind_errors),
        CASE(test_privilege),   CASE(test_virq),
        CASE(test_exhaustion),  CASE(test_grow_in_loopback),
        CASE(test_bad_calls),   CASE(test_unmask),
        CASE(test_peer_dies),   CASE(test_domid_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
