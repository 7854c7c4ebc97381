/*
 * The ABI of event_channel_op as tables: what is asked, what is answered, and
 * who says so: <xen/event_channel.h> ("header"), or the function of Xen 4.17
 * whose answer it is.
 */
#include "core.h"

#include <errno.h>
#include <string.h>

#include "evtchn_bits.h"
#include "hypercalls/hypercall.h"
#include "preempt.h"

#define A      RS_DOMID_FIRST_GUEST
#define B      (RS_DOMID_FIRST_GUEST + 1)
#define NOBODY 4711

/* The caller's ports (A), as setup() makes them. */
enum {
    UNBOUND = 1, /* for B */
    BOUND,       /* to B's port 1 */
    TIMER,       /* VIRQ_TIMER */
    LOOP,        /* to the next */
    LOOP_END,
    FREE,
    BEYOND = EVTCHN_MAX_PORTS,
};

union op {
    struct evtchn_alloc_unbound alloc;
    struct evtchn_bind_interdomain bind;
    struct evtchn_bind_virq virq;
    struct evtchn_close close;
    struct evtchn_send send;
    struct evtchn_status status;
    struct evtchn_unmask unmask;
    struct evtchn_reset reset;
    struct evtchn_init_control control;
    struct evtchn_expand_array expand;
    struct evtchn_set_priority priority;
};

static struct rs_host *host;

static long ask(uint16_t d, unsigned int cmd, union op *op)
{
    return core_op(host, d, __HYPERVISOR_event_channel_op, cmd, op,
                   sizeof(*op));
}

static long ask_process(struct domain *d, unsigned int cmd, union op *op)
{
    return core_process_op(d, __HYPERVISOR_event_channel_op, cmd, op,
                           sizeof(*op));
}

static void make_ports(void)
{
    union op alloc = { .alloc = { .dom = DOMID_SELF, .remote_dom = B } };
    union op bind = { .bind = { .remote_dom = A, .remote_port = BOUND } };
    union op loop = { .alloc = { .dom = DOMID_SELF, .remote_dom = A } };
    union op end = { .bind = { .remote_dom = A, .remote_port = LOOP } };
    union op virq = { .virq = { .virq = VIRQ_TIMER } };

    assert_int_equal(ask(A, EVTCHNOP_alloc_unbound, &alloc), 0);
    assert_int_equal(alloc.alloc.port, UNBOUND);
    assert_int_equal(ask(A, EVTCHNOP_alloc_unbound, &alloc), 0);
    assert_int_equal(alloc.alloc.port, BOUND);
    assert_int_equal(ask(B, EVTCHNOP_bind_interdomain, &bind), 0);
    assert_int_equal(bind.bind.local_port, 1);
    assert_int_equal(ask(A, EVTCHNOP_bind_virq, &virq), 0);
    assert_int_equal(virq.virq.port, TIMER);
    assert_int_equal(ask(A, EVTCHNOP_alloc_unbound, &loop), 0);
    assert_int_equal(loop.alloc.port, LOOP);
    assert_int_equal(ask(A, EVTCHNOP_bind_interdomain, &end), 0);
    assert_int_equal(end.bind.local_port, LOOP_END);
}

static int setup(void **state)
{
    (void)state;
    host = core_host("test");
    assert_int_equal(core_boot(host), A);
    assert_int_equal(core_boot(host), B);
    make_ports();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rs_host_free(host);
    return 0;
}

/* ---- results ---- */

/* Refusals change nothing, so all are asked of the same domain. */
static const struct {
    const char *what;
    unsigned int cmd;
    union op op;
    long ret;
    const char *says;
} rows[] = {
    { "alloc for another",
      EVTCHNOP_alloc_unbound,
      { .alloc = { .dom = B, .remote_dom = A } },
      -EPERM,
      "header: only a privileged domain may" },
    { "alloc for nobody",
      EVTCHNOP_alloc_unbound,
      { .alloc = { .dom = NOBODY } },
      -ESRCH,
      "evtchn_alloc_unbound()" },
    { "alloc for DOMID_IO",
      EVTCHNOP_alloc_unbound,
      { .alloc = { .dom = DOMID_IO } },
      -ESRCH,
      "evtchn_alloc_unbound()" },
    { "bind to nobody",
      EVTCHNOP_bind_interdomain,
      { .bind = { .remote_dom = NOBODY } },
      -ESRCH,
      "evtchn_bind_interdomain()" },
    { "bind to a free port",
      EVTCHNOP_bind_interdomain,
      { .bind = { B, 7, 0 } },
      -EINVAL,
      "evtchn_bind_interdomain()" },
    { "bind to port 0",
      EVTCHNOP_bind_interdomain,
      { .bind = { B, 0, 0 } },
      -EINVAL,
      "evtchn_bind_interdomain()" },
    { "bind to a bound port",
      EVTCHNOP_bind_interdomain,
      { .bind = { B, 1, 0 } },
      -EINVAL,
      "evtchn_bind_interdomain()" },
    { "bind to a port for another",
      EVTCHNOP_bind_interdomain,
      { .bind = { A, UNBOUND, 0 } },
      -EINVAL,
      "evtchn_bind_interdomain()" },
    { "bind to a VIRQ",
      EVTCHNOP_bind_interdomain,
      { .bind = { DOMID_SELF, TIMER, 0 } },
      -EINVAL,
      "evtchn_bind_interdomain()" },
    { "bind out of range",
      EVTCHNOP_bind_interdomain,
      { .bind = { B, ~0u, 0 } },
      -EINVAL,
      "evtchn_bind_interdomain()" },
    { "a VIRQ twice",
      EVTCHNOP_bind_virq,
      { .virq = { VIRQ_TIMER, 0, 0 } },
      -EEXIST,
      "evtchn_bind_virq()" },
    { "no such VIRQ",
      EVTCHNOP_bind_virq,
      { .virq = { NR_VIRQS, 0, 0 } },
      -EINVAL,
      "evtchn_bind_virq()" },
    { "VIRQ -1",
      EVTCHNOP_bind_virq,
      { .virq = { ~0u, 0, 0 } },
      -EINVAL,
      "evtchn_bind_virq()" },
    { "a VIRQ of no vCPU",
      EVTCHNOP_bind_virq,
      { .virq = { VIRQ_DEBUG, 9, 0 } },
      -ENOENT,
      "evtchn_bind_virq()" },
    { "close port 0",
      EVTCHNOP_close,
      { .close = { 0 } },
      -EINVAL,
      "evtchn_close()" },
    { "close a free port",
      EVTCHNOP_close,
      { .close = { FREE } },
      -EINVAL,
      "evtchn_close()" },
    { "close out of range",
      EVTCHNOP_close,
      { .close = { BEYOND } },
      -EINVAL,
      "evtchn_close()" },
    { "send by an unbound port",
      EVTCHNOP_send,
      { .send = { UNBOUND } },
      0,
      "evtchn_send(): silently dropped" },
    { "send by a VIRQ",
      EVTCHNOP_send,
      { .send = { TIMER } },
      -EINVAL,
      "evtchn_send()" },
    { "send by a free port",
      EVTCHNOP_send,
      { .send = { FREE } },
      -EINVAL,
      "evtchn_send()" },
    { "send by port 0",
      EVTCHNOP_send,
      { .send = { 0 } },
      -EINVAL,
      "evtchn_send()" },
    { "send out of range",
      EVTCHNOP_send,
      { .send = { ~0u } },
      -EINVAL,
      "evtchn_send()" },
    { "another's port",
      EVTCHNOP_status,
      { .status = { .dom = B, .port = 1 } },
      -EPERM,
      "header: only a privileged domain may" },
    { "nobody's port",
      EVTCHNOP_status,
      { .status = { .dom = NOBODY } },
      -ESRCH,
      "evtchn_status()" },
    { "a port out of range",
      EVTCHNOP_status,
      { .status = { .dom = DOMID_SELF, .port = BEYOND } },
      -EINVAL,
      "evtchn_status()" },
    { "unmask a free port",
      EVTCHNOP_unmask,
      { .unmask = { FREE } },
      0,
      "evtchn_unmask(): any port that can be" },
    { "unmask out of range",
      EVTCHNOP_unmask,
      { .unmask = { BEYOND } },
      -EINVAL,
      "evtchn_unmask()" },
    { "reset another",
      EVTCHNOP_reset,
      { .reset = { B } },
      -EPERM,
      "xsm_evtchn_reset()" },
    { "reset nobody",
      EVTCHNOP_reset,
      { .reset = { NOBODY } },
      -ESRCH,
      "EVTCHNOP_reset" },
    { "FIFO: no such vCPU",
      EVTCHNOP_init_control,
      { .control = { CORE_RAM >> 12, 0, 9, 0, { 0 } } },
      -ENOENT,
      "evtchn_fifo_init_control()" },
    { "FIFO: across a page",
      EVTCHNOP_init_control,
      { .control = { CORE_RAM >> 12, 4096 - 64, 0, 0, { 0 } } },
      -EINVAL,
      "evtchn_fifo_init_control()" },
    { "FIFO: far off the page",
      EVTCHNOP_init_control,
      { .control = { CORE_RAM >> 12, ~0u - 7, 0, 0, { 0 } } },
      -EINVAL,
      "evtchn_fifo_init_control()" },
    { "FIFO: not aligned",
      EVTCHNOP_init_control,
      { .control = { CORE_RAM >> 12, 4, 0, 0, { 0 } } },
      -EINVAL,
      "evtchn_fifo_init_control()" },
    { "FIFO: a bad frame",
      EVTCHNOP_init_control,
      { .control = { 3, 0, 0, 0, { 0 } } },
      -EINVAL,
      "evtchn_fifo.c: map_guest_page()" },
    { "FIFO: frame -1",
      EVTCHNOP_init_control,
      { .control = { ~0ull, 0, 0, 0, { 0 } } },
      -EINVAL,
      "evtchn_fifo.c: map_guest_page()" },
    { "FIFO",
      EVTCHNOP_init_control,
      { .control = { CORE_RAM >> 12, 0, 0, 0, { 0 } } },
      -ENOSYS,
      "ours: two-level only" },
    { "FIFO's array without it",
      EVTCHNOP_expand_array,
      { .expand = { CORE_RAM >> 12 } },
      -EOPNOTSUPP,
      "evtchn_fifo_expand_array()" },
    { "a priority",
      EVTCHNOP_set_priority,
      { .priority = { TIMER, 7 } },
      -ENOSYS,
      "evtchn_port_set_priority(): of two-level ports" },
    { "a priority out of range",
      EVTCHNOP_set_priority,
      { .priority = { BEYOND, 7 } },
      -EINVAL,
      "evtchn_set_priority()" },
    { "a physical interrupt",
      EVTCHNOP_bind_pirq,
      { .send = { 0 } },
      -ENOSYS,
      "docs/abi.md" },
    { "the next number",
      14,
      { .send = { 0 } },
      -ENOSYS,
      "do_event_channel_op()" },
    { "the last number",
      ~0u,
      { .send = { 0 } },
      -ENOSYS,
      "do_event_channel_op()" },
};

static void test_results(void **state)
{
    struct domain *a = core_domain(host, A), *b = core_domain(host, B);
    uint32_t used_a = a->evtchn.used, used_b = b->evtchn.used;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        union op op = rows[i].op;

        print_message("%s (%s)\n", rows[i].what, rows[i].says);
        assert_int_equal(ask(A, rows[i].cmd, &op), rows[i].ret);
        assert_int_equal(a->evtchn.used, used_a);
        assert_int_equal(b->evtchn.used, used_b);
    }
}

/* ---- status ---- */

static const struct {
    uint32_t port, status;
    domid_t dom;
    uint32_t peer; /* its port, or the VIRQ */
} ports[] = {
    { 0, EVTCHNSTAT_closed, 0, 0 },
    { UNBOUND, EVTCHNSTAT_unbound, B, 0 },
    { BOUND, EVTCHNSTAT_interdomain, B, 1 },
    { TIMER, EVTCHNSTAT_virq, 0, VIRQ_TIMER },
    { LOOP, EVTCHNSTAT_interdomain, A, LOOP_END },
    { LOOP_END, EVTCHNSTAT_interdomain, A, LOOP },
    { FREE, EVTCHNSTAT_closed, 0, 0 },
};

static struct evtchn_status status_of(uint16_t d, uint32_t port)
{
    union op op = { .status = { .dom = DOMID_SELF, .port = port } };

    assert_int_equal(ask(d, EVTCHNOP_status, &op), 0);
    return op.status;
}

static void test_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        struct evtchn_status st = status_of(A, ports[i].port);

        print_message("port %u\n", ports[i].port);
        assert_int_equal(st.status, ports[i].status);
        assert_int_equal(st.vcpu, 0);
        if (st.status == EVTCHNSTAT_unbound)
            assert_int_equal(st.u.unbound.dom, ports[i].dom);
        if (st.status == EVTCHNSTAT_virq)
            assert_int_equal(st.u.virq, ports[i].peer);
        if (st.status != EVTCHNSTAT_interdomain)
            continue;
        assert_int_equal(st.u.interdomain.dom, ports[i].dom);
        assert_int_equal(st.u.interdomain.port, ports[i].peer);
    }
}

/* ---- masks and pending bits ---- */

/* An event behind a mask comes with the unmask; a port that is closed leaves
 * nothing pending for the next that gets it (evtchn_free()). */
static void test_masks(void **state)
{
    struct shared_info *si = core_at(host, A, CORE_RAM_END);
    union op op = { .send = { LOOP } };

    (void)state;
    core_pending(host, A, LOOP_END);
    si->vcpu_info[0].evtchn_upcall_pending = 0;
    si->evtchn_mask[0] = 1ul << LOOP_END;
    assert_int_equal(ask(A, EVTCHNOP_send, &op), 0);
    assert_int_equal(si->vcpu_info[0].evtchn_upcall_pending, 0);
    assert_true(evtchn_bits_test(si->evtchn_pending, LOOP_END));
    op.unmask.port = LOOP_END;
    assert_int_equal(ask(A, EVTCHNOP_unmask, &op), 0);
    assert_int_equal(si->vcpu_info[0].evtchn_upcall_pending, 1);
    assert_int_equal(si->evtchn_mask[0], 0);
    op.close.port = LOOP_END;
    assert_int_equal(ask(A, EVTCHNOP_close, &op), 0);
    assert_false(evtchn_bits_test(si->evtchn_pending, LOOP_END));
}

/* ---- reset ---- */

static void test_reset(void **state)
{
    union op op = { .reset = { DOMID_SELF } };
    union op alloc = { .alloc = { .dom = DOMID_SELF, .remote_dom = B } };

    (void)state;
    for (int i = 0; i < 100; i++) /* more than a turn closes */
        assert_int_equal(ask(A, EVTCHNOP_alloc_unbound, &alloc), 0);
    assert_int_equal(ask(A, EVTCHNOP_reset, &op), 0);
    assert_int_equal(core_domain(host, A)->evtchn.used, 0);
    /* The peer's end is unbound, and only its end is gone. */
    assert_int_equal(status_of(B, 1).status, EVTCHNSTAT_unbound);
    assert_int_equal(status_of(B, 1).u.unbound.dom, A);
}

/* Others' channels are the toolstack's to reset, while they are paused. */
static void test_reset_by_privileged(void **state)
{
    struct domain *dom0 = core_join(host, 0);
    union op op = { .reset = { A } };

    (void)state;
    assert_int_equal(ask_process(dom0, EVTCHNOP_reset, &op), -EINVAL);
    assert_int_equal(core_domain(host, A)->evtchn.used, FREE - 1);
    assert_int_equal(rs_domain_pause(host, A), 0);
    assert_int_equal(ask_process(dom0, EVTCHNOP_reset, &op), 0);
    assert_int_equal(core_domain(host, A)->evtchn.used, 0);
    domain_destroy(dom0);
}

/* One turn closes a bounded number of ports; others get their turn between. */
static void test_reset_in_turns(void **state)
{
    struct domain *a = core_domain(host, A);
    union op alloc = { .alloc = { .dom = DOMID_SELF, .remote_dom = B } };
    struct evtchn_reset reset = { DOMID_SELF };
    uint64_t args[6] = { EVTCHNOP_reset, CORE_ARG };
    unsigned int turns = 0;

    (void)state;
    for (int i = 0; i < 200; i++)
        assert_int_equal(ask(A, EVTCHNOP_alloc_unbound, &alloc), 0);
    memcpy(core_at(host, A, CORE_ARG), &reset, sizeof(reset));
    do {
        uint32_t before = a->evtchn.used;

        assert_int_equal(hypercall_dispatch(
                             &a->vcpu[0], __HYPERVISOR_event_channel_op, args),
                         0);
        assert_in_range(before - a->evtchn.used, 1,
                        PREEMPT_BUDGET / PREEMPT_COST_MAP);
        assert_int_equal(a->vcpu[0].continuation[1], CORE_ARG);
        turns++;
    } while (a->vcpu[0].continued);
    assert_true(turns > 5);
    assert_int_equal(a->evtchn.used, 0);
}

/* ---- a privileged caller, and dying domains ---- */

/* DOMID_SELF is the caller, also where the port is another's. */
static void test_alloc_for_another(void **state)
{
    struct domain *dom0 = core_join(host, 0);
    union op op = { .alloc = { .dom = A, .remote_dom = DOMID_SELF } };

    (void)state;
    assert_int_equal(ask_process(dom0, EVTCHNOP_alloc_unbound, &op), 0);
    assert_int_equal(status_of(A, op.alloc.port).u.unbound.dom, 0);
    op.status = (struct evtchn_status){ .dom = B, .port = 1 };
    assert_int_equal(ask_process(dom0, EVTCHNOP_status, &op), 0);
    assert_int_equal(op.status.status, EVTCHNSTAT_interdomain);
    domain_destroy(dom0);
}

/* B is destroyed while A maps a page of it: it is there, without ports. */
static void test_dying(void **state)
{
    struct domain *dom0 = core_join(host, 0);
    struct gnttab_map_grant_ref map = { .host_addr = CORE_APERTURE_GFN << 12,
                                        .flags = GNTMAP_host_map,
                                        .ref = 20,
                                        .dom = B };
    union op op = { .bind = { .remote_dom = B, .remote_port = 1 } };

    (void)state;
    grant_seed(core_domain(host, B), 20, A, CORE_RAM >> 12);
    assert_int_equal(core_op(host, A, __HYPERVISOR_grant_table_op,
                             GNTTABOP_map_grant_ref, &map, sizeof(map)),
                     0);
    assert_int_equal(map.status, GNTST_okay);
    assert_int_equal(rs_domain_destroy(host, B), 0);
    assert_non_null(core_domain(host, B));
    assert_int_equal(status_of(A, BOUND).status, EVTCHNSTAT_unbound);
    assert_int_equal(ask(A, EVTCHNOP_bind_interdomain, &op), -EINVAL);
    op.alloc = (struct evtchn_alloc_unbound){ .dom = B };
    assert_int_equal(ask_process(dom0, EVTCHNOP_alloc_unbound, &op), -EINVAL);
    op.status = (struct evtchn_status){ .dom = B, .port = 1 };
    assert_int_equal(ask_process(dom0, EVTCHNOP_status, &op), -EINVAL);
    domain_destroy(dom0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_results),
        CASE(test_status),
        CASE(test_masks),
        CASE(test_reset),
        CASE(test_reset_by_privileged),
        CASE(test_reset_in_turns),
        CASE(test_alloc_for_another),
        CASE(test_dying),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
