/*
 * Domains of several vCPUs: vcpu_op (<xen/vcpu.h>), and event channels that
 * are bound to vCPUs (<xen/event_channel.h>).
 */
#include "core.h"

#include <errno.h>
#include <string.h>

#include "test/engine_test.h"

#define VCPUS 4u

struct fixture {
    struct rs_host *h;
    uint16_t d;
};

static struct fixture fx;

static int setup(void **state)
{
    uint8_t image[CORE_IMAGE_SIZE];
    struct rs_domain_config c = { .memory_kib = CORE_KIB,
                                  .vcpus = VCPUS,
                                  .kernel = image,
                                  .kernel_size = sizeof(image) };
    int domid;

    (void)state;
    fx.h = core_host("test");
    core_image(image);
    domid = rs_domain_create(fx.h, &c);
    assert_true(domid > 0);
    fx.d = (uint16_t)domid;
    return rs_domain_unpause(fx.h, fx.d);
}

static int teardown(void **state)
{
    (void)state;
    rs_host_free(fx.h);
    return 0;
}

static struct domain *dom(void)
{
    return core_domain(fx.h, fx.d);
}

/* A hypercall of vCPU `who`. */
static long call(unsigned int who, unsigned int nr, uint64_t a0, uint64_t a1,
                 uint64_t a2)
{
    const uint64_t args[6] = { a0, a1, a2 };

    return rs_test_vcpu_hypercall(fx.h, fx.d, who, nr, args);
}

static long vcpu_op(unsigned int who, uint64_t cmd, uint64_t vcpu,
                    const void *op, size_t size)
{
    if (op)
        memcpy(core_at(fx.h, fx.d, CORE_ARG), op, size);
    return call(who, __HYPERVISOR_vcpu_op, cmd, vcpu, op ? CORE_ARG : 0);
}

static long plain(unsigned int who, uint64_t cmd, uint64_t vcpu)
{
    return vcpu_op(who, cmd, vcpu, NULL, 0);
}

static long evtchn(uint64_t cmd, void *op, size_t size)
{
    return core_op(fx.h, fx.d, __HYPERVISOR_event_channel_op, cmd, op, size);
}

static struct vcpu_hvm_context context(void)
{
    struct vcpu_hvm_context c = { .mode = VCPU_HVM_MODE_64B };

    c.cpu_regs.x86_64.rip = CORE_IMAGE_ENTRY;
    c.cpu_regs.x86_64.rsp = CORE_RAM + 4096;
    c.cpu_regs.x86_64.rdi = 7;
    return c;
}

static void raise_vcpu(unsigned int id)
{
    struct vcpu_hvm_context c = context();

    assert_int_equal(vcpu_op(0, VCPUOP_initialise, id, &c, sizeof(c)), 0);
    assert_int_equal(plain(0, VCPUOP_up, id), 0);
}

static struct shared_info *shared(void)
{
    return core_at(fx.h, fx.d, CORE_RAM_END);
}

/* Is the port's word selected for this vCPU? Forgets that it was. */
static bool told(unsigned int vcpu, uint32_t port)
{
    struct vcpu_info *vi = &shared()->vcpu_info[vcpu];
    xen_ulong_t bit = 1ul << port % 64;
    bool was;

    call(vcpu, __HYPERVISOR_xen_version, XENVER_pagesize, 0, 0);
    was = shared()->evtchn_pending[port / 64] & bit &&
          vi->evtchn_pending_sel & 1ul << port / 64 &&
          vi->evtchn_upcall_pending;
    if (was)
        shared()->evtchn_pending[port / 64] &= ~bit;
    vi->evtchn_pending_sel = 0;
    vi->evtchn_upcall_pending = 0;
    return was;
}

/* ---- life ---- */

static void test_initialise(void **state)
{
    struct vcpu_hvm_context c = context();
    const size_t size = sizeof(c);

    (void)state;
    assert_int_equal(plain(0, VCPUOP_up, 1), -EINVAL); /* no state yet */
    assert_int_equal(vcpu_op(0, VCPUOP_initialise, VCPUS, &c, size), -ENOENT);
    assert_int_equal(vcpu_op(0, VCPUOP_initialise, 0, &c, size), -EEXIST);
    assert_int_equal(plain(0, VCPUOP_initialise, 1), -EFAULT);
    c.mode = VCPU_HVM_MODE_32B;
    assert_int_equal(vcpu_op(0, VCPUOP_initialise, 1, &c, size), -EINVAL);
    c = context();
    c.pad = 1;
    assert_int_equal(vcpu_op(0, VCPUOP_initialise, 1, &c, size), -EINVAL);
    c = context();
    c.cpu_regs.x86_64.rip = CORE_RAM_END;
    assert_int_equal(vcpu_op(0, VCPUOP_initialise, 1, &c, size), -EINVAL);
    c = context();
    assert_int_equal(vcpu_op(0, VCPUOP_initialise, 1, &c, size), 0);
    assert_int_equal(vcpu_op(0, VCPUOP_initialise, 1, &c, size), -EEXIST);
    assert_int_equal(dom()->vcpu[1].entry.rip, CORE_IMAGE_ENTRY);
    assert_int_equal(dom()->vcpu[1].entry.rsp, CORE_RAM + 4096);
    assert_int_equal(dom()->vcpu[1].entry.rdi, 7);
}

static void test_up_and_down(void **state)
{
    struct rs_domain_info info;

    (void)state;
    assert_int_equal(plain(0, VCPUOP_is_up, 0), 1);
    for (unsigned int i = 1; i < VCPUS; i++)
        assert_int_equal(plain(0, VCPUOP_is_up, i), 0);
    assert_int_equal(plain(0, VCPUOP_is_up, VCPUS), -ENOENT);
    raise_vcpu(2);
    assert_int_equal(plain(0, VCPUOP_is_up, 2), 1);
    assert_int_equal(plain(0, VCPUOP_up, 2), 0); /* again, to no effect */
    assert_int_equal(plain(2, VCPUOP_down, 0), 0);
    assert_int_equal(plain(2, VCPUOP_is_up, 0), 0);
    assert_int_equal(plain(2, VCPUOP_down, 0), 0);
    assert_int_equal(plain(2, VCPUOP_up, 0), 0);
    assert_int_equal(plain(0, VCPUOP_down, 2), 0);
    /* The last one: nothing is left that could raise another. */
    assert_int_equal(plain(0, VCPUOP_down, 0), 0);
    assert_int_equal(rs_domain_info(fx.h, fx.d, &info), 0);
    assert_int_equal(info.state, RS_DOMAIN_SHUTDOWN);
    assert_int_equal(info.shutdown_reason, SHUTDOWN_poweroff);
}

static void test_too_many(void **state)
{
    uint8_t image[CORE_IMAGE_SIZE];
    struct rs_domain_config c = { .memory_kib = CORE_KIB,
                                  .vcpus = DOMAIN_MAX_VCPUS + 1,
                                  .kernel = image,
                                  .kernel_size = sizeof(image) };

    (void)state;
    core_image(image);
    assert_int_equal(rs_domain_create(fx.h, &c), -EINVAL);
    assert_non_null(strstr(rs_error(), "9 vCPUs asked for, at most 8"));
    c.vcpus = DOMAIN_MAX_VCPUS;
    assert_true(rs_domain_create(fx.h, &c) > 0);
}

/* ---- events ---- */

static long bind_ipi(uint32_t vcpu, uint32_t *port)
{
    struct evtchn_bind_ipi op = { .vcpu = vcpu };
    long ret = evtchn(EVTCHNOP_bind_ipi, &op, sizeof(op));

    *port = op.port;
    return ret;
}

static long bind_vcpu(uint32_t port, uint32_t vcpu)
{
    struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };

    return evtchn(EVTCHNOP_bind_vcpu, &op, sizeof(op));
}

static long bind_virq(uint32_t virq, uint32_t vcpu, uint32_t *port)
{
    struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
    long ret = evtchn(EVTCHNOP_bind_virq, &op, sizeof(op));

    *port = op.port;
    return ret;
}

static long send(uint32_t port)
{
    struct evtchn_send op = { .port = port };

    return evtchn(EVTCHNOP_send, &op, sizeof(op));
}

static void test_ipi(void **state)
{
    struct evtchn_status st = { .dom = DOMID_SELF };
    uint32_t p;

    (void)state;
    assert_int_equal(bind_ipi(VCPUS, &p), -ENOENT);
    assert_int_equal(bind_ipi(1, &p), 0);
    st.port = p;
    assert_int_equal(evtchn(EVTCHNOP_status, &st, sizeof(st)), 0);
    assert_int_equal(st.status, EVTCHNSTAT_ipi);
    assert_int_equal(st.vcpu, 1);
    raise_vcpu(1);
    assert_false(told(1, p));
    assert_int_equal(send(p), 0);
    assert_false(told(0, p));
    assert_true(told(1, p));
    assert_int_equal(bind_vcpu(p, 0), -EINVAL); /* it is of vCPU 1 */
    assert_int_equal(evtchn(EVTCHNOP_close, &(struct evtchn_close){ p }, 4), 0);
    assert_int_equal(send(p), -EINVAL);
}

static void test_bind_vcpu(void **state)
{
    struct evtchn_alloc_unbound a = { .dom = DOMID_SELF,
                                      .remote_dom = DOMID_SELF };
    struct evtchn_bind_interdomain b = { .remote_dom = DOMID_SELF };
    uint32_t p;

    (void)state;
    raise_vcpu(1);
    assert_int_equal(evtchn(EVTCHNOP_alloc_unbound, &a, sizeof(a)), 0);
    assert_int_equal(bind_vcpu(a.port, VCPUS), -ENOENT);
    assert_int_equal(bind_vcpu(999, 1), -EINVAL);
    assert_int_equal(bind_vcpu(a.port, 1), 0);
    b.remote_port = a.port;
    assert_int_equal(evtchn(EVTCHNOP_bind_interdomain, &b, sizeof(b)), 0);
    told(0, b.local_port); /* as on Xen, a bind tells both */
    told(1, a.port);
    assert_int_equal(send(b.local_port), 0);
    assert_false(told(0, a.port));
    assert_true(told(1, a.port));
    /* What was sent before the move is told after it. */
    assert_int_equal(bind_vcpu(a.port, 0), 0);
    told(0, a.port);
    assert_int_equal(send(b.local_port), 0);
    assert_int_equal(bind_vcpu(a.port, 1), 0);
    told(0, a.port);
    shared()->evtchn_pending[0] = 0;
    assert_int_equal(bind_vcpu(a.port, 0), 0);
    assert_true(told(0, a.port));
    assert_false(told(1, a.port));
    /* VIRQs of a vCPU stay with it, the domain's may go anywhere. */
    assert_int_equal(bind_virq(VIRQ_TIMER, 1, &p), 0);
    assert_int_equal(bind_vcpu(p, 0), -EINVAL);
    assert_int_equal(bind_virq(VIRQ_DOM_EXC, 1, &p), -EINVAL);
    assert_int_equal(bind_virq(VIRQ_DOM_EXC, 0, &p), 0);
    assert_int_equal(bind_vcpu(p, 1), 0);
    evtchn_raise_virq(&dom()->vcpu[0], VIRQ_DOM_EXC);
    assert_true(told(1, p));
    assert_int_equal(evtchn(EVTCHNOP_close, &(struct evtchn_close){ p }, 4), 0);
    assert_int_equal(bind_virq(VIRQ_DOM_EXC, 0, &p), 0);
}

/* A port that waited behind its mask is told to its own vCPU. */
static void test_unmask(void **state)
{
    struct evtchn_unmask op;
    uint32_t p;

    (void)state;
    raise_vcpu(1);
    assert_int_equal(bind_ipi(1, &p), 0);
    shared()->evtchn_mask[p / 64] |= 1ul << p % 64;
    assert_int_equal(send(p), 0);
    assert_false(told(1, p));
    op.port = p;
    assert_int_equal(evtchn(EVTCHNOP_unmask, &op, sizeof(op)), 0);
    assert_int_equal(shared()->vcpu_info[0].evtchn_pending_sel, 0);
    assert_true(told(1, p));
}

/* ---- timers ---- */

static bool wait_told(unsigned int vcpu, uint32_t port)
{
    for (int i = 0; i < 2000; i++) {
        rs_host_dispatch(fx.h, 5);
        if (told(vcpu, port))
            return true;
    }
    return false;
}

static void test_timers(void **state)
{
    struct vcpu_set_singleshot_timer once = { .timeout_abs_ns = 1 };
    uint32_t p[2];

    (void)state;
    raise_vcpu(1);
    for (unsigned int i = 0; i < 2; i++)
        assert_int_equal(bind_virq(VIRQ_TIMER, i, &p[i]), 0);
    assert_int_equal(bind_virq(VIRQ_TIMER, 1, &p[1]), -EEXIST);
    assert_int_equal(
        vcpu_op(0, VCPUOP_set_singleshot_timer, 1, &once, sizeof(once)),
        -EINVAL); /* its own affair */
    assert_int_equal(plain(0, VCPUOP_stop_singleshot_timer, 1), -EINVAL);
    assert_int_equal(
        vcpu_op(1, VCPUOP_set_singleshot_timer, 1, &once, sizeof(once)), 0);
    p[1] = dom()->evtchn.virq_port[1][VIRQ_TIMER];
    assert_true(wait_told(1, p[1]));
    assert_false(told(0, p[0]));
}

static void test_periodic(void **state)
{
    struct vcpu_set_periodic_timer t = { .period_ns = 999999 };
    uint32_t p;

    (void)state;
    raise_vcpu(1);
    assert_int_equal(bind_virq(VIRQ_TIMER, 1, &p), 0);
    assert_int_equal(plain(0, VCPUOP_set_periodic_timer, 1), -EFAULT);
    assert_int_equal(vcpu_op(0, VCPUOP_set_periodic_timer, 1, &t, sizeof(t)),
                     -EINVAL);
    t.period_ns = ~0ull;
    assert_int_equal(vcpu_op(0, VCPUOP_set_periodic_timer, 1, &t, sizeof(t)),
                     -EINVAL);
    t.period_ns = 1000000;
    assert_int_equal(vcpu_op(0, VCPUOP_set_periodic_timer, 1, &t, sizeof(t)),
                     0);
    for (int i = 0; i < 3; i++)
        assert_true(wait_told(1, p));
    assert_int_equal(plain(0, VCPUOP_stop_periodic_timer, 1), 0);
    assert_true(list_empty(&fx.h->timers));
    assert_int_equal(vcpu_op(0, VCPUOP_set_periodic_timer, 1, &t, sizeof(t)),
                     0);
    assert_int_equal(rs_domain_destroy(fx.h, fx.d), 0);
    assert_true(list_empty(&fx.h->timers));
}

/* ---- where things are told ---- */

static long register_info(unsigned int who, unsigned int vcpu, uint64_t gfn,
                          uint32_t offset)
{
    struct vcpu_register_vcpu_info op = { .mfn = gfn, .offset = offset };

    return vcpu_op(who, VCPUOP_register_vcpu_info, vcpu, &op, sizeof(op));
}

static void test_register_info(void **state)
{
    const uint64_t gfn = CORE_RAM >> 12;
    struct vcpu_info *vi = core_at(fx.h, fx.d, CORE_RAM + 128);
    uint32_t p;

    (void)state;
    raise_vcpu(1);
    assert_int_equal(register_info(0, 1, gfn, 128), -EINVAL); /* it runs */
    assert_int_equal(register_info(1, 1, gfn, 4096 - 63), -EINVAL);
    assert_int_equal(register_info(1, 1, gfn, 4), -EINVAL);
    assert_int_equal(register_info(1, 1, CORE_PAGES, 0), -EINVAL);
    assert_int_equal(register_info(1, 1, 0, 0), -EINVAL);
    assert_int_equal(register_info(1, 1, ~0ull, 0), -EINVAL);
    shared()->vcpu_info[1].arch.cr2 = 77;
    assert_int_equal(register_info(1, 1, gfn, 128), 0);
    assert_int_equal(vi->arch.cr2, 77);
    assert_int_equal(vi->evtchn_upcall_pending, 1); /* look at everything */
    assert_true(vi->evtchn_pending_sel == ~0ul);
    assert_int_not_equal(vi->time.tsc_to_system_mul, 0);
    assert_int_equal(register_info(1, 1, gfn + 1, 0), -EINVAL); /* once */
    vi->evtchn_upcall_pending = 0;
    vi->evtchn_pending_sel = 0;
    assert_int_equal(bind_ipi(1, &p), 0);
    assert_int_equal(send(p), 0);
    assert_false(told(1, p)); /* not there any more */
    assert_int_equal(vi->evtchn_upcall_pending, 1);
    assert_int_equal(register_info(0, 3, gfn, 256), 0); /* not up yet */
    assert_true(memory_pin(dom(), gfn) == 0);
    memory_unpin(dom(), gfn);
}

static void test_register_time(void **state)
{
    struct vcpu_time_info *t = core_at(fx.h, fx.d, CORE_RAM);
    struct vcpu_register_time_memory_area op = { .addr.p = CORE_RAM };
    const uint64_t cmd = VCPUOP_register_vcpu_time_memory_area;

    (void)state;
    assert_int_equal(vcpu_op(0, cmd, 1, &op, sizeof(op)), 0);
    assert_int_equal(t->version & 1, 0);
    assert_int_equal(t->tsc_to_system_mul,
                     shared()->vcpu_info[0].time.tsc_to_system_mul);
    op.addr.p = CORE_PAGES * 4096ull * 2;
    assert_int_equal(vcpu_op(0, cmd, 1, &op, sizeof(op)), -EFAULT);
}

static void test_runstate(void **state)
{
    struct vcpu_runstate_info *r = core_at(fx.h, fx.d, CORE_RAM);
    struct vcpu_register_runstate_memory_area op = { .addr.p = CORE_RAM };

    (void)state;
    assert_int_equal(
        call(0, __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 1, CORE_RAM),
        0);
    assert_int_equal(r->state, RUNSTATE_offline);
    assert_true(r->time[RUNSTATE_offline] > 0);
    assert_int_equal(
        call(0, __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 1, 0), -EFAULT);
    memset(r, 0, sizeof(*r));
    assert_int_equal(
        vcpu_op(0, VCPUOP_register_runstate_memory_area, 1, &op, sizeof(op)),
        0);
    assert_int_equal(r->state, RUNSTATE_offline);
    raise_vcpu(1);
    assert_int_equal(r->state, RUNSTATE_running);
}

/* What the toolstack sees and chooses. */
static void test_list_and_pin(void **state)
{
    struct rs_vcpu_info info[VCPUS + 1];

    (void)state;
    raise_vcpu(2);
    assert_int_equal(rs_vcpu_list(fx.h, fx.d, info, VCPUS + 1), VCPUS);
    for (unsigned int i = 0; i < VCPUS; i++) {
        assert_int_equal(info[i].id, i);
        assert_int_equal(info[i].state == RS_VCPU_DOWN, i == 1 || i == 3);
        assert_true(info[i].cpus == ~0ull);
    }
    assert_int_equal(rs_vcpu_list(fx.h, fx.d, info, 2), 2);
    assert_int_equal(rs_vcpu_list(fx.h, 999, info, 2), -ESRCH);
    assert_int_equal(rs_vcpu_pin(fx.h, fx.d, 1, 5), 0);
    assert_int_equal(rs_vcpu_pin(fx.h, fx.d, 1, 0), -EINVAL);
    assert_int_equal(rs_vcpu_pin(fx.h, fx.d, VCPUS, 1), -ENOENT);
    assert_int_equal(rs_vcpu_pin(fx.h, 999, 0, 1), -ESRCH);
    assert_int_equal(rs_vcpu_list(fx.h, fx.d, info, VCPUS), VCPUS);
    assert_int_equal(info[1].cpus, 5);
    assert_int_equal(rs_vcpu_pin(fx.h, fx.d, 1, ~0ull), 0);
    assert_int_equal(rs_vcpu_list(fx.h, fx.d, info, VCPUS), VCPUS);
    assert_true(info[1].cpus == ~0ull);
}

/* A process has one vCPU, whose addresses do not outlive a call. */
static void test_process(void **state)
{
    struct domain *dom0 = core_join(fx.h, 0);
    static const uint64_t guests_only[] = {
        VCPUOP_initialise,
        VCPUOP_up,
        VCPUOP_down,
        VCPUOP_register_vcpu_info,
        VCPUOP_register_runstate_memory_area,
        VCPUOP_register_vcpu_time_memory_area,
    };
    uint8_t space[sizeof(struct vcpu_hvm_context)] = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(guests_only) / sizeof(guests_only[0]); i++)
        assert_int_equal(core_process_op(dom0, __HYPERVISOR_vcpu_op,
                                         guests_only[i], space, sizeof(space)),
                         -ENOSYS);
    assert_int_equal(core_process_op(dom0, __HYPERVISOR_vcpu_op, VCPUOP_is_up,
                                     space, sizeof(space)),
                     1);
    domain_destroy(dom0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_initialise),    CASE(test_up_and_down),
        CASE(test_too_many),      CASE(test_ipi),
        CASE(test_bind_vcpu),     CASE(test_unmask),
        CASE(test_timers),        CASE(test_periodic),
        CASE(test_register_info), CASE(test_register_time),
        CASE(test_runstate),      CASE(test_process),
        CASE(test_list_and_pin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
