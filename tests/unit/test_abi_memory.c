/*
 * The ABI of memory_op as tables: what is asked, what is answered, and who says
 * so: <xen/memory.h> ("header"), or the function of Xen 4.17 whose answer it
 * is. And that the memory is really gone, and really back.
 */
#include "core.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "hypercalls/hypercall.h"
#include "preempt.h"

#define GFN   (CORE_RAM >> 12) /* free RAM from here on */
#define END   ((uint64_t)CORE_PAGES)
#define PAGES (CORE_PAGES - MEMORY_FIRST_GFN)
#define LIST  (CORE_ARG + 0x100) /* the extents */
#define OTHER 0x7001             /* another domain, in a row */

enum {
    DECREASE = XENMEM_decrease_reservation,
    POPULATE = XENMEM_populate_physmap,
    INCREASE = XENMEM_increase_reservation
};

static struct {
    struct rs_host *h;
    uint16_t d, other;
} fx;

static int setup(void **state)
{
    (void)state;
    fx.h = core_host("test");
    fx.d = core_boot(fx.h);
    fx.other = core_boot(fx.h);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(rs_domain_destroy(fx.h, fx.d), 0);
    assert_int_equal(rs_domain_destroy(fx.h, fx.other), 0);
    assert_int_equal(core_used(fx.h), 0);
    rs_host_free(fx.h);
    return 0;
}

static struct memory *memory(void)
{
    return &core_domain(fx.h, fx.d)->memory;
}

static long call(uint64_t cmd, uint64_t arg)
{
    return core_call(fx.h, fx.d, __HYPERVISOR_memory_op, cmd, arg, 0);
}

static long reservation(uint64_t cmd, domid_t domid)
{
    return core_op(fx.h, fx.d, __HYPERVISOR_memory_op, cmd, &domid,
                   sizeof(domid));
}

/* n extents of 2^order pages; those at LIST. */
static long adjust(uint64_t cmd, domid_t domid, uint64_t n, unsigned int order,
                   uint64_t list)
{
    struct xen_memory_reservation op = { .nr_extents = n,
                                         .extent_order = order,
                                         .domid = domid };

    op.extent_start.p = (void *)list;
    return core_op(fx.h, fx.d, __HYPERVISOR_memory_op, cmd, &op, sizeof(op));
}

static long adjust_at(uint64_t cmd, uint64_t gfn, unsigned int order)
{
    *(uint64_t *)core_at(fx.h, fx.d, LIST) = gfn;
    return adjust(cmd, DOMID_SELF, 1, order, LIST);
}

/* Pages that the domain's file really has. */
static uint64_t resident(void)
{
    struct stat st;

    assert_int_equal(fstat(memory()->fd, &st), 0);
    return (uint64_t)st.st_blocks * 512 / 4096;
}

/* ---- the number of extents that are done ---- */

#define AT(...)     \
    {               \
        __VA_ARGS__ \
    }

/* The rows are done one after the other on one domain; of another, where dom is
 * not 0. */
static const struct {
    const char *what;
    uint64_t cmd, n;
    uint64_t gfn[4];
    unsigned int order;
    long done, pages; /* done; how the reservation changed */
    const char *says;
    domid_t dom;
} rows[] = {
    { "give back a page", DECREASE, 1, AT(GFN), 0, 1, -1,
      "header: XENMEM_decrease_reservation" },
    { "give it back again", DECREASE, 1, AT(GFN), 0, 0, 0,
      "guest_remove_page(): not there" },
    { "take it again", POPULATE, 1, AT(GFN), 0, 1, 1,
      "header: XENMEM_populate_physmap" },
    { "take what is there", POPULATE, 1, AT(GFN), 0, 0, 0,
      "ours: a frame is populated once" },
    { "scattered pages", DECREASE, 3, AT(GFN + 9, GFN, GFN + 4), 0, 3, -3,
      "decrease_reservation()" },
    { "some that are there", DECREASE, 4, AT(GFN + 2, GFN + 1, GFN, GFN + 3), 0,
      2, -2, "decrease_reservation(): partial success" },
    { "some that are holes", POPULATE, 4, AT(GFN + 1, GFN + 2, GFN + 3, GFN), 0,
      2, 2, "populate_physmap(): partial success" },
    { "the same twice", DECREASE, 2, AT(GFN + 6, GFN + 6), 0, 1, -1,
      "guest_remove_page()" },
    { "all of them back", POPULATE, 4, AT(GFN, GFN + 4, GFN + 9, GFN + 6), 0, 4,
      4, "populate_physmap()" },
    { "an extent of 8", DECREASE, 1, AT(GFN + 1), 3, 1, -8,
      "header: extent_order" },
    { "an extent over a hole", DECREASE, 1, AT(GFN), 3, 0, 0,
      "ours: an extent is done whole" },
    { "more than the hole", POPULATE, 1, AT(GFN + 1), 4, 0, 0,
      "ours: an extent is done whole" },
    { "the hole", POPULATE, 1, AT(GFN + 1), 3, 1, 8, "populate_physmap()" },
    { "an order too large", DECREASE, 1, AT(GFN), 10, 0, 0, "max_order()" },
    { "an order of -1", POPULATE, 1, AT(GFN), ~0u, 0, 0, "max_order()" },
    { "nothing", DECREASE, 0, AT(GFN), 0, 0, 0,
      "do_memory_op(): start_extent >= nr_extents" },
    { "frame 0", DECREASE, 1, AT(0), 0, 0, 0, "guest_remove_page()" },
    { "below RAM", DECREASE, 1, AT(255), 1, 0, 0, "guest_remove_page()" },
    { "beyond RAM", DECREASE, 1, AT(END), 0, 0, 0, "ours: shared_info stays" },
    { "across the end of RAM", DECREASE, 1, AT(END - 1), 1, 0, 0,
      "guest_remove_page()" },
    { "frame -1", DECREASE, 1, AT(~0ull), 0, 0, 0, "guest_remove_page()" },
    { "frame -1, the last of an extent", DECREASE, 1, AT(~0ull - 1), 1, 0, 0,
      "guest_remove_page()" },
    { "populate beyond RAM", POPULATE, 1, AT(END + 5), 0, 0, 0,
      "ours: RAM is where it was" },
    { "populate frame 0", POPULATE, 1, AT(0), 0, 0, 0,
      "ours: the first MiB is absent" },
    { "memory without a frame", INCREASE, 1, AT(GFN), 0, 0, 0,
      "increase_reservation(): at the limit" },
    { "another's memory", DECREASE, 1, AT(GFN), 0, 0, 0,
      "header: unprivileged domains only DOMID_SELF", OTHER },
    { "nobody's memory", DECREASE, 1, AT(GFN), 0, 0, 0,
      "do_memory_op(): start_extent", 4711 },
    { "from the second extent on", DECREASE | 1 << 6, 2, AT(0, GFN), 0, 2, -1,
      "do_memory_op(): cmd >> 6 is start_extent" },
    { "after the last extent", DECREASE | 5 << 6, 2, AT(0, GFN), 0, 5, 0,
      "do_memory_op(): start_extent >= nr_extents" },
};

static void test_adjust(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        long before = reservation(XENMEM_current_reservation, DOMID_SELF);
        uint64_t used = core_used(fx.h);
        domid_t dom = rows[i].dom == OTHER ? fx.other : rows[i].dom;

        print_message("%s (%s)\n", rows[i].what, rows[i].says);
        memcpy(core_at(fx.h, fx.d, LIST), rows[i].gfn, sizeof(rows[i].gfn));
        assert_int_equal(adjust(rows[i].cmd, dom ? dom : DOMID_SELF, rows[i].n,
                                rows[i].order, LIST),
                         rows[i].done);
        assert_int_equal(reservation(XENMEM_current_reservation, DOMID_SELF),
                         before + rows[i].pages);
        assert_int_equal(core_used(fx.h), used + (uint64_t)rows[i].pages);
    }
}

/* What cannot be read is where it ends, and no error (do_memory_op()). */
static void test_faults(void **state)
{
    uint64_t *end = core_at(fx.h, fx.d, CORE_RAM_END + 4088);

    (void)state;
    assert_int_equal(call(DECREASE, 0), 0);
    assert_int_equal(call(POPULATE | 7 << 6, ~0ull), 7);
    assert_int_equal(adjust(DECREASE, DOMID_SELF, 1, 0, 0), 0);
    *end = GFN;
    assert_int_equal(adjust(DECREASE, DOMID_SELF, 4711, 0, CORE_RAM_END + 4088),
                     1);
    /* More extents than a continuation could count. */
    assert_int_equal(adjust(POPULATE, DOMID_SELF, 1ull << 26, 0, LIST), 0);
    assert_int_equal(adjust_at(POPULATE, GFN, 0), 1);
}

/* ---- the memory is gone, and comes back empty ---- */

static void test_host_gets_it_back(void **state)
{
    const uint64_t n = END - GFN;
    struct rs_domain_info info;
    uint64_t before;
    char *page;

    (void)state;
    for (uint64_t gfn = GFN; gfn < END; gfn++)
        memset(core_at(fx.h, fx.d, gfn << 12), 0x55, 4096);
    memset(core_at(fx.h, fx.d, CORE_ARG), 0, 4096);
    before = resident();
    for (uint64_t gfn = GFN; gfn < END; gfn++)
        assert_int_equal(adjust_at(DECREASE, gfn, 0), 1);
    assert_int_equal(resident(), before - n);
    assert_int_equal(memory()->tot_pages, PAGES - n);
    assert_int_equal(rs_domain_info(fx.h, fx.d, &info), 0);
    assert_int_equal(info.memory_kib, CORE_KIB - n * 4);
    for (uint64_t gfn = GFN; gfn < END; gfn++) {
        /* The hypervisor does not touch holes on the guest's behalf. */
        assert_null(memory_frame(core_domain(fx.h, fx.d), gfn, &(bool){ 0 }));
        assert_int_equal(core_call(fx.h, fx.d, __HYPERVISOR_xen_version,
                                   XENVER_extraversion, gfn << 12, 0),
                         -EFAULT);
    }
    assert_int_equal(resident(), before - n);
    for (uint64_t gfn = GFN; gfn < END; gfn++)
        assert_int_equal(adjust_at(POPULATE, gfn, 0), 1);
    page = core_at(fx.h, fx.d, GFN << 12);
    assert_true(page[0] == 0 && !memcmp(page, page + 1, 4095));
    assert_int_equal(memory()->tot_pages, PAGES);
}

/* One call does what takes many turns; adjacent or not. */
static void test_many_extents(void **state)
{
    const uint64_t n = 120; /* changes: more than fit in a turn */

    (void)state;
    for (uint64_t step = 1; step <= 3; step += 2) {
        uint64_t *list = core_at(fx.h, fx.d, CORE_RAM);
        uint64_t count = step == 1 ? n : n / step;

        for (uint64_t i = 0; i < count; i++)
            list[i] = END - 1 - i * step;
        assert_int_equal(adjust(DECREASE, DOMID_SELF, count, 0, CORE_RAM),
                         count);
        assert_int_equal(memory()->tot_pages, PAGES - count);
        assert_int_equal(adjust(POPULATE, DOMID_SELF, count, 0, CORE_RAM),
                         count);
        assert_int_equal(memory()->tot_pages, PAGES);
    }
}

/* A turn is bounded, and tells where the next begins. */
static void test_turns(void **state)
{
    struct vcpu *v = &core_domain(fx.h, fx.d)->vcpu[0];
    struct xen_memory_reservation op = { .nr_extents = 120,
                                         .domid = DOMID_SELF };
    uint64_t args[6] = { DECREASE, CORE_ARG };
    uint64_t *list = core_at(fx.h, fx.d, CORE_RAM);
    unsigned int turns = 0;
    long ret;

    (void)state;
    op.extent_start.p = (void *)CORE_RAM;
    memcpy(core_at(fx.h, fx.d, CORE_ARG), &op, sizeof(op));
    for (uint64_t i = 0; i < 120; i++)
        list[i] = END - 1 - i; /* downwards: none is adjacent */
    do {
        uint32_t before = memory()->tot_pages;

        ret = hypercall_dispatch(v, __HYPERVISOR_memory_op, args);
        memcpy(args, v->continuation, sizeof(v->continuation));
        assert_in_range(before - memory()->tot_pages, 1,
                        PREEMPT_BUDGET / PREEMPT_COST_MAP);
        turns++;
    } while (v->continued);
    assert_int_equal(ret, 120);
    assert_true(turns >= 4);
}

/* ---- limits ---- */

static void test_limits(void **state)
{
    struct rs_host *h = fx.h;

    (void)state;
    assert_int_equal(adjust_at(DECREASE, GFN, 4), 1);
    /* The reservation limit. */
    memory()->max_pages -= 8;
    assert_int_equal(reservation(XENMEM_maximum_reservation, DOMID_SELF),
                     PAGES - 8);
    assert_int_equal(adjust_at(POPULATE, GFN, 4), 0);
    assert_int_equal(adjust_at(POPULATE, GFN, 3), 1);
    assert_int_equal(adjust_at(POPULATE, GFN + 8, 0), 0);
    memory()->max_pages += 8;
    /* The host's budget, which somebody else has taken meanwhile. */
    assert_int_equal(host_charge(h, h->budget_pages - h->used_pages), 0);
    assert_int_equal(adjust_at(POPULATE, GFN + 8, 0), 0);
    host_uncharge(h, h->budget_pages - PAGES * 2 + 8);
    assert_int_equal(adjust_at(POPULATE, GFN + 8, 3), 1);
}

/* ---- grants ---- */

static int map(uint16_t mapper, uint32_t ref, uint32_t *handle)
{
    struct gnttab_map_grant_ref op = { .host_addr = CORE_APERTURE_GFN << 12,
                                       .flags = GNTMAP_host_map,
                                       .ref = ref,
                                       .dom = fx.d };

    assert_int_equal(core_op(fx.h, mapper, __HYPERVISOR_grant_table_op,
                             GNTTABOP_map_grant_ref, &op, sizeof(op)),
                     0);
    *handle = op.handle;
    return op.status;
}

/* A frame that somebody has mapped stays; a hole cannot be mapped. */
static void test_grants(void **state)
{
    struct gnttab_unmap_grant_ref un = { .host_addr = CORE_APERTURE_GFN << 12 };

    (void)state;
    grant_seed(core_domain(fx.h, fx.d), 20, fx.other, GFN + 1);
    assert_int_equal(map(fx.other, 20, &un.handle), GNTST_okay);
    assert_int_equal(adjust_at(DECREASE, GFN + 1, 0), 0);
    assert_int_equal(adjust_at(DECREASE, GFN, 1), 0);
    assert_int_equal(adjust_at(DECREASE, GFN, 0), 1);
    assert_int_equal(core_op(fx.h, fx.other, __HYPERVISOR_grant_table_op,
                             GNTTABOP_unmap_grant_ref, &un, sizeof(un)),
                     0);
    assert_int_equal(adjust_at(DECREASE, GFN + 1, 0), 1);
    assert_int_equal(map(fx.other, 20, &un.handle), GNTST_bad_page);
    assert_int_equal(adjust_at(POPULATE, GFN, 1), 1);
    assert_int_equal(map(fx.other, 20, &un.handle), GNTST_okay);
}

/* Holes are not paid for twice when their domain dies. */
static void test_dies_with_holes(void **state)
{
    uint16_t third = core_boot(fx.h);
    uint64_t used = core_used(fx.h);
    struct xen_memory_reservation op = { .nr_extents = 1,
                                         .extent_order = 5,
                                         .domid = DOMID_SELF };

    (void)state;
    *(uint64_t *)core_at(fx.h, third, LIST) = GFN;
    op.extent_start.p = (void *)LIST;
    assert_int_equal(
        core_op(fx.h, third, __HYPERVISOR_memory_op, DECREASE, &op, sizeof(op)),
        1);
    assert_int_equal(core_used(fx.h), used - 32);
    assert_int_equal(rs_domain_destroy(fx.h, third), 0);
    assert_int_equal(core_used(fx.h), used - PAGES);
}

/* ---- what is asked about memory ---- */

static const struct {
    const char *what;
    uint64_t cmd;
    domid_t dom;
    long ret;
    const char *says;
} asked[] = {
    { "current", XENMEM_current_reservation, DOMID_SELF, PAGES, "header" },
    { "maximum", XENMEM_maximum_reservation, DOMID_SELF, PAGES, "header" },
    { "maximum_gpfn", XENMEM_maximum_gpfn, DOMID_SELF, CORE_PAGES - 1,
      "header" },
    { "maximum_ram_page", XENMEM_maximum_ram_page, DOMID_SELF, 64 * 256,
      "header: the host's" },
    { "current of another", XENMEM_current_reservation, OTHER, -EPERM,
      "xsm_memory_stat_reservation()" },
    { "maximum of another", XENMEM_maximum_reservation, OTHER, -EPERM,
      "xsm_memory_stat_reservation()" },
    { "maximum_gpfn of another", XENMEM_maximum_gpfn, OTHER, -EPERM,
      "xsm_memory_stat_reservation()" },
    { "current of nobody", XENMEM_current_reservation, 4711, -ESRCH,
      "do_memory_op()" },
    { "current, continued", XENMEM_current_reservation | 1 << 6, DOMID_SELF,
      -EINVAL, "do_memory_op(): start_extent" },
    { "add_to_physmap, continued", XENMEM_add_to_physmap | 1 << 6, DOMID_SELF,
      -EINVAL, "do_memory_op(): start_extent" },
    { "machine_memory_map", XENMEM_machine_memory_map, DOMID_SELF, -ENOSYS,
      "hvm_memory_op()" },
    { "machphys_mapping", XENMEM_machphys_mapping, DOMID_SELF, -ENOSYS,
      "hvm_memory_op()" },
    { "the last number", 63, DOMID_SELF, -ENOSYS, "do_memory_op()" },
    { "all bits", ~0ull, DOMID_SELF, -ENOSYS, "do_memory_op()" },
};

static void test_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        domid_t dom = asked[i].dom == OTHER ? fx.other : asked[i].dom;

        print_message("%s (%s)\n", asked[i].what, asked[i].says);
        assert_int_equal(reservation(asked[i].cmd, dom), asked[i].ret);
    }
    assert_int_equal(call(XENMEM_current_reservation, 0), -EFAULT);
    assert_int_equal(call(XENMEM_maximum_ram_page, 0), 64 * 256);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_adjust),
        CASE(test_faults),
        CASE(test_host_gets_it_back),
        CASE(test_many_extents),
        CASE(test_turns),
        CASE(test_limits),
        CASE(test_grants),
        CASE(test_dies_with_holes),
        CASE(test_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
