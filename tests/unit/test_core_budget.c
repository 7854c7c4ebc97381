/*
 * What one guest's hypercalls may cost before others have their turn
 * (hypercall.h): units of cost, in proportion to what an operation asks of
 * Linux, and time.
 */
#include "core.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "hypercalls/hypercall.h"
#include "test/engine_test.h"
#include "preempt.h"

#define VCPUS   4u
#define ENTRIES 500u
#define BATCH   CORE_RAM /* the entries */
#define DATA    (CORE_RAM + 16 * 4096ull)

static struct {
    struct rs_host *h;
    uint16_t id;
    struct domain *d;
    struct engine_ops ops; /* the test engine's, but for what a test changes */
    unsigned int looks, moves;
} fx;

static void look(struct vcpu *v, struct vcpu_times *out)
{
    (void)v;
    fx.looks++;
    out->running_ns = fx.looks;
}

/* Longer than a turn may take, on whatever machine. */
static int slow_move(struct vcpu *from, struct vcpu *to, evtchn_port_t port,
                     int rx)
{
    const struct timespec nap = { 0, 20 * PREEMPT_BUDGET_NS };

    fx.moves++;
    nanosleep(&nap, NULL);
    return engine_test.port_move(from, to, port, rx);
}

static int setup(void **state)
{
    uint8_t image[CORE_IMAGE_SIZE];
    struct rs_domain_config c = { .memory_kib = CORE_KIB,
                                  .vcpus = VCPUS,
                                  .kernel = image,
                                  .kernel_size = sizeof(image) };

    (void)state;
    memset(&fx, 0, sizeof(fx));
    fx.h = core_host("test");
    core_image(image);
    fx.id = (uint16_t)rs_domain_create(fx.h, &c);
    fx.d = core_domain(fx.h, fx.id);
    fx.ops = engine_test;
    fx.ops.vcpu_times = look;
    fx.d->ops = &fx.ops;
    return rs_domain_unpause(fx.h, fx.id);
}

static int teardown(void **state)
{
    (void)state;
    fx.d->ops = &engine_test;
    rs_host_free(fx.h);
    return 0;
}

/* ---- batches ---- */

static struct multicall_entry *entry(uint64_t i)
{
    return core_at(fx.h, fx.id, BATCH + i * sizeof(struct multicall_entry));
}

static void fill(unsigned int nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    for (uint64_t i = 0; i < ENTRIES; i++)
        *entry(i) = (struct multicall_entry){ .op = nr,
                                              .result = 1,
                                              .args = { a0, a1, a2 } };
}

/* Entries that the first turn of the batch did. */
static unsigned int first_turn(void)
{
    const uint64_t args[6] = { BATCH, ENTRIES };
    struct vcpu *v = &fx.d->vcpu[0];

    assert_int_equal(hypercall_dispatch(v, __HYPERVISOR_multicall, args), 0);
    if (!v->continued)
        return ENTRIES;
    assert_int_equal(v->continuation[0] - BATCH,
                     (ENTRIES - v->continuation[1]) *
                         sizeof(struct multicall_entry));
    return ENTRIES - (unsigned int)v->continuation[1];
}

static void put(uint64_t at, const void *p, size_t n)
{
    memcpy(core_at(fx.h, fx.id, at), p, n);
}

/* ---- units ---- */

/* What enters Linux is charged for it: a turn has room for so many. */
static void test_system_calls_are_charged(void **state)
{
    const unsigned int most = PREEMPT_BUDGET / PREEMPT_COST_SYSCALL + 1;
    const struct vcpu_set_periodic_timer timer = { 3600000000000ull };
    const struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF,
                                                .remote_dom = DOMID_SELF };
    const struct evtchn_bind_ipi ipi = { .vcpu = 1 };
    const struct sched_watchdog dog = { .id = 1, .timeout = 3600 };

    (void)state;
    put(DATA, &timer, sizeof(timer));
    fill(__HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 1, DATA);
    assert_in_range(first_turn(), 1, most);
    fill(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 1, 0);
    assert_in_range(first_turn(), 1, most);
    fill(__HYPERVISOR_set_timer_op, 3600000000000ull, 0, 0);
    assert_in_range(first_turn(), 1, most);
    put(DATA, &dog, sizeof(dog));
    fill(__HYPERVISOR_sched_op, SCHEDOP_watchdog, DATA, 0);
    assert_in_range(first_turn(), 1, most);
    put(DATA, &alloc, sizeof(alloc));
    fill(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, DATA, 0);
    assert_in_range(first_turn(), 1, most / 4 + 1);
    put(DATA, &ipi, sizeof(ipi));
    fill(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, DATA, 0);
    assert_in_range(first_turn(), 1, most / 4 + 1);
    put(DATA, &ipi, sizeof(ipi));
    fill(__HYPERVISOR_event_channel_op, EVTCHNOP_close, DATA, 0);
    assert_in_range(first_turn(), 1, most / 4 + 1);
    fill(__HYPERVISOR_console_io, CONSOLEIO_write, 16, DATA);
    assert_in_range(first_turn(), 1, most / 4 + 1);
}

/* Cheap entries have as much room as ever. */
static void test_cheap_entries(void **state)
{
    (void)state;
    fill(__HYPERVISOR_xen_version, XENVER_pagesize, 0, 0);
    assert_in_range(first_turn(), PREEMPT_BUDGET / 8 - 2,
                    PREEMPT_BUDGET / 8 + 1);
}

/* To raise and lower a vCPU sends signals, and publishes its runstate. */
static void test_up_and_down(void **state)
{
    struct vcpu_hvm_context c = { .mode = VCPU_HVM_MODE_64B };

    (void)state;
    c.cpu_regs.x86_64.rip = CORE_IMAGE_ENTRY;
    put(DATA, &c, sizeof(c));
    fill(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, DATA);
    first_turn();
    for (uint64_t i = 0; i < ENTRIES; i++)
        *entry(i) =
            (struct multicall_entry){ .op = __HYPERVISOR_vcpu_op,
                                      .args = { i & 1 ? VCPUOP_down : VCPUOP_up,
                                                1 } };
    assert_in_range(first_turn(), 1, PREEMPT_BUDGET / PREEMPT_COST_SYSCALL + 1);
}

/* ---- runstate ---- */

/* Asked again and again, the engine is not: it reads files for that. */
static void test_runstate_is_kept(void **state)
{
    const uint64_t area = DATA + 64;
    unsigned int calls = 0;

    (void)state;
    fill(__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 1, DATA);
    for (int i = 0; i < 100; i++)
        calls += first_turn();
    assert_true(fx.looks > 0 && fx.looks < calls / 2);
    fx.looks = calls = 0;
    put(DATA, &area, sizeof(area));
    fill(__HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 1, DATA);
    for (int i = 0; i < 100; i++)
        calls += first_turn();
    assert_true(fx.looks < calls / 2);
}

/* What was seen before a change of state does not outlive it. */
static void test_runstate_is_fresh(void **state)
{
    struct vcpu_hvm_context c = { .mode = VCPU_HVM_MODE_64B };
    struct vcpu_runstate_info *r = core_at(fx.h, fx.id, DATA);
    const uint64_t ask[6] = { VCPUOP_get_runstate_info, 1, DATA };
    const uint64_t up[6] = { VCPUOP_up, 1 }, down[6] = { VCPUOP_down, 1 };
    struct vcpu *v = &fx.d->vcpu[0];
    unsigned int nr = __HYPERVISOR_vcpu_op;

    (void)state;
    c.cpu_regs.x86_64.rip = CORE_IMAGE_ENTRY;
    put(DATA, &c, sizeof(c));
    hypercall_dispatch(v, nr, (uint64_t[6]){ VCPUOP_initialise, 1, DATA });
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hypercall_dispatch(v, nr, ask), 0);
        assert_int_equal(r->state, RUNSTATE_offline);
        assert_int_equal(hypercall_dispatch(v, nr, up), 0);
        assert_int_equal(hypercall_dispatch(v, nr, ask), 0);
        assert_int_equal(r->state, RUNSTATE_running);
        assert_int_equal(hypercall_dispatch(v, nr, down), 0);
    }
}

/* ---- time ---- */

/* Whatever the units say: an operation that takes long ends the turn. */
static void test_time_ends_a_turn(void **state)
{
    struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF,
                                          .remote_dom = DOMID_SELF };
    struct evtchn_bind_vcpu bind = { 0 };

    (void)state;
    put(DATA, &alloc, sizeof(alloc));
    assert_int_equal(
        hypercall_dispatch(&fx.d->vcpu[0], __HYPERVISOR_event_channel_op,
                           (uint64_t[6]){ EVTCHNOP_alloc_unbound, DATA }),
        0);
    memcpy(&alloc, core_at(fx.h, fx.id, DATA), sizeof(alloc));
    bind.port = alloc.port;
    put(DATA, &bind, sizeof(bind));
    bind.vcpu = 1;
    put(DATA + 64, &bind, sizeof(bind));
    fx.ops.port_move = slow_move;
    fill(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_vcpu, DATA, 0);
    for (uint64_t i = 0; i < ENTRIES; i += 2)
        entry(i)->args[1] = DATA + 64;
    assert_in_range(first_turn(), 3, ENTRIES);
    fx.moves = 0;
    fx.h->budget_ticks = time_to_ticks(fx.h, PREEMPT_BUDGET_NS);
    assert_in_range(first_turn(), 1, 2); /* the first may move nothing */
    assert_in_range(fx.moves, 0, 1);
}

/* Of a copy, too, whose elements are cheap as a rule. */
static void test_every_turn_goes_on(void **state)
{
    const struct gnttab_copy copy = {
        .source = { { CORE_RAM >> 12 }, DOMID_SELF, 0 },
        .dest = { { CORE_RAM >> 12 }, DOMID_SELF, 0 },
        .status = 1,
    };
    struct vcpu *v = &fx.d->vcpu[0];
    uint64_t args[6] = { GNTTABOP_copy, BATCH, ENTRIES };
    unsigned int turns = 0;

    (void)state;
    for (uint64_t i = 0; i < ENTRIES; i++)
        put(BATCH + i * sizeof(copy), &copy, sizeof(copy));
    fx.h->budget_ticks = 0; /* over as soon as somebody looks */
    do {
        uint64_t before = args[2];

        hypercall_dispatch(v, __HYPERVISOR_grant_table_op, args);
        memcpy(args, v->continuation, sizeof(v->continuation));
        assert_true(!v->continued || args[2] < before);
        turns++;
    } while (v->continued);
    assert_in_range(turns, 2, ENTRIES);
}

/* ---- the console ---- */

/* A long write is done in turns, and nothing of it is lost. */
static void test_console_in_turns(void **state)
{
    struct vcpu *v = &fx.d->vcpu[0];
    uint64_t args[6] = { CONSOLEIO_write, 65536, BATCH };
    unsigned int turns = 0;
    uint64_t bytes = 0;

    (void)state;
    do {
        uint64_t before = args[1];

        assert_int_equal(hypercall_dispatch(v, __HYPERVISOR_console_io, args),
                         0);
        memcpy(args, v->continuation, sizeof(v->continuation));
        bytes += v->continued ? before - args[1] : before;
        assert_true(!v->continued || args[2] == BATCH + bytes);
        turns++;
    } while (v->continued);
    assert_int_equal(bytes, 65536);
    assert_true(turns > 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_system_calls_are_charged),
        CASE(test_cheap_entries),
        CASE(test_up_and_down),
        CASE(test_runstate_is_kept),
        CASE(test_runstate_is_fresh),
        CASE(test_time_ends_a_turn),
        CASE(test_every_turn_goes_on),
        CASE(test_console_in_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
