/*
 * The ABI of grant_table_op as tables: what is asked, what is answered, and
 * who says so: a section of <xen/grant_table.h> ("header"), or the function of
 * Xen 4.17 whose answer it is.
 */
#include "core.h"

#include <errno.h>
#include <string.h>

#define GFN     (CORE_RAM >> 12)
#define HOLE(i) ((CORE_APERTURE_GFN + (i)) << 12) /* a free address */

/* References of the granter, as setup() writes them. */
enum {
    WRITABLE = 20, /* to the caller; frame GFN */
    READONLY,
    FREE,
    OTHERS,   /* to the granter itself */
    NOT_RAM,  /* a frame that is none */
    TRANSFER, /* accept_transfer */
    SECOND,   /* writable; frame GFN + 1 */
    BEYOND = GRANT_PER_FRAME,
};

static struct {
    struct rs_host *h;
    uint16_t granter, caller;
} fx;

static grant_entry_v1_t *entry(uint16_t domid, uint32_t ref)
{
    grant_entry_v1_t *frame =
        memory_own_page(core_domain(fx.h, domid), MEMORY_OWN_GRANT);

    return &frame[ref];
}

static void write_entries(void)
{
    const uint16_t permit = GTF_permit_access;
    grant_entry_v1_t *e = entry(fx.granter, 0);

    e[WRITABLE] = (grant_entry_v1_t){ permit, fx.caller, GFN };
    e[READONLY] = (grant_entry_v1_t){ permit | GTF_readonly, fx.caller, GFN };
    e[FREE] = (grant_entry_v1_t){ GTF_invalid, fx.caller, GFN };
    e[OTHERS] = (grant_entry_v1_t){ permit, fx.granter, GFN };
    e[NOT_RAM] = (grant_entry_v1_t){ permit, fx.caller, 3 };
    e[TRANSFER] = (grant_entry_v1_t){ GTF_accept_transfer, fx.caller, GFN };
    e[SECOND] = (grant_entry_v1_t){ permit, fx.caller, GFN + 1 };
}

static int setup(void **state)
{
    (void)state;
    fx.h = core_host("test");
    fx.granter = core_boot(fx.h);
    fx.caller = core_boot(fx.h);
    write_entries();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rs_host_free(fx.h);
    return 0;
}

static long grant_op(unsigned int cmd, void *op, size_t size)
{
    return core_op(fx.h, fx.caller, __HYPERVISOR_grant_table_op, cmd, op, size);
}

/* Nothing of a row may be left behind. */
static void check_released(const char *what)
{
    grant_entry_v1_t *e = entry(fx.granter, 0);

    for (uint32_t ref = WRITABLE; ref <= SECOND; ref++)
        if (e[ref].flags & (GTF_reading | GTF_writing))
            fail_msg("%s: reference %u is marked", what, ref);
    if (core_domain(fx.h, fx.granter)->memory.pins)
        fail_msg("%s: a frame is pinned", what);
}

/* Stands for the granter's and the caller's domid in a row. */
#define GRANTER 0x7001
#define CALLER  0x7002

static domid_t domid_of(domid_t d)
{
    return d == GRANTER ? fx.granter : d == CALLER ? fx.caller : d;
}

/* ---- map_grant_ref ---- */

#define HOST GNTMAP_host_map
#define RO   GNTMAP_readonly

static const struct {
    const char *what;
    domid_t dom;
    uint32_t ref, flags;
    int16_t status;
    uint16_t marks; /* in the entry, while it is mapped */
    const char *says;
    bool at_ram; /* the address, which is a free one else */
} maps[] = {
    { "writable", GRANTER, WRITABLE, HOST, GNTST_okay,
      GTF_reading | GTF_writing, "header: introduction to grant tables, v1" },
    { "read-only, of a writable grant", GRANTER, WRITABLE, HOST | RO,
      GNTST_okay, GTF_reading, "header: GTF_reading" },
    { "read-only", GRANTER, READONLY, HOST | RO, GNTST_okay, GTF_reading,
      "header: GTF_readonly" },
    { "writable, of a read-only grant", GRANTER, READONLY, HOST,
      GNTST_general_error, 0, "_set_status_v1(): write-pin of a r/o entry" },
    { "of a free entry", GRANTER, FREE, HOST, GNTST_general_error, 0,
      "_set_status_v1(): bad flags" },
    { "of an entry for a transfer", GRANTER, TRANSFER, HOST,
      GNTST_general_error, 0, "_set_status_v1(): bad flags" },
    { "of somebody else's", GRANTER, OTHERS, HOST, GNTST_general_error, 0,
      "_set_status_v1(): bad domain" },
    { "of a frame that is not RAM", GRANTER, NOT_RAM, HOST, GNTST_bad_page, 0,
      "get_paged_frame()" },
    { "beyond the table", GRANTER, BEYOND, HOST, GNTST_bad_gntref, 0,
      "map_grant_ref(): bad ref" },
    { "reference -1", GRANTER, ~0u, HOST, GNTST_bad_gntref, 0,
      "map_grant_ref(): bad ref" },
    { "of nobody", 4711, WRITABLE, HOST, GNTST_bad_domain, 0,
      "map_grant_ref(): could not find domain" },
    { "of DOMID_SELF", DOMID_SELF, WRITABLE, HOST, GNTST_bad_domain, 0,
      "rcu_lock_domain_by_id(): real ids only" },
    { "of DOMID_IO", DOMID_IO, WRITABLE, HOST, GNTST_bad_domain, 0,
      "rcu_lock_domain_by_id(): real ids only" },
    { "of nobody, where nothing can be", 4711, WRITABLE, HOST, GNTST_bad_domain,
      0, "map_grant_ref(): the mapping is made last", true },
    { "where nothing can be", GRANTER, WRITABLE, HOST, GNTST_bad_virt_addr, 0,
      "ours: RAM is not replaced", true },
    { "neither host nor device", GRANTER, WRITABLE, RO, GNTST_bad_gntref, 0,
      "map_grant_ref(): bad flags in grant map op" },
    { "for devices", GRANTER, WRITABLE, GNTMAP_device_map, GNTST_general_error,
      0, "map_grant_ref(): no device mapping for autotranslated guests" },
    { "for devices, too", GRANTER, WRITABLE, HOST | GNTMAP_device_map,
      GNTST_general_error, 0, "map_grant_ref(): the same" },
    { "for the application", GRANTER, WRITABLE, HOST | GNTMAP_application_map,
      GNTST_general_error, 0, "map_grant_ref(): the same" },
    { "by page table entry", GRANTER, WRITABLE, HOST | GNTMAP_contains_pte,
      GNTST_general_error, 0, "map_grant_ref(): the same" },
    { "with bits of the guest's own", GRANTER, WRITABLE, HOST | 1u << 16,
      GNTST_general_error, 0, "create_grant_p2m_mapping(): other flags" },
};

static void test_map(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        struct gnttab_map_grant_ref op = { .host_addr = maps[i].at_ram
                                                            ? CORE_RAM
                                                            : HOLE(i),
                                           .flags = maps[i].flags,
                                           .ref = maps[i].ref,
                                           .dom = domid_of(maps[i].dom) };
        struct gnttab_unmap_grant_ref un = { .host_addr = HOLE(i) };
        uint16_t marks = GTF_reading | GTF_writing;

        print_message("map %s (%s)\n", maps[i].what, maps[i].says);
        assert_int_equal(grant_op(GNTTABOP_map_grant_ref, &op, sizeof(op)), 0);
        assert_int_equal(op.status, maps[i].status);
        if (maps[i].ref < BEYOND)
            assert_int_equal(entry(fx.granter, maps[i].ref)->flags & marks,
                             maps[i].marks);
        un.handle = op.handle;
        assert_int_equal(grant_op(GNTTABOP_unmap_grant_ref, &un, sizeof(un)),
                         0);
        assert_int_equal(un.status,
                         maps[i].status ? GNTST_bad_handle : GNTST_okay);
        check_released(maps[i].what);
    }
}

/* ---- unmap_grant_ref ---- */

static const struct {
    const char *what;
    uint32_t handle; /* added to that of the mapping */
    uint64_t addr;
    int16_t status;
    bool ends;
    const char *says;
} unmaps[] = {
    { "no such handle", 1, HOLE(0), GNTST_bad_handle, false,
      "unmap_common(): bad handle" },
    { "handle out of range", 1u << 31, HOLE(0), GNTST_bad_handle, false,
      "unmap_common(): bad handle" },
    { "another address", 0, HOLE(1), GNTST_general_error, false,
      "replace_grant_p2m_mapping(): old mapping invalid" },
    { "no address", 0, 0, GNTST_okay, false,
      "header: if host_addr is zero the field is ignored" },
    { "as it was mapped", 0, HOLE(0), GNTST_okay, true, "header: unmap" },
    { "twice", 0, HOLE(0), GNTST_bad_handle, true,
      "unmap_common(): bad handle" },
};

static void test_unmap(void **state)
{
    struct gnttab_map_grant_ref map = {
        .host_addr = HOLE(0), .flags = HOST, .ref = WRITABLE, .dom = fx.granter
    };

    (void)state;
    assert_int_equal(grant_op(GNTTABOP_map_grant_ref, &map, sizeof(map)), 0);
    assert_int_equal(map.status, GNTST_okay);
    for (size_t i = 0; i < sizeof(unmaps) / sizeof(unmaps[0]); i++) {
        struct gnttab_unmap_grant_ref op = {
            .host_addr = unmaps[i].addr,
            .handle = map.handle + unmaps[i].handle,
        };

        print_message("unmap %s (%s)\n", unmaps[i].what, unmaps[i].says);
        assert_int_equal(grant_op(GNTTABOP_unmap_grant_ref, &op, sizeof(op)),
                         0);
        assert_int_equal(op.status, unmaps[i].status);
        assert_int_equal(core_domain(fx.h, fx.granter)->memory.pins,
                         !unmaps[i].ends);
    }
    check_released("unmap");
}

/* ---- copy ---- */

#define SRC GNTCOPY_source_gref
#define DST GNTCOPY_dest_gref
#define REF(r, at)                                              \
    {                                                           \
        .page = r, .dom = GRANTER, .offset = at, .by_ref = true \
    }
#define OWN(f, at)                                 \
    {                                              \
        .page = f, .dom = DOMID_SELF, .offset = at \
    }
#define FRAME(f, d)         \
    {                       \
        .page = f, .dom = d \
    }
#define NOBODY                                        \
    {                                                 \
        .page = WRITABLE, .dom = 4711, .by_ref = true \
    }

static const struct {
    const char *what;
    struct {
        uint64_t page; /* reference or frame */
        domid_t dom;
        uint16_t offset;
        bool by_ref;
    } from, to;
    uint16_t len;
    int16_t status;
    const char *says;
} copies[] = {
    { "a page in", REF(WRITABLE, 0), OWN(GFN, 0), 4096, GNTST_okay,
      "header: GNTTABOP_copy" },
    { "a page out", OWN(GFN, 0), REF(WRITABLE, 0), 4096, GNTST_okay,
      "header: GNTTABOP_copy" },
    { "between grants", REF(READONLY, 8), REF(SECOND, 16), 100, GNTST_okay,
      "header: GNTTABOP_copy" },
    { "between one's own frames", OWN(GFN, 5), OWN(GFN + 1, 0), 10, GNTST_okay,
      "header: DOMID_SELF" },
    { "within a frame, overlapping", OWN(GFN, 0), OWN(GFN, 1), 100, GNTST_okay,
      "gnttab_copy_buf()" },
    { "within a grant", REF(WRITABLE, 0), REF(WRITABLE, 2048), 2048, GNTST_okay,
      "acquire_grant_for_copy(): pinned twice" },
    { "nothing", REF(WRITABLE, 4096), OWN(GFN, 4096), 0, GNTST_okay,
      "gnttab_copy_buf(): a page's end is in bounds" },
    { "the last byte", REF(WRITABLE, 4095), OWN(GFN, 4095), 1, GNTST_okay,
      "gnttab_copy_buf()" },
    { "one byte too many", REF(WRITABLE, 0), OWN(GFN, 0), 4097,
      GNTST_bad_copy_arg, "header: GNTST_bad_copy_arg" },
    { "across the source's end", REF(WRITABLE, 4090), OWN(GFN, 0), 7,
      GNTST_bad_copy_arg, "gnttab_copy_buf()" },
    { "across the target's end", REF(WRITABLE, 0), OWN(GFN, 4090), 7,
      GNTST_bad_copy_arg, "gnttab_copy_buf()" },
    { "as far as 16 bits reach", OWN(GFN, 0xffff), OWN(GFN, 0xffff), 0xffff,
      GNTST_bad_copy_arg, "gnttab_copy_buf()" },
    { "into a read-only grant", OWN(GFN, 0), REF(READONLY, 0), 8,
      GNTST_general_error, "_set_status_v1(): write-pin of a r/o entry" },
    { "from a free entry", REF(FREE, 0), OWN(GFN, 0), 8, GNTST_general_error,
      "_set_status_v1(): bad flags" },
    { "from somebody else's", REF(OTHERS, 0), OWN(GFN, 0), 8,
      GNTST_general_error, "_set_status_v1(): bad domain" },
    { "from a bad entry, out of bounds", REF(FREE, 4096), OWN(GFN, 0), 8,
      GNTST_general_error, "gnttab_copy_one(): pages are claimed first" },
    { "a good source, a bad target", REF(WRITABLE, 0), REF(FREE, 0), 8,
      GNTST_general_error, "gnttab_copy_one(): the source is released" },
    { "beyond the table", REF(BEYOND, 0), OWN(GFN, 0), 8, GNTST_bad_gntref,
      "acquire_grant_for_copy(): bad reference" },
    { "from a grant of no RAM", REF(NOT_RAM, 0), OWN(GFN, 0), 8, GNTST_bad_page,
      "get_paged_frame()" },
    { "from a frame of no RAM", OWN(3, 0), OWN(GFN, 0), 8, GNTST_bad_page,
      "get_paged_frame()" },
    { "to a frame of no RAM", OWN(GFN, 0), OWN(CORE_APERTURE_GFN, 0), 8,
      GNTST_bad_page, "get_paged_frame()" },
    { "to a frame far away", OWN(GFN, 0), OWN(~0ull, 0), 8, GNTST_bad_page,
      "get_paged_frame()" },
    { "another's frame", FRAME(GFN, GRANTER), OWN(GFN, 0), 8,
      GNTST_permission_denied, "header: by frame only with DOMID_SELF" },
    { "one's own frame by number", FRAME(GFN, CALLER), OWN(GFN, 0), 8,
      GNTST_permission_denied, "gnttab_copy_lock_domain()" },
    { "to another's frame", OWN(GFN, 0), FRAME(GFN, GRANTER), 8,
      GNTST_permission_denied, "gnttab_copy_lock_domain()" },
    { "of nobody", NOBODY, OWN(GFN, 0), 8, GNTST_bad_domain,
      "gnttab_copy_lock_domain()" },
    { "to nobody, from a bad entry", REF(FREE, 0), NOBODY, 8, GNTST_bad_domain,
      "gnttab_copy_one(): domains come first" },
};

/* The byte at `offset` of a page of a row's side, before any copy. */
static uint8_t pattern(uint16_t d, uint64_t page, unsigned int offset)
{
    return (uint8_t)(offset * 7 + offset / 256 + page * 31 + d);
}

static void write_pattern(uint16_t d)
{
    for (uint64_t p = 0; p < 2; p++)
        for (unsigned int i = 0; i < 4096; i++)
            ((uint8_t *)core_at(fx.h, d, CORE_RAM + p * 4096))[i] =
                pattern(d, GFN + p, i);
}

static void check_pattern(size_t row, uint16_t d, uint64_t gfn)
{
    uint16_t td = copies[row].to.by_ref ? fx.granter : fx.caller;
    uint16_t sd = copies[row].from.by_ref ? fx.granter : fx.caller;
    uint64_t to = copies[row].to.page, from = copies[row].from.page;
    const uint8_t *page = core_at(fx.h, d, gfn << 12);

    to = to == SECOND ? GFN + 1 : copies[row].to.by_ref ? GFN : to;
    from = copies[row].from.by_ref ? GFN : from;
    for (unsigned int i = 0; i < 4096; i++) {
        unsigned int at = i - copies[row].to.offset;
        uint8_t want = pattern(d, gfn, i);

        if (!copies[row].status && d == td && gfn == to &&
            i >= copies[row].to.offset && at < copies[row].len)
            want = pattern(sd, from, at + copies[row].from.offset);
        if (page[i] != want)
            fail_msg("copy %s: byte %u of frame %#lx of domain %u",
                     copies[row].what, i, (unsigned long)gfn, d);
    }
}

static void test_copy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
        struct gnttab_copy op = {
            .source = { .u.gmfn = copies[i].from.page,
                        .domid = domid_of(copies[i].from.dom),
                        .offset = copies[i].from.offset },
            .dest = { .u.gmfn = copies[i].to.page,
                      .domid = domid_of(copies[i].to.dom),
                      .offset = copies[i].to.offset },
            .len = copies[i].len,
            .flags = (copies[i].from.by_ref ? SRC : 0) |
                     (copies[i].to.by_ref ? DST : 0),
            .status = 77,
        };

        print_message("copy %s (%s)\n", copies[i].what, copies[i].says);
        write_pattern(fx.granter);
        write_pattern(fx.caller);
        assert_int_equal(grant_op(GNTTABOP_copy, &op, sizeof(op)), 0);
        assert_int_equal(op.status, copies[i].status);
        for (uint64_t p = GFN; p < GFN + 2; p++) {
            check_pattern(i, fx.granter, p);
            check_pattern(i, fx.caller, p);
        }
        check_released(copies[i].what);
    }
}

/* A page that is mapped already: what the entry says now does not count, the
 * frame is the one that was pinned (acquire_grant_for_copy()). */
static void test_copy_through_a_stale_grant(void **state)
{
    struct gnttab_map_grant_ref map = {
        .host_addr = HOLE(0), .flags = HOST, .ref = WRITABLE, .dom = fx.granter
    };
    struct gnttab_copy op = {
        .source = { .u.ref = WRITABLE, .domid = fx.granter },
        .dest = { .u.gmfn = GFN, .domid = DOMID_SELF },
        .len = 64,
        .flags = SRC,
    };

    (void)state;
    write_pattern(fx.granter);
    assert_int_equal(grant_op(GNTTABOP_map_grant_ref, &map, sizeof(map)), 0);
    entry(fx.granter, WRITABLE)->frame = GFN + 1;
    entry(fx.granter, WRITABLE)->flags = 0;
    assert_int_equal(grant_op(GNTTABOP_copy, &op, sizeof(op)), 0);
    assert_int_equal(op.status, GNTST_okay);
    assert_memory_equal(core_at(fx.h, fx.caller, CORE_RAM),
                        core_at(fx.h, fx.granter, CORE_RAM), 64);
    assert_int_equal(core_domain(fx.h, fx.granter)->memory.pins, 1);
}

/* ---- swap_grant_ref ---- */

static const struct {
    const char *what;
    uint32_t a, b;
    int16_t status;
    const char *says;
} swaps[] = {
    { "two", WRITABLE, FREE, GNTST_okay, "header: GNTTABOP_swap_grant_ref" },
    { "back", FREE, WRITABLE, GNTST_okay, "header: GNTTABOP_swap_grant_ref" },
    { "one with itself", READONLY, READONLY, GNTST_okay,
      "swap_grant_ref(): a no-op" },
    { "a used one with itself", SECOND, SECOND, GNTST_okay,
      "swap_grant_ref(): a no-op" },
    { "a used one", SECOND, FREE, GNTST_eagain, "swap_grant_ref(): busy" },
    { "with a used one", FREE, SECOND, GNTST_eagain, "swap_grant_ref(): busy" },
    { "beyond the table", BEYOND, FREE, GNTST_bad_gntref,
      "swap_grant_ref(): bad ref-a" },
    { "with one beyond", FREE, ~0u, GNTST_bad_gntref,
      "swap_grant_ref(): bad ref-b" },
};

static void test_swap(void **state)
{
    struct gnttab_map_grant_ref map = {
        .host_addr = HOLE(0), .flags = HOST, .ref = SECOND, .dom = fx.granter
    };

    (void)state;
    assert_int_equal(grant_op(GNTTABOP_map_grant_ref, &map, sizeof(map)), 0);
    for (size_t i = 0; i < sizeof(swaps) / sizeof(swaps[0]); i++) {
        struct gnttab_swap_grant_ref op = { .ref_a = swaps[i].a,
                                            .ref_b = swaps[i].b };
        grant_entry_v1_t *e = entry(fx.granter, 0);
        bool in = op.ref_a < BEYOND && op.ref_b < BEYOND;
        grant_entry_v1_t a = e[in ? op.ref_a : 0], b = e[in ? op.ref_b : 0];

        print_message("swap %s (%s)\n", swaps[i].what, swaps[i].says);
        assert_int_equal(core_op(fx.h, fx.granter, __HYPERVISOR_grant_table_op,
                                 GNTTABOP_swap_grant_ref, &op, sizeof(op)),
                         0);
        assert_int_equal(op.status, swaps[i].status);
        if (!in)
            continue;
        assert_memory_equal(&e[op.ref_b], op.status ? &b : &a, sizeof(a));
        assert_memory_equal(&e[op.ref_a], op.status ? &a : &b, sizeof(a));
    }
}

/* ---- versions and sizes ---- */

static const struct {
    uint32_t asked;
    long ret;
    const char *says;
} versions[] = {
    { 1, 0, "header: GNTTABOP_set_version" },
    { 2, -ENOSYS, "gnttab_set_version(): of gnttab=max-ver:1" },
    { 0, -EINVAL, "gnttab_set_version()" },
    { 3, -EINVAL, "gnttab_set_version()" },
    { ~0u, -EINVAL, "gnttab_set_version()" },
};

static void test_set_version(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct gnttab_set_version op = { .version = versions[i].asked };

        print_message("version %u (%s)\n", op.version, versions[i].says);
        assert_int_equal(grant_op(GNTTABOP_set_version, &op, sizeof(op)),
                         versions[i].ret);
        assert_int_equal(op.version, 1); /* the one that is in use */
    }
}

static const struct {
    const char *what;
    domid_t dom;
    long version;       /* get_version's result */
    int16_t query, set; /* status of query_size and of setup_table */
    const char *says;
} tables[] = {
    { "one's own", DOMID_SELF, 0, GNTST_okay, GNTST_okay, "header" },
    { "one's own by number", CALLER, 0, GNTST_okay, GNTST_okay,
      "rcu_lock_domain_by_any_id()" },
    { "another's", GRANTER, -EPERM, GNTST_permission_denied,
      GNTST_permission_denied, "header: only a privileged domain may" },
    { "nobody's", 4711, -ESRCH, GNTST_bad_domain, GNTST_bad_domain,
      "gnttab_get_version(), gnttab_query_size(), gnttab_setup_table()" },
};

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        struct gnttab_get_version version = { .dom = domid_of(tables[i].dom) };
        struct gnttab_query_size query = { .dom = version.dom };
        struct gnttab_setup_table set = { .dom = version.dom, .nr_frames = 2 };

        print_message("table: %s (%s)\n", tables[i].what, tables[i].says);
        set.frame_list.p = (void *)CORE_RAM;
        assert_int_equal(
            grant_op(GNTTABOP_get_version, &version, sizeof(version)),
            tables[i].version);
        if (!tables[i].version)
            assert_int_equal(version.version, 1);
        assert_int_equal(grant_op(GNTTABOP_query_size, &query, sizeof(query)),
                         0);
        assert_int_equal(query.status, tables[i].query);
        assert_int_equal(grant_op(GNTTABOP_setup_table, &set, sizeof(set)), 0);
        assert_int_equal(set.status, tables[i].set);
    }
    assert_int_equal(core_domain(fx.h, fx.caller)->grants.nr_frames, 2);
    assert_int_equal(core_domain(fx.h, fx.granter)->grants.nr_frames, 1);
}

/* ---- numbers and counts ---- */

static const struct {
    const char *what;
    uint64_t cmd, at, count;
    long ret;
    const char *says;
} calls[] = {
    { "map 0", GNTTABOP_map_grant_ref, 0, 0, 0, "gnttab_map_grant_ref()" },
    { "map from nowhere", GNTTABOP_map_grant_ref, 0, 1, -EFAULT, "errno.h" },
    { "unmap from nowhere", GNTTABOP_unmap_grant_ref, ~0ull, 1, -EFAULT,
      "errno.h" },
    { "copy from nowhere", GNTTABOP_copy, 0, 1, -EFAULT, "errno.h" },
    { "copy -1", GNTTABOP_copy, CORE_ARG, ~0u, -EINVAL,
      "do_grant_table_op(): a negative count" },
    { "copy 2^31", GNTTABOP_copy, CORE_ARG, 1u << 31, -EINVAL,
      "do_grant_table_op(): a negative count" },
    { "more than memory holds", GNTTABOP_copy, CORE_RAM, 1u << 20, -EFAULT,
      "gnttab_copy(): what was before is done" },
    { "two tables", GNTTABOP_setup_table, CORE_ARG, 2, -EINVAL,
      "gnttab_setup_table(): count" },
    { "two sizes", GNTTABOP_query_size, CORE_ARG, 2, -EINVAL,
      "gnttab_query_size(): count" },
    { "dump_table", GNTTABOP_dump_table, CORE_ARG, 1, -ENOSYS,
      "hvm_grant_table_op()" },
    { "transfer", GNTTABOP_transfer, CORE_ARG, 1, -ENOSYS,
      "hvm_grant_table_op()" },
    { "unmap_and_replace", GNTTABOP_unmap_and_replace, CORE_ARG, 1, -ENOSYS,
      "hvm_grant_table_op()" },
    { "get_status_frames", GNTTABOP_get_status_frames, CORE_ARG, 1, -ENOSYS,
      "hvm_grant_table_op()" },
    { "cache_flush", GNTTABOP_cache_flush, CORE_ARG, 1, -ENOSYS,
      "hvm_grant_table_op()" },
    { "the next number", 13, CORE_ARG, 1, -ENOSYS, "hvm_grant_table_op()" },
    { "the last number", ~0u, CORE_ARG, 1, -ENOSYS, "hvm_grant_table_op()" },
};

static void test_calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        print_message("%s (%s)\n", calls[i].what, calls[i].says);
        assert_int_equal(core_call(fx.h, fx.caller, __HYPERVISOR_grant_table_op,
                                   calls[i].cmd, calls[i].at, calls[i].count),
                         calls[i].ret);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_map),    CASE(test_unmap),
        CASE(test_copy),   CASE(test_copy_through_a_stale_grant),
        CASE(test_swap),   CASE(test_set_version),
        CASE(test_tables), CASE(test_calls),

    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
