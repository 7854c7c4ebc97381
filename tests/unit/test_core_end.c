/*
 * The end of a guest (domain.h): in slices, between which others are served;
 * what it held is free at last, whenever others let go of its pages.
 */
#include "core.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hypercalls/hypercall.h"
#include "test/engine_test.h"

#define KIB    16384u
#define PAGES  (KIB / 4)
#define STEP   512u /* pages that one slice may free, at most */
#define ROUNDS 10000
#define DUE_MS 10000 /* the next slice is due long before */

static struct {
    struct rs_host *h;
    uint16_t id, neighbour;
    struct domain *d;
    int file;        /* its memory's, our own */
    uint64_t before; /* budget that others hold */
    bool alive;      /* its "process" */
    int events;      /* about it */
    struct engine_ops ops;
} fx;

static bool slow_kill(struct domain *d)
{
    (void)d;
    return !fx.alive;
}

static bool gone(struct domain *d, int wait_ms)
{
    (void)d, (void)wait_ms;
    return !fx.alive;
}

static void on_event(void *data, uint16_t domid)
{
    (void)data;
    fx.events += domid == fx.id;
}

static uint64_t pages_in_file(void)
{
    struct stat st;

    assert_int_equal(fstat(fx.file, &st), 0);
    return (uint64_t)st.st_blocks / 8;
}

static void boot_big(void)
{
    uint8_t image[CORE_IMAGE_SIZE];
    struct rs_domain_config c = { .memory_kib = KIB,
                                  .kernel = image,
                                  .kernel_size = sizeof(image) };

    core_image(image);
    fx.id = (uint16_t)rs_domain_create(fx.h, &c);
    fx.d = core_domain(fx.h, fx.id);
    fx.ops = engine_test;
    fx.ops.domain_kill = slow_kill;
    fx.ops.domain_gone = gone;
    fx.d->ops = &fx.ops;
    fx.alive = true;
    fx.file = dup(fx.d->memory.fd);
    for (uint64_t gfn = MEMORY_FIRST_GFN; gfn < PAGES; gfn++)
        memset(fx.d->memory.base + (gfn << PAGE_SHIFT), 1, 64);
    assert_true(pages_in_file() >= PAGES - MEMORY_FIRST_GFN);
    assert_int_equal(rs_domain_unpause(fx.h, fx.id), 0);
}

static int setup(void **state)
{
    const struct rs_host_config c = { .engine = "test",
                                      .memory_kib = 64 * 1024,
                                      .domain_event = on_event };

    (void)state;
    memset(&fx, 0, sizeof(fx));
    assert_int_equal(rs_host_new(&c, &fx.h), 0);
    fx.neighbour = core_boot(fx.h);
    fx.before = core_used(fx.h);
    boot_big();
    fx.h->slice_ns = 0; /* one step of work at a time */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fx.alive = false;
    rs_host_free(fx.h);
    close(fx.file);
    return 0;
}

static void begin(void)
{
    host_lock(fx.h);
    domain_end(fx.d);
    host_unlock(fx.h);
}

static void kill_it(void)
{
    fx.alive = false;
    host_lock(fx.h);
    domain_killed(fx.d);
    host_unlock(fx.h);
}

/* One round of the loop, which waits for the next slice if there is to be one;
 * at most a step's pages are freed in it. */
static void round_of_loop(void)
{
    uint64_t before = pages_in_file();
    bool due = !list_empty(&fx.h->ending);

    assert_int_equal(rs_host_dispatch(fx.h, due ? DUE_MS : 0), 0);
    assert_true(before - pages_in_file() <= STEP);
    assert_int_equal(core_call(fx.h, fx.neighbour, __HYPERVISOR_xen_version,
                               XENVER_pagesize, 0, 0),
                     4096);
}

static void finish(void)
{
    for (int i = 0; i < ROUNDS && core_domain(fx.h, fx.id); i++)
        round_of_loop();
    assert_null(core_domain(fx.h, fx.id));
}

/* ---- slices ---- */

/* While its process has not gone nothing of it is freed; then all of it is, a
 * step in each round of the loop. */
static void test_in_slices(void **state)
{
    struct rs_domain_info info;
    uint64_t full = pages_in_file();
    unsigned int rounds = 0;

    (void)state;
    begin();
    for (int i = 0; i < 10; i++)
        round_of_loop();
    assert_int_equal(rs_domain_info(fx.h, fx.id, &info), 0);
    assert_int_equal(info.state, RS_DOMAIN_DYING);
    assert_int_equal(pages_in_file(), full);
    assert_int_equal(fx.events, 0);
    assert_int_equal(rs_domain_destroy(fx.h, fx.id), -ESRCH);
    kill_it();
    for (; core_domain(fx.h, fx.id); rounds++)
        round_of_loop();
    assert_true(rounds >= PAGES / STEP);
    assert_int_equal(pages_in_file(), 0);
    assert_int_equal(core_used(fx.h), fx.before);
    assert_int_equal(fx.events, 1);
}

/* After a slice the loop has nothing to do until the rest is over: it sleeps,
 * and whom it woke has the processor. */
static void test_rests(void **state)
{
    enum domain_end end;

    (void)state;
    fx.h->slice_rest_ns = 3600u * 1000000000ull;
    begin();
    kill_it();
    assert_int_equal(rs_host_dispatch(fx.h, DUE_MS), 0);
    end = fx.d->end;
    assert_int_not_equal(end, END_GRANTS); /* a slice was done */
    for (int i = 0; i < 100; i++)
        assert_int_equal(rs_host_dispatch(fx.h, 0), 0);
    assert_int_equal(fx.d->end, end);
}

/* Whoever calls the library has it done at the return. */
static void test_destroy_waits(void **state)
{
    (void)state;
    fx.alive = false;
    assert_int_equal(rs_domain_destroy(fx.h, fx.id), 0);
    assert_null(core_domain(fx.h, fx.id));
    assert_int_equal(pages_in_file(), 0);
    assert_int_equal(core_used(fx.h), fx.before);
    assert_int_equal(fx.events, 1);
}

/* Ends that are under way when the host ends are completed. */
static void test_host_ends_meanwhile(void **state)
{
    (void)state;
    begin();
    kill_it();
    round_of_loop();
}

static void test_several_at_once(void **state)
{
    uint16_t others[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        others[i] = core_boot(fx.h);
    begin();
    kill_it();
    host_lock(fx.h);
    for (int i = 0; i < 5; i++)
        domain_end(core_domain(fx.h, others[i]));
    host_unlock(fx.h);
    finish();
    for (int i = 0; i < ROUNDS && !list_empty(&fx.h->ending); i++)
        round_of_loop();
    for (int i = 0; i < 5; i++)
        assert_null(core_domain(fx.h, others[i]));
    assert_int_equal(core_used(fx.h), fx.before);
}

/* ---- what others see of it ---- */

/* A dying domain's ports are there for a while; none may be bound to. */
static void test_ports_of_the_dying(void **state)
{
    struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF,
                                          .remote_dom = fx.neighbour };
    struct evtchn_bind_interdomain bind = { .remote_dom = fx.id };
    uint64_t args[6] = { EVTCHNOP_alloc_unbound, CORE_ARG };
    void *arg = core_at(fx.h, fx.id, CORE_ARG);

    (void)state;
    memcpy(arg, &alloc, sizeof(alloc));
    assert_int_equal(
        hypercall_dispatch(&fx.d->vcpu[0], __HYPERVISOR_event_channel_op, args),
        0);
    memcpy(&alloc, arg, sizeof(alloc));
    bind.remote_port = alloc.port;
    begin();
    assert_int_equal(core_op(fx.h, fx.neighbour, __HYPERVISOR_event_channel_op,
                             EVTCHNOP_bind_interdomain, &bind, sizeof(bind)),
                     -EINVAL);
    kill_it();
    finish();
}

#define REF 20u

/* The neighbour maps a page of it; the handle. */
static grant_handle_t map_page(xen_pfn_t gfn)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = CORE_APERTURE_GFN << PAGE_SHIFT,
        .flags = GNTMAP_host_map,
        .ref = REF,
        .dom = fx.id,
    };

    grant_seed(fx.d, REF, fx.neighbour, gfn);
    assert_int_equal(core_op(fx.h, fx.neighbour, __HYPERVISOR_grant_table_op,
                             GNTTABOP_map_grant_ref, &op, sizeof(op)),
                     0);
    assert_int_equal(op.status, GNTST_okay);
    return op.handle;
}

static void unmap_page(grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = CORE_APERTURE_GFN << PAGE_SHIFT,
        .handle = handle,
    };

    assert_int_equal(core_op(fx.h, fx.neighbour, __HYPERVISOR_grant_table_op,
                             GNTTABOP_unmap_grant_ref, &op, sizeof(op)),
                     0);
    assert_int_equal(op.status, GNTST_okay);
}

/* A page near the end, unmapped after so many rounds of the end. */
static void unmap_after(unsigned int rounds)
{
    grant_handle_t handle = map_page(PAGES - 10);

    begin();
    kill_it();
    for (unsigned int i = 0; i < rounds; i++)
        round_of_loop();
    assert_non_null(core_domain(fx.h, fx.id));
    unmap_page(handle);
    finish();
    assert_int_equal(pages_in_file(), 0);
    assert_int_equal(core_used(fx.h), fx.before);
}

static void test_unmapped_before_it_is_reached(void **state)
{
    (void)state;
    unmap_after(4);
}

static void test_unmapped_when_all_is_done(void **state)
{
    (void)state;
    unmap_after(PAGES / STEP + 200);
}

static void test_unmapped_at_any_moment(void **state)
{
    (void)state;
    for (unsigned int i = 5; i < PAGES / STEP + 10; i++) {
        unmap_after(i);
        close(fx.file);
        boot_big();
    }
}

/* What is still mapped costs one page, no more; and is not lost. */
static void test_a_mapped_page_stays(void **state)
{
    const xen_pfn_t gfn = PAGES / 2;
    grant_handle_t handle = map_page(gfn);
    volatile uint8_t *page;

    (void)state;
    fx.d->memory.base[gfn << PAGE_SHIFT] = 0x5a;
    page = core_at(fx.h, fx.neighbour, CORE_APERTURE_GFN << PAGE_SHIFT);
    begin();
    kill_it();
    for (unsigned int i = 0; i < 500; i++)
        round_of_loop();
    assert_int_equal(fx.d->end, END_DONE);
    assert_int_equal(pages_in_file(), 1);
    assert_int_equal(core_used(fx.h), fx.before + 1);
    assert_int_equal(*page, 0x5a);
    unmap_page(handle);
    assert_null(core_domain(fx.h, fx.id));
    assert_int_equal(core_used(fx.h), fx.before);
    assert_int_equal(pages_in_file(), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_in_slices),
        CASE(test_rests),
        CASE(test_destroy_waits),
        CASE(test_host_ends_meanwhile),
        CASE(test_several_at_once),
        CASE(test_ports_of_the_dying),
        CASE(test_unmapped_before_it_is_reached),
        CASE(test_unmapped_when_all_is_done),
        CASE(test_unmapped_at_any_moment),
        CASE(test_a_mapped_page_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
