/*
 * The other hypercalls: memory_op, xen_version, multicall, console_io,
 * sched_op, timers, and how their arguments are read.
 */
#include "core.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "console.h"
#include "hypercalls/hypercall.h"
#include "preempt.h"

static struct {
    struct rs_host *h;
    uint16_t d;
    char console[200000];
    size_t console_n;
    int events;
    unsigned int lines; /* of the log */
} fx;

static long call(unsigned int nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    return core_call(fx.h, fx.d, nr, a0, a1, a2);
}

static long memory_op(uint64_t cmd, void *op, size_t size)
{
    return core_op(fx.h, fx.d, __HYPERVISOR_memory_op, cmd, op, size);
}

static void on_event(void *data, uint16_t domid)
{
    (void)data;
    fx.events += domid == fx.d;
}

static void on_console(void *data, const char *bytes, size_t n)
{
    (void)data;
    assert_true(n <= sizeof(fx.console) - fx.console_n);
    memcpy(fx.console + fx.console_n, bytes, n);
    fx.console_n += n;
}

static int setup(void **state)
{
    const struct rs_host_config c = { .engine = "test",
                                      .memory_kib = 64 * 1024,
                                      .domain_event = on_event };
    uint8_t image[CORE_IMAGE_SIZE];
    struct rs_domain_config dc = { .memory_kib = CORE_KIB,
                                   .kernel = image,
                                   .kernel_size = sizeof(image),
                                   .console = on_console };

    (void)state;
    memset(&fx, 0, sizeof(fx));
    assert_int_equal(rs_host_new(&c, &fx.h), 0);
    fx.h->budget_ticks = PREEMPT_UNTIMED;
    core_image(image);
    fx.d = (uint16_t)rs_domain_create(fx.h, &dc);
    assert_int_equal(rs_domain_unpause(fx.h, fx.d), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rs_host_free(fx.h);
    return 0;
}

/* ---- memory_op ---- */

static void test_reservations(void **state)
{
    domid_t self = DOMID_SELF, other = core_boot(fx.h), none = 4711;
    const uint64_t cmds[] = { XENMEM_current_reservation,
                              XENMEM_maximum_reservation, XENMEM_maximum_gpfn };

    (void)state;
    assert_int_equal(memory_op(cmds[0], &self, sizeof(self)),
                     CORE_PAGES - MEMORY_FIRST_GFN);
    assert_int_equal(memory_op(cmds[1], &self, sizeof(self)),
                     CORE_PAGES - MEMORY_FIRST_GFN);
    assert_int_equal(memory_op(cmds[2], &self, sizeof(self)), CORE_PAGES - 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(memory_op(cmds[i], &other, sizeof(other)), -EPERM);
        assert_int_equal(memory_op(cmds[i], &none, sizeof(none)), -ESRCH);
        assert_int_equal(call(__HYPERVISOR_memory_op, cmds[i], 0, 0), -EFAULT);
    }
    assert_true(call(__HYPERVISOR_memory_op, XENMEM_maximum_ram_page, 0, 0) >=
                CORE_PAGES);
    assert_int_equal(call(__HYPERVISOR_memory_op, ~0ull, CORE_ARG, 0), -ENOSYS);
}

static void test_memory_map(void **state)
{
    struct {
        uint64_t addr, size;
        uint32_t type;
    } __attribute__((packed)) *ram = core_at(fx.h, fx.d, CORE_RAM);
    struct xen_memory_map op = { .nr_entries = 4 };

    (void)state;
    op.buffer.p = (void *)CORE_RAM;
    assert_int_equal(memory_op(XENMEM_memory_map, &op, sizeof(op)), 0);
    assert_int_equal(op.nr_entries, 1);
    assert_int_equal(ram->addr, 1 << 20);
    assert_int_equal(ram->addr + ram->size, CORE_RAM_END);
    assert_int_equal(ram->type, 1);
    op.nr_entries = 0;
    assert_int_equal(memory_op(XENMEM_memory_map, &op, sizeof(op)), 0);
    assert_int_equal(op.nr_entries, 0);
    op.nr_entries = 1;
    op.buffer.p = (void *)0x1000;
    assert_int_equal(memory_op(XENMEM_memory_map, &op, sizeof(op)), -EFAULT);
}

static long add(unsigned int space, uint64_t idx, uint64_t gfn)
{
    struct xen_add_to_physmap op = {
        .domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = gfn
    };

    return memory_op(XENMEM_add_to_physmap, &op, sizeof(op));
}

static void test_add_to_physmap(void **state)
{
    const unsigned int grants = XENMAPSPACE_grant_table,
                       info = XENMAPSPACE_shared_info;
    struct xen_add_to_physmap op = { .domid = core_boot(fx.h),
                                     .space = grants };
    uint64_t at = CORE_APERTURE_GFN;

    (void)state;
    assert_int_equal(add(grants, 0, at), 0);
    assert_ptr_equal(
        core_at(fx.h, fx.d, at << 12),
        memory_own_page(core_domain(fx.h, fx.d), MEMORY_OWN_GRANT));
    assert_int_equal(add(grants, 0, at), -EINVAL); /* not free any more */
    assert_int_equal(add(grants, 31, at + 1), 0);
    assert_int_equal(core_domain(fx.h, fx.d)->grants.nr_frames, 32);
    assert_int_equal(add(grants, 32, at + 2), -EINVAL);
    assert_int_equal(add(grants, ~0ull, at + 2), -EINVAL);
    assert_int_equal(add(grants, 1ull << 32, at + 2), -EINVAL);
    assert_int_equal(add(info, 0, at + 2), 0);
    assert_int_equal(add(info, 1, at + 3), -EINVAL);
    assert_int_equal(add(XENMAPSPACE_gmfn, 0, at + 3), -EINVAL);
    assert_int_equal(add(grants, 1, 300), -EINVAL); /* RAM */
    assert_int_equal(add(grants, 1, 0), -EINVAL);
    assert_int_equal(add(grants, 1, CORE_PAGES + MEMORY_APERTURE_PAGES),
                     -EINVAL);
    assert_int_equal(add(grants, 1, ~0ull), -EINVAL);
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &op, sizeof(op)), -EPERM);
}

/* ---- how arguments are read ---- */

static void test_guest_addresses(void **state)
{
    const uint64_t good[] = { 1 << 20, CORE_RAM, CORE_RAM + 4095,
                              CORE_RAM_END - 8192 };
    const uint64_t bad[] = { 0,
                             (1 << 20) - 8192,
                             (1 << 20) - 1,
                             CORE_RAM_END + 4096,
                             CORE_RAM_END + 4090,
                             CORE_APERTURE_GFN << 12,
                             (CORE_PAGES + MEMORY_APERTURE_PAGES) * 4096ull,
                             ~0ull,
                             ~0ull - 4096,
                             1ull << 47,
                             1ull << 63 };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(
            call(__HYPERVISOR_console_io, CONSOLEIO_write, 8192, good[i]), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(
            call(__HYPERVISOR_console_io, CONSOLEIO_write, 8192, bad[i]),
            -EFAULT);
    /* A result that crosses pages arrives whole. */
    assert_int_equal(
        call(__HYPERVISOR_xen_version, XENVER_extraversion, CORE_RAM + 4092, 0),
        0);
    assert_memory_equal(core_at(fx.h, fx.d, CORE_RAM + 4092), "-rin", 4);
    assert_memory_equal(core_at(fx.h, fx.d, CORE_RAM + 4096), "gside", 6);
    assert_int_equal(call(__HYPERVISOR_xen_version, XENVER_commandline,
                          CORE_RAM_END + 4000, 0),
                     -EFAULT);
}

/* A process's addresses are offsets into what came with the call. */
static void test_process_addresses(void **state)
{
    struct domain *p = core_join(fx.h, RS_DOMID_DRIVER);
    struct vcpu *v = &p->vcpu[0];
    uint8_t bytes[16] = "0123456789abcdef", to[16];

    (void)state;
    v->space = bytes;
    v->space_size = sizeof(bytes);
    assert_int_equal(copy_from_guest(v, to, guest_addr(0), 16), 0);
    assert_int_equal(copy_from_guest(v, to, guest_addr(15), 1), 0);
    assert_int_equal(to[0], 'f');
    assert_int_equal(copy_from_guest(v, to, guest_addr(16), 0), 0);
    assert_int_equal(copy_from_guest(v, to, guest_addr(0), 17), -EFAULT);
    assert_int_equal(copy_from_guest(v, to, guest_addr(16), 1), -EFAULT);
    assert_int_equal(copy_from_guest(v, to, guest_addr(~0ull), 2), -EFAULT);
    assert_int_equal(copy_to_guest(v, guest_addr(~0ull), to, 1), -EFAULT);
    assert_int_equal(copy_to_guest(v, guest_addr(8), to, 9), -EFAULT);
    /* And without a call there is nothing at all. */
    v->space = NULL;
    v->space_size = 0;
    assert_int_equal(copy_from_guest(v, to, guest_addr(0), 1), -EFAULT);
    assert_int_equal(copy_from_guest(v, to, guest_addr(4096), 1), -EFAULT);
    domain_destroy(p);
}

/* ---- xen_version ---- */

static void test_version(void **state)
{
    static const uint64_t cmds[] = {
        XENVER_extraversion, XENVER_compile_info, XENVER_capabilities,
        XENVER_changeset,    XENVER_get_features, XENVER_platform_parameters,
        XENVER_guest_handle, XENVER_commandline,
    };
    const unsigned int nr = __HYPERVISOR_xen_version;
    xen_feature_info_t *f = core_at(fx.h, fx.d, CORE_RAM);
    xen_compile_info_t *info = (void *)f;

    (void)state;
    assert_int_equal(call(nr, XENVER_version, 0, 0), 4 << 16 | 17);
    assert_int_equal(call(nr, XENVER_pagesize, 0, 0), 4096);
    f->submap_idx = 0;
    assert_int_equal(call(nr, XENVER_get_features, CORE_RAM, 0), 0);
    assert_true(f->submap & 1u << XENFEAT_auto_translated_physmap);
    assert_true(f->submap & 1u << XENFEAT_writable_page_tables);
    f->submap_idx = 1;
    assert_int_equal(call(nr, XENVER_get_features, CORE_RAM, 0), -EINVAL);
    for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
        memset(f, 0, 2048);
        assert_int_equal(call(nr, cmds[i], CORE_RAM, 0), 0);
        assert_int_equal(call(nr, cmds[i], 0, 0), -EFAULT);
    }
    assert_int_equal(call(nr, XENVER_compile_info, CORE_RAM, 0), 0);
    assert_non_null(memchr(info->compiler, 0, sizeof(info->compiler)));
    assert_int_equal(call(nr, XENVER_build_id, CORE_RAM, 0), -EPERM);
    assert_int_equal(call(nr, 99, CORE_RAM, 0), -ENOSYS);
    assert_int_equal(call(nr, ~0ull, CORE_RAM, 0), -ENOSYS);
}

/* ---- multicall ---- */

static void test_multicall(void **state)
{
    struct multicall_entry *e = core_at(fx.h, fx.d, CORE_RAM);
    struct rs_domain_info before, after;

    (void)state;
    assert_int_equal(rs_domain_info(fx.h, fx.d, &before), 0);
    e[0] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version,
                                     .args = { XENVER_pagesize } };
    e[1] = (struct multicall_entry){ .op = 63 };
    e[2] = (struct multicall_entry){ .op = __HYPERVISOR_multicall,
                                     .args = { CORE_RAM, 3 } };
    e[3] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version,
                                     .args = { XENVER_version } };
    assert_int_equal(call(__HYPERVISOR_multicall, CORE_RAM, 4, 0), 0);
    assert_int_equal(e[0].result, 4096);
    assert_int_equal((long)e[1].result, -ENOSYS);
    assert_int_equal((long)e[2].result, -EINVAL);
    assert_int_equal(e[3].result, 4 << 16 | 17);
    assert_int_equal(rs_domain_info(fx.h, fx.d, &after), 0);
    assert_int_equal(after.hypercalls - before.hypercalls, 5);
    assert_int_equal(call(__HYPERVISOR_multicall, CORE_RAM, 0, 0), 0);
    assert_int_equal(call(__HYPERVISOR_multicall, CORE_RAM, ~0ull, 0), -EFAULT);
    assert_int_equal(call(__HYPERVISOR_multicall, 0, 1, 0), -EFAULT);
    assert_int_equal(call(__HYPERVISOR_multicall, CORE_RAM_END + 4090, 1, 0),
                     -EFAULT);
}

/* A long batch, and long batches in it, are done in turns that nobody sees. */
static void test_multicall_in_turns(void **state)
{
    enum { N = 400, COPIES = 400 };
    const struct gnttab_copy copy = {
        .source = { { CORE_RAM >> 12 }, DOMID_SELF, 0 },
        .dest = { { CORE_RAM >> 12 }, DOMID_SELF, 0 },
        .status = 1,
    };
    uint64_t at = CORE_RAM + 16 * 4096;
    struct vcpu *v = &core_domain(fx.h, fx.d)->vcpu[0];
    uint64_t args[6] = { CORE_RAM, N };
    unsigned int turns = 0;

    (void)state;
    /* Neither array has an element that crosses pages. */
    for (uint64_t i = 0; i < COPIES; i++)
        memcpy(core_at(fx.h, fx.d, at + i / 100 * 4096 + i % 100 * 40), &copy,
               sizeof(copy));
    for (uint64_t i = 0; i < N; i++) {
        struct multicall_entry *e = core_at(fx.h, fx.d, CORE_RAM + i * 64);

        *e = (struct multicall_entry){ .op = __HYPERVISOR_xen_version,
                                       .args = { XENVER_pagesize } };
        if (i % 100 == 50)
            *e = (struct multicall_entry){
                .op = __HYPERVISOR_grant_table_op,
                .args = { GNTTABOP_copy, at + i / 100 * 4096, 100 },
            };
    }
    do {
        assert_int_equal(hypercall_dispatch(v, __HYPERVISOR_multicall, args),
                         0);
        memcpy(args, v->continuation, sizeof(v->continuation));
        turns++;
    } while (v->continued);
    assert_in_range(turns, 4, 20);
    for (uint64_t i = 0; i < N; i++) {
        struct multicall_entry *e = core_at(fx.h, fx.d, CORE_RAM + i * 64);

        assert_int_equal(e->result, i % 100 == 50 ? 0 : 4096);
    }
    for (uint64_t i = 0; i < COPIES; i++) {
        const struct gnttab_copy *c =
            core_at(fx.h, fx.d, at + i / 100 * 4096 + i % 100 * 40);

        assert_int_equal(c->status, GNTST_okay);
    }
}

/* No batch inside a batch, however its number is written. */
static void test_multicall_does_not_nest(void **state)
{
    struct multicall_entry *e = core_at(fx.h, fx.d, CORE_RAM);

    (void)state;
    e[0] = (struct multicall_entry){ .op = 1ul << 32 | __HYPERVISOR_multicall,
                                     .args = { CORE_RAM, 1 } };
    assert_int_equal(call(__HYPERVISOR_multicall, CORE_RAM, 1, 0), 0);
    assert_int_equal((long)e[0].result, -ENOSYS);
}

static void test_multicall_ends_with_shutdown(void **state)
{
    struct multicall_entry *e = core_at(fx.h, fx.d, CORE_RAM);
    struct sched_shutdown *op = core_at(fx.h, fx.d, CORE_ARG);

    (void)state;
    op->reason = SHUTDOWN_poweroff;
    e[0] = (struct multicall_entry){ .op = __HYPERVISOR_sched_op,
                                     .args = { SCHEDOP_shutdown, CORE_ARG } };
    e[1] = (struct multicall_entry){ .op = __HYPERVISOR_console_io,
                                     .args = { CONSOLEIO_write, 1, CORE_RAM } };
    call(__HYPERVISOR_multicall, CORE_RAM, 2, 0);
    assert_int_equal(fx.console_n, 0);
    assert_int_equal(call(__HYPERVISOR_xen_version, XENVER_pagesize, 0, 0),
                     -EPERM);
}

static void test_numbers(void **state)
{
    (void)state;
    for (unsigned int nr = 0; nr < 200; nr++)
        if (!hypercall_name(nr))
            assert_int_equal(call(nr, CORE_ARG, CORE_ARG, CORE_ARG), -ENOSYS);
    assert_int_equal(call(~0u, 0, 0, 0), -ENOSYS);
    assert_string_equal(hypercall_name(__HYPERVISOR_sched_op), "sched_op");
    assert_null(hypercall_name(HYPERCALL_MAX));
}

/* ---- console_io ---- */

static void test_console(void **state)
{
    const unsigned int nr = __HYPERVISOR_console_io;
    char *text = core_at(fx.h, fx.d, CORE_RAM);

    (void)state;
    strcpy(text, "hello\n");
    assert_int_equal(call(nr, CONSOLEIO_write, 6, CORE_RAM), 0);
    assert_int_equal(fx.console_n, 6);
    assert_memory_equal(fx.console, "hello\n", 6);
    assert_int_equal(call(nr, CONSOLEIO_write, 0, 0), 0);
    assert_int_equal(call(nr, CONSOLEIO_write, 1, 0), -EFAULT);
    assert_int_equal(call(nr, CONSOLEIO_write, 1u << 31, CORE_RAM), -E2BIG);
    assert_int_equal(call(nr, CONSOLEIO_write, ~0u, CORE_RAM), -E2BIG);
    fx.console_n = 0;
    memset(text, 'x', 4096);
    assert_int_equal(call(nr, CONSOLEIO_write, 65536, CORE_RAM), 0);
    assert_int_equal(fx.console_n, 65536);
}

static char shown[400000]; /* what came to the log or to an output */
static size_t nr_shown;

static void on_output(void *data, const char *bytes, size_t n)
{
    (void)data;
    if (n > sizeof(shown) - 1 - nr_shown)
        fail_msg("more than %zu bytes were shown", sizeof(shown));
    memcpy(shown + nr_shown, bytes, n);
    nr_shown += n;
    shown[nr_shown] = '\0';
}

static void on_log(void *data, enum rs_log_level level, const char *line)
{
    (void)level;
    on_output(data, line, strlen(line));
    on_output(data, "\n", 1);
    fx.lines++;
}

/* The guest's console as a tool's (tool) or as part of the host's log. */
static struct domain *show_console(bool tool)
{
    struct domain *d = core_domain(fx.h, fx.d);

    fx.h->log = on_log;
    nr_shown = 0;
    shown[0] = '\0';
    console_free(d);
    assert_int_equal(console_open(d, NULL, NULL), 0);
    if (tool)
        console_show(d, &(struct console_output){ .write = on_output });
    return d;
}

static void guest_says(const char *s, size_t n)
{
    memcpy(core_at(fx.h, fx.d, CORE_RAM), s, n);
    assert_int_equal(
        call(__HYPERVISOR_console_io, CONSOLEIO_write, n, CORE_RAM), 0);
}

#define SAYS(text) guest_says(text, sizeof(text) - 1)

/* A console that is the log does not fill it, be its lines ever so short. */
static void test_console_flood(void **state)
{
    (void)state;
    show_console(false);
    memset(core_at(fx.h, fx.d, CORE_RAM), '\n', 4096);
    for (int i = 0; i < 64; i++)
        call(__HYPERVISOR_console_io, CONSOLEIO_write, 4096, CORE_RAM);
    assert_in_range(fx.lines, 1, 64 * 4096 / 4);
}

static const char *line_of(const struct domain *d, const char *text, bool tool)
{
    static char line[256];

    snprintf(line, sizeof(line),
             tool ? "(d%u) %s\n" : "domain %u console: %s\n", d->domid, text);
    return line;
}

/* A guest that writes without end is dropped, and how much is told. */
static void flood(bool tool, const char *with)
{
    struct domain *d = show_console(tool);
    unsigned long long dropped = 0;
    char *note;

    for (size_t i = 0; i < 4096; i++)
        ((char *)core_at(fx.h, fx.d, CORE_RAM))[i] = with[i % strlen(with)];
    for (int i = 0; i < 1000; i++)
        call(__HYPERVISOR_console_io, CONSOLEIO_write, 4096, CORE_RAM);
    /* 64 KiB at once and 16 KiB a second: this took no minute. */
    assert_in_range(nr_shown, 60000, 65536 + 60 * 16384 / 4);
    console_free(d);
    for (note = shown; (note = strstr(note, "(hypervisor)")) != NULL; note++) {
        unsigned long long n;

        assert_int_equal(
            sscanf(note, "(hypervisor) domain %*u: %llu bytes of its", &n), 1);
        dropped += n;
    }
    assert_true(dropped > 4096000 - nr_shown);
    assert_true(dropped < 4096000);
    assert_int_equal(console_open(d, NULL, NULL), 0);
}

static void test_console_budget(void **state)
{
    (void)state;
    flood(true, "0123456789abcdef\n");
    flood(false, "0123456789abcdef\n");
    flood(true, "\n");
    flood(true, "\033");
    flood(false, "\033");
    flood(true, "\xe2");
    flood(true, "no end of line");
}

/* What one guest drops is not taken from another or from the host. */
static void test_console_budgets_apart(void **state)
{
    struct domain *d, *other;
    uint16_t domid = core_boot(fx.h);

    (void)state;
    d = show_console(true);
    other = core_domain(fx.h, domid);
    console_free(other);
    assert_int_equal(console_open(other, NULL, NULL), 0);
    console_show(other, &(struct console_output){ .write = on_output });
    memset(core_at(fx.h, fx.d, CORE_RAM), 'x', 4096);
    for (int i = 0; i < 100; i++)
        call(__HYPERVISOR_console_io, CONSOLEIO_write, 4096, CORE_RAM);
    nr_shown = 0;
    console_write(other, "hello\n", 6);
    assert_string_equal(shown, line_of(other, "hello", true));
    nr_shown = 0;
    console_say(d, "(hypervisor) a word");
    assert_string_equal(shown, "\n(hypervisor) a word\n");
}

/* Lines of a guest are told from ours, whatever it writes. */
static void test_console_lines(void **state)
{
    struct domain *d = show_console(true);
    char expected[512] = "";

    (void)state;
    SAYS("one\ntwo\r\n\n");
    SAYS("ringside: all is lost");
    strcat(expected, line_of(d, "one", true));
    strcat(expected, line_of(d, "two", true));
    strcat(expected, line_of(d, "", true));
    strcat(expected, line_of(d, "ringside: all is lost", true));
    expected[strlen(expected) - 1] = '\0'; /* the guest's line goes on */
    assert_string_equal(shown, expected);
    nr_shown = 0;
    console_say(d, "(hypervisor) domain %u says no more\033[2J", d->domid);
    snprintf(expected, sizeof(expected),
             "\n(hypervisor) domain %u says no more\\x1b[2J\n", d->domid);
    assert_string_equal(shown, expected);
    nr_shown = 0;
    SAYS("a\rb\r");
    SAYS("\nc");
    strcpy(expected, line_of(d, "a\\x0db", true));
    strcat(expected, line_of(d, "c", true));
    expected[strlen(expected) - 1] = '\0';
    assert_string_equal(shown, expected);
}

static void test_console_printable(void **state)
{
    struct domain *d;

    (void)state;
    for (int tool = 0; tool < 2; tool++) {
        d = show_console(tool);
        SAYS("\033[31m\tred\a\177\0\n");
        assert_string_equal(shown,
                            line_of(d, "\\x1b[31m red\\x07\\x7f\\x00", tool));
        nr_shown = 0;
        SAYS("\x9b"
             "1m \xc2\x9b \xff \xe2\x80\xae\n");
        assert_string_equal(
            shown,
            line_of(d, "\\x9b1m \\xc2\\x9b \\xff \\xe2\\x80\\xae", tool));
        nr_shown = 0;
        /* A character in two calls; and one that is not finished. */
        SAYS("\xc3");
        SAYS("\xa9 \xf0\x9f\x98");
        SAYS("\x80 \xe2\x82\n");
        assert_string_equal(
            shown, line_of(d, "\xc3\xa9 \xf0\x9f\x98\x80 \\xe2\\x82", tool));
    }
}

/* An embedding program gets the bytes, all of them, as they are. */
static void test_console_embedded(void **state)
{
    struct domain *d = show_console(false);

    (void)state;
    console_free(d);
    assert_int_equal(console_open(d, on_output, NULL), 0);
    for (int i = 0; i < 70; i++)
        SAYS("\033[2Jx\n");
    assert_int_equal(nr_shown, 70 * 6);
    assert_memory_equal(shown, "\033[2Jx\n\033[2Jx\n", 12);
    nr_shown = 0;
    console_say(d, "crashed");
    assert_string_equal(shown, "crashed\n");
}

/* The last words come, with or without an end of line. */
static void test_console_end(void **state)
{
    (void)state;
    for (int tool = 0; tool < 2; tool++) {
        struct domain *d = show_console(tool);

        SAYS("last\xc2");
        console_free(d);
        assert_string_equal(shown, line_of(d, "last\\xc2", tool));
        assert_int_equal(console_open(d, NULL, NULL), 0);
    }
}

/* Names of domains are in lines of the host's log. */
static void test_log_printable(void **state)
{
    (void)state;
    show_console(false);
    host_log(fx.h, RS_LOG_INFO, "domain 3 (%s): x", "a\033[2J\nfake\xc2\x9b");
    assert_string_equal(shown, "domain 3 (a\\x1b[2J\\x0afake\\xc2\\x9b): x\n");
}

/* ---- sched_op ---- */

static struct rs_domain_info info_of(uint16_t d)
{
    struct rs_domain_info info;

    assert_int_equal(rs_domain_info(fx.h, d, &info), 0);
    return info;
}

static void test_shutdown(void **state)
{
    struct sched_shutdown op = { .reason = SHUTDOWN_reboot | 7 << 8 | 1 << 20 };
    struct rs_domain_info info;

    (void)state;
    assert_int_equal(info_of(fx.d).state, RS_DOMAIN_RUNNING);
    core_op(fx.h, fx.d, __HYPERVISOR_sched_op, SCHEDOP_shutdown, &op,
            sizeof(op));
    info = info_of(fx.d);
    assert_int_equal(info.state, RS_DOMAIN_SHUTDOWN);
    assert_int_equal(info.shutdown_reason, SHUTDOWN_reboot);
    assert_int_equal(info.exit_status, 7);
    assert_string_equal(info.crash, "");
    assert_int_equal(fx.events, 1);
    /* The first word counts. */
    domain_crash(core_domain(fx.h, fx.d), "no");
    assert_int_equal(info_of(fx.d).shutdown_reason, SHUTDOWN_reboot);
    assert_int_equal(rs_domain_unpause(fx.h, fx.d), 0);
    assert_int_equal(info_of(fx.d).state, RS_DOMAIN_SHUTDOWN);
    assert_int_equal(rs_domain_destroy(fx.h, fx.d), 0);
    assert_int_equal(fx.events, 2);
}

static void test_crash(void **state)
{
    (void)state;
    domain_crash(core_domain(fx.h, fx.d), "it did %s", "wrong");
    assert_int_equal(info_of(fx.d).shutdown_reason, SHUTDOWN_crash);
    assert_string_equal(info_of(fx.d).crash, "it did wrong");
    fx.console[fx.console_n] = '\0';
    assert_non_null(strstr(fx.console, "it did wrong"));
}

static void test_sched_errors(void **state)
{
    const unsigned int nr = __HYPERVISOR_sched_op;
    struct sched_remote_shutdown remote = { .domain_id = core_boot(fx.h),
                                            .reason = SHUTDOWN_poweroff };
    struct sched_poll poll = { .nr_ports = 129 };
    struct sched_shutdown op = { .reason = SHUTDOWN_poweroff };
    struct domain *dom0;

    (void)state;
    assert_int_equal(call(nr, SCHEDOP_yield, 0, 0), 0);
    assert_int_equal(call(nr, SCHEDOP_block, 0, 0), 0);
    assert_int_equal(call(nr, SCHEDOP_shutdown, 0, 0), -EFAULT);
    assert_int_equal(call(nr, 99, CORE_ARG, 0), -ENOSYS);
    assert_int_equal(core_op(fx.h, fx.d, nr, SCHEDOP_poll, &poll, sizeof(poll)),
                     -EINVAL);
    assert_int_equal(core_op(fx.h, fx.d, nr, SCHEDOP_remote_shutdown, &remote,
                             sizeof(remote)),
                     -EPERM);
    assert_int_equal(info_of(remote.domain_id).state, RS_DOMAIN_RUNNING);
    dom0 = core_join(fx.h, 0);
    assert_int_equal(
        core_process_op(dom0, nr, SCHEDOP_shutdown, &op, sizeof(op)), -EPERM);
    fx.d = remote.domain_id; /* whose event comes */
    assert_int_equal(core_process_op(dom0, nr, SCHEDOP_remote_shutdown, &remote,
                                     sizeof(remote)),
                     0);
    assert_int_equal(info_of(fx.d).state, RS_DOMAIN_SHUTDOWN);
    remote.domain_id = 4711;
    assert_int_equal(core_process_op(dom0, nr, SCHEDOP_remote_shutdown, &remote,
                                     sizeof(remote)),
                     -ESRCH);
}

static void test_pauses_nest(void **state)
{
    (void)state;
    assert_int_equal(rs_domain_pause(fx.h, fx.d), 0);
    assert_int_equal(rs_domain_pause(fx.h, fx.d), 0);
    assert_int_equal(rs_domain_unpause(fx.h, fx.d), 0);
    assert_int_equal(info_of(fx.d).state, RS_DOMAIN_PAUSED);
    assert_int_equal(rs_domain_unpause(fx.h, fx.d), 0);
    assert_int_equal(info_of(fx.d).state, RS_DOMAIN_RUNNING);
    assert_int_equal(rs_domain_unpause(fx.h, fx.d), 0);
    assert_int_equal(rs_domain_pause(fx.h, fx.d), 0);
    assert_int_equal(info_of(fx.d).state, RS_DOMAIN_PAUSED);
    assert_int_equal(rs_domain_pause(fx.h, 4711), -ESRCH);
    assert_string_not_equal(rs_error(), "");
    assert_int_equal(rs_domain_unpause(fx.h, fx.d), 0);
    assert_string_equal(rs_error(), "");
}

/* ---- time ---- */

static uint32_t bind_timer(uint16_t d)
{
    struct evtchn_bind_virq op = { .virq = VIRQ_TIMER };

    assert_int_equal(core_op(fx.h, d, __HYPERVISOR_event_channel_op,
                             EVTCHNOP_bind_virq, &op, sizeof(op)),
                     0);
    return op.port;
}

/* Dispatches until the port is pending; false after two seconds. */
static bool wait_for(uint16_t d, uint32_t port)
{
    uint64_t end = host_now() + 2000000000u;

    while (!core_pending(fx.h, d, port)) {
        if (host_now() > end)
            return false;
        rs_host_dispatch(fx.h, 10);
    }
    return true;
}

static void test_timer(void **state)
{
    uint32_t port = bind_timer(fx.d);
    uint64_t at = time_system(fx.h) + 3000000;

    (void)state;
    assert_int_equal(call(__HYPERVISOR_set_timer_op, at, 0, 0), 0);
    assert_false(core_pending(fx.h, fx.d, port) && time_system(fx.h) < at);
    assert_true(wait_for(fx.d, port));
    assert_true(time_system(fx.h) >= at);
    /* In the past: at once. Never: never. */
    assert_int_equal(call(__HYPERVISOR_set_timer_op, 1, 0, 0), 0);
    assert_true(wait_for(fx.d, port));
    assert_int_equal(
        call(__HYPERVISOR_set_timer_op, time_system(fx.h) + 1000000, 0, 0), 0);
    assert_int_equal(call(__HYPERVISOR_set_timer_op, 0, 0, 0), 0);
    assert_int_equal(call(__HYPERVISOR_set_timer_op, ~0ull, 0, 0), 0);
    assert_true(list_empty(&fx.h->timers));
    assert_int_equal(call(__HYPERVISOR_set_timer_op, ~0ull - 1, 0, 0), 0);
    assert_false(list_empty(&fx.h->timers));
}

/* Deadlines of several domains come in their order. */
static void test_timers_in_order(void **state)
{
    uint16_t d[4];
    uint32_t port[4];
    uint64_t now = time_system(fx.h);

    (void)state;
    for (int i = 0; i < 4; i++) {
        d[i] = core_boot(fx.h);
        port[i] = bind_timer(d[i]);
        core_call(fx.h, d[i], __HYPERVISOR_set_timer_op,
                  now + 10000000 - (uint64_t)i * 2000000, 0, 0);
    }
    assert_true(wait_for(d[0], port[0]));
    for (int i = 1; i < 4; i++)
        assert_true(core_pending(fx.h, d[i], port[i]));
    core_call(fx.h, d[1], __HYPERVISOR_set_timer_op, now + (1ull << 60), 0, 0);
    assert_int_equal(rs_domain_destroy(fx.h, d[1]), 0);
    assert_true(list_empty(&fx.h->timers));
}

static void test_vcpu_op(void **state)
{
    const unsigned int nr = __HYPERVISOR_vcpu_op;
    struct vcpu_set_singleshot_timer *t = core_at(fx.h, fx.d, CORE_ARG);
    struct vcpu_runstate_info *r = (void *)t;
    uint32_t port = bind_timer(fx.d);

    (void)state;
    assert_int_equal(call(nr, VCPUOP_is_up, 0, 0), 1);
    assert_int_equal(call(nr, VCPUOP_is_up, 1, 0), -ENOENT);
    assert_int_equal(call(nr, VCPUOP_is_up, ~0ull, 0), -ENOENT);
    assert_int_equal(call(nr, VCPUOP_get_runstate_info, 0, CORE_ARG), 0);
    assert_int_equal(r->state, RUNSTATE_running);
    t->timeout_abs_ns = 1;
    t->flags = VCPU_SSHOTTMR_future;
    assert_int_equal(call(nr, VCPUOP_set_singleshot_timer, 0, CORE_ARG),
                     -ETIME);
    t->flags = 0;
    assert_int_equal(call(nr, VCPUOP_set_singleshot_timer, 0, CORE_ARG), 0);
    assert_true(wait_for(fx.d, port));
    t->timeout_abs_ns = time_system(fx.h) + (1ull << 40);
    assert_int_equal(call(nr, VCPUOP_set_singleshot_timer, 0, CORE_ARG), 0);
    assert_int_equal(call(nr, VCPUOP_stop_singleshot_timer, 0, 0), 0);
    assert_true(list_empty(&fx.h->timers));
    assert_int_equal(call(nr, VCPUOP_set_singleshot_timer, 0, 0), -EFAULT);
    assert_int_equal(call(nr, 99, 0, CORE_ARG), -ENOSYS);
}

/* What the guest computes from shared_info is the hypervisor's time. */
static void test_clock(void **state)
{
    struct shared_info *si = core_at(fx.h, fx.d, CORE_RAM_END);
    struct vcpu_time_info *t = &si->vcpu_info[0].time;
    uint64_t before, after, guest, delta;

    (void)state;
    for (int i = 0; i < 3; i++) {
        before = time_system(fx.h);
        delta = __builtin_ia32_rdtsc() - t->tsc_timestamp;
        after = time_system(fx.h);
        assert_int_equal(t->version & 1, 0);
        delta =
            t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
        guest =
            t->system_time +
            (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
        assert_true(guest + 5000000 > before && guest < after + 5000000);
        rs_host_dispatch(fx.h, 30); /* it is measured again */
    }
    assert_true(si->wc_sec > 1500000000);
    assert_int_equal(si->wc_version & 1, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void *fail_and_succeed(void *arg)
{
    struct rs_domain_info info;

    assert_string_equal(rs_error(), "");
    assert_int_equal(rs_domain_info(fx.h, 4712, &info), -ESRCH);
    assert_string_equal(rs_error(), "no domain 4712");
    assert_int_equal(rs_domain_info(fx.h, fx.d, &info), 0);
    assert_string_equal(rs_error(), "");
    return arg;
}

/* Each thread has an error of its own: that of its last call. */
static void test_error_of_thread(void **state)
{
    struct rs_host_config none = { .engine = "none" };
    struct rs_host *h;
    pthread_t t;

    (void)state;
    assert_int_equal(rs_domain_pause(fx.h, 4711), -ESRCH);
    assert_int_equal(pthread_create(&t, NULL, fail_and_succeed, NULL), 0);
    pthread_join(t, NULL);
    assert_string_equal(rs_error(), "no domain 4711");
    assert_int_equal(rs_vcpu_pin(fx.h, fx.d, 0, 0), -EINVAL);
    assert_string_equal(rs_error(), "none of these processors is there");
    assert_int_equal(rs_host_dispatch(fx.h, 0), 0);
    assert_string_equal(rs_error(), "");
    assert_int_equal(rs_host_new(&none, &h), -EINVAL);
    assert_non_null(strstr(rs_error(), "'none'"));
    assert_int_equal(rs_domain_list(fx.h, NULL, 0), 0);
    assert_string_equal(rs_error(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_reservations),
        CASE(test_memory_map),
        CASE(test_add_to_physmap),
        CASE(test_guest_addresses),
        CASE(test_process_addresses),
        CASE(test_version),
        CASE(test_multicall),
        CASE(test_multicall_in_turns),
        CASE(test_multicall_does_not_nest),
        CASE(test_multicall_ends_with_shutdown),
        CASE(test_numbers),
        CASE(test_console),
        CASE(test_console_flood),
        CASE(test_console_budget),
        CASE(test_console_budgets_apart),
        CASE(test_console_lines),
        CASE(test_console_printable),
        CASE(test_console_embedded),
        CASE(test_console_end),
        CASE(test_log_printable),
        CASE(test_shutdown),
        CASE(test_crash),
        CASE(test_error_of_thread),
        CASE(test_sched_errors),
        CASE(test_pauses_nest),
        CASE(test_timer),
        CASE(test_timers_in_order),
        CASE(test_vcpu_op),
        CASE(test_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
