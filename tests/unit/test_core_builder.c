/*
 * From an image to a domain: what boots, what is refused with which words,
 * and that nothing remains of a domain that ended.
 */
#include "core.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "build/image.h"
#include "test/engine_test.h"

static struct {
    struct rs_host *h;
    uint8_t image[CORE_IMAGE_SIZE];
    struct rs_domain_config c;
} fx;

static Elf64_Ehdr *eh(void)
{
    return (void *)fx.image;
}

static Elf64_Phdr *ph(int i)
{
    return (Elf64_Phdr *)(void *)(fx.image + sizeof(Elf64_Ehdr)) + i;
}

static int setup(void **state)
{
    (void)state;
    fx.h = core_host("test");
    core_image(fx.image);
    fx.c = (struct rs_domain_config){ .memory_kib = CORE_KIB,
                                      .vcpus = 1,
                                      .kernel = fx.image,
                                      .kernel_size = sizeof(fx.image) };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rs_host_free(fx.h);
    return 0;
}

/* Refused with this error and a line that has this word; nothing is left. */
static void refused(int err, const char *word)
{
    struct rs_host_info info;
    unsigned int fds = core_count_fds();
    int ret = rs_domain_create(fx.h, &fx.c);

    if (ret != err || !strstr(rs_error(), word))
        fail_msg("%d (%s) instead of %d (%s)", ret, rs_error(), err, word);
    rs_host_info(fx.h, &info);
    assert_int_equal(info.domains, 0);
    assert_int_equal(core_used(fx.h), 0);
    assert_int_equal(core_count_fds(), fds);
}

static void bad_image(const char *word)
{
    refused(-ENOEXEC, word);
    core_image(fx.image);
}

/* ---- what boots ---- */

static void test_layout(void **state)
{
    struct rs_domain_info info;
    struct start_info *si;
    struct domain *d;
    int domid;

    (void)state;
    fx.c.name = "web";
    fx.c.cmdline = "one two";
    fx.c.module = "module!";
    fx.c.module_size = 7;
    fx.c.flags = RS_DOMAIN_STORE | RS_DOMAIN_CONSOLE;
    domid = rs_domain_create(fx.h, &fx.c);
    assert_int_equal(domid, RS_DOMID_FIRST_GUEST);
    d = core_domain(fx.h, (uint16_t)domid);
    assert_int_equal(d->vcpu[0].entry.rip, CORE_IMAGE_ENTRY);
    si = rs_test_memory(fx.h, (uint16_t)domid, d->vcpu[0].entry.rsi);
    assert_non_null(si);
    assert_string_equal(si->magic, "xen-3.0-x86_64");
    assert_int_equal(si->nr_pages, CORE_PAGES);
    assert_int_equal(si->shared_info, CORE_RAM_END);
    assert_string_equal((char *)si->cmd_line, "one two");
    assert_int_equal(si->mod_len, 7);
    assert_memory_equal(core_at(fx.h, (uint16_t)domid, si->mod_start),
                        "module!", 7);
    assert_int_equal(si->pt_base, d->vcpu[0].entry.rsp);
    assert_true(si->mod_start < d->vcpu[0].entry.rsi);
    assert_int_equal(si->mod_start % 4096, 0);
    assert_int_equal(si->mod_start, 0x104000);
    assert_int_equal(si->store_mfn, si->console.domU.mfn + 1);
    /* Data as in the file, zeroes behind it. */
    assert_int_equal(*(uint8_t *)core_at(fx.h, (uint16_t)domid, 0x102fff),
                     0xda);
    assert_int_equal(*(uint8_t *)core_at(fx.h, (uint16_t)domid, 0x103000), 0);

    assert_int_equal(rs_domain_info(fx.h, (uint16_t)domid, &info), 0);
    assert_string_equal(info.name, "web");
    assert_int_equal(info.state, RS_DOMAIN_PAUSED);
    assert_int_equal(info.ports, 2);
    assert_int_equal(info.store_gfn, si->store_mfn);
    assert_int_equal(info.console_port, si->console.domU.evtchn);
    assert_int_equal(info.memory_kib, CORE_KIB);
}

static void test_rings_are_granted(void **state)
{
    int domid;
    grant_entry_v1_t *e;
    struct domain *d;

    (void)state;
    fx.c.flags = RS_DOMAIN_STORE | RS_DOMAIN_CONSOLE;
    domid = rs_domain_create(fx.h, &fx.c);
    assert_true(domid > 0);
    d = core_domain(fx.h, (uint16_t)domid);
    e = memory_own_page(d, MEMORY_OWN_GRANT);
    assert_int_equal(e[GNTTAB_RESERVED_CONSOLE].domid, RS_DOMID_DRIVER);
    assert_int_equal(e[GNTTAB_RESERVED_CONSOLE].frame, d->console_gfn);
    assert_int_equal(e[GNTTAB_RESERVED_CONSOLE].flags, GTF_permit_access);
    assert_int_equal(e[GNTTAB_RESERVED_XENSTORE].domid, 0);
    assert_int_equal(e[GNTTAB_RESERVED_XENSTORE].frame, d->store_gfn);
    assert_int_equal(d->evtchn.ports[d->store_port].remote, 0);
    assert_int_equal(d->evtchn.ports[d->console_port].remote, RS_DOMID_DRIVER);
}

/* ---- configurations ---- */

static void test_bad_configurations(void **state)
{
    char longest[RS_CMDLINE_MAX + 1];

    (void)state;
    memset(longest, 'x', sizeof(longest));
    longest[RS_CMDLINE_MAX] = '\0';
    fx.c.cmdline = longest;
    refused(-EINVAL, "command line");
    fx.c.cmdline = longest + 1;
    assert_true(rs_domain_create(fx.h, &fx.c) > 0);
    assert_int_equal(rs_domain_destroy(fx.h, RS_DOMID_FIRST_GUEST), 0);
    fx.c.cmdline = NULL;
    fx.c.name = longest;
    refused(-EINVAL, "name");
    fx.c.name = longest + RS_CMDLINE_MAX - RS_NAME_MAX + 1;
    assert_true(rs_domain_create(fx.h, &fx.c) > 0);
    assert_int_equal(rs_domain_destroy(fx.h, RS_DOMID_FIRST_GUEST + 1), 0);
    fx.c.name = "";
    refused(-EINVAL, "name");
    fx.c.name = NULL;
    fx.c.vcpus = DOMAIN_MAX_VCPUS + 1;
    refused(-EINVAL, "vCPUs");
    fx.c.vcpus = 1;
    fx.c.memory_kib = 0;
    refused(-EINVAL, "memory");
    fx.c.memory_kib = 1024;
    refused(-EINVAL, "memory");
    fx.c.memory_kib = ~0ull;
    refused(-EINVAL, "memory");
    fx.c.memory_kib = 65 * 1024 + 4;
    refused(-ENOMEM, "left"); /* over the budget of 64 MiB + first MiB */
}

static void test_memory_too_small(void **state)
{
    (void)state;
    fx.c.memory_kib = 1028;
    refused(-ENOMEM, "too little");
    fx.c.memory_kib = CORE_KIB;
    fx.c.module = fx.image;
    fx.c.module_size = CORE_KIB * 1024 - (1 << 20);
    refused(-ENOMEM, "too little");
    fx.c.module_size = ~0ull;
    refused(-ENOMEM, "module");
    fx.c.module_size = ~0ull - (1 << 20);
    refused(-ENOMEM, "module");
}

static void test_names(void **state)
{
    (void)state;
    fx.c.name = "a";
    assert_int_equal(rs_domain_create(fx.h, &fx.c), 2);
    assert_int_equal(rs_domain_create(fx.h, &fx.c), -EEXIST);
    assert_non_null(strstr(rs_error(), "'a'"));
    /* A name that the hypervisor would give is avoided, too. */
    fx.c.name = "domain-4";
    assert_int_equal(rs_domain_create(fx.h, &fx.c), 3);
    fx.c.name = NULL;
    assert_int_equal(rs_domain_create(fx.h, &fx.c), 5);
    assert_int_equal(rs_domain_destroy(fx.h, 2), 0);
    fx.c.name = "a";
    assert_int_equal(rs_domain_create(fx.h, &fx.c), 6);
}

/* ---- images ---- */

static void test_not_an_image(void **state)
{
    (void)state;
    fx.c.kernel = NULL;
    fx.c.kernel_size = 0;
    refused(-ENOEXEC, "not an ELF");
    fx.c.kernel = "#!/bin/sh\n";
    fx.c.kernel_size = 10;
    refused(-ENOEXEC, "not an ELF");
    fx.c.kernel = fx.image;
    fx.c.kernel_size = sizeof(Elf64_Ehdr) - 1;
    refused(-ENOEXEC, "not an ELF");
    fx.c.kernel_size = sizeof(fx.image);
    eh()->e_ident[EI_CLASS] = ELFCLASS32;
    bad_image("64-bit");
    eh()->e_ident[EI_DATA] = ELFDATA2MSB;
    bad_image("64-bit");
    eh()->e_machine = EM_AARCH64;
    bad_image("64-bit");
    eh()->e_type = ET_DYN;
    bad_image("ET_EXEC");
}

static void test_bad_tables(void **state)
{
    (void)state;
    eh()->e_phnum = 0;
    bad_image("program headers");
    eh()->e_phnum = 65;
    bad_image("program headers");
    eh()->e_phentsize = 55;
    bad_image("program headers");
    eh()->e_phoff = sizeof(fx.image) - 1;
    bad_image("outside");
    eh()->e_phoff = ~0ull - 2 * sizeof(Elf64_Phdr) + 1;
    bad_image("outside");
    eh()->e_phoff = ~0ull;
    bad_image("outside");
    for (int i = 0; i < 3; i++)
        ph(i)->p_type = PT_NULL;
    bad_image("nothing to load");
}

static void test_bad_segments(void **state)
{
    (void)state;
    ph(0)->p_flags |= PF_W;
    bad_image("writable and executable");
    ph(1)->p_offset = sizeof(fx.image);
    bad_image("outside the file");
    ph(1)->p_offset = ~0ull;
    bad_image("outside the file");
    ph(1)->p_filesz = ~0ull;
    bad_image("outside the file");
    ph(1)->p_filesz = ph(1)->p_memsz + 1;
    bad_image("outside the file");
    ph(0)->p_vaddr = 0;
    bad_image("1 MiB");
    ph(1)->p_vaddr = 0xff000;
    bad_image("1 MiB");
    ph(1)->p_vaddr = ~0ull - 100;
    bad_image("out of range");
    ph(1)->p_memsz = ~0ull;
    bad_image("out of range");
}

/* Address and size that wrap to a small end: they must not pass as small. */
static void test_segments_that_wrap(void **state)
{
    (void)state;
    ph(1)->p_vaddr = 1ull << 40;
    ph(1)->p_memsz = 0x103000 - ph(1)->p_vaddr;
    bad_image("out of range");
    ph(1)->p_vaddr = ~0ull - 0x3000;
    ph(1)->p_memsz = 0x1000;
    bad_image("out of range");
    ph(1)->p_vaddr = 1ull << 46;
    ph(1)->p_memsz = 0x1000;
    refused(-ENOMEM, "too little");
    core_image(fx.image);
    ph(1)->p_memsz = 1ull << 46;
    refused(-ENOMEM, "too little");
}

static void note_at(uint32_t type, uint64_t value)
{
    for (size_t at = 0x400; at < 0x400 + ph(2)->p_filesz;) {
        Elf64_Nhdr *nh = (void *)(fx.image + at);

        if (nh->n_type == type)
            memcpy(fx.image + at + sizeof(*nh) + 4, &value, sizeof(value));
        at += sizeof(*nh) + 4 + ((nh->n_descsz + 3) & ~3u);
    }
}

static void test_notes(void **state)
{
    const uint64_t bad[] = { 0,          0x101001,   0x102000, 0xff000,
                             0x80000000, 1ull << 63, ~0xfffull };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        note_at(XEN_ELFNOTE_HYPERCALL_PAGE, bad[i]);
        bad_image("hypercall page");
    }
    eh()->e_entry = 0x102000; /* data */
    bad_image("entry point");
    eh()->e_entry = 0;
    bad_image("entry point");
    ph(2)->p_type = PT_NULL;
    bad_image("xen-3.0");
    ph(2)->p_filesz = 10;
    bad_image("xen-3.0");
    ph(2)->p_offset = ~0ull - 5;
    bad_image("xen-3.0");
    memcpy(fx.image + 0x400 + sizeof(Elf64_Nhdr), "GNU", 4);
    bad_image("xen-3.0");
    /* A note whose sizes leave the segment ends the walk. */
    ((Elf64_Nhdr *)(void *)(fx.image + 0x400))->n_descsz = ~0u;
    bad_image("xen-3.0");
    ((Elf64_Nhdr *)(void *)(fx.image + 0x400))->n_namesz = ~0u;
    bad_image("xen-3.0");
}

/* Every file that is cut short, or has one byte changed, is either refused
 * or boots; none harms us (this runs under ASan). */
static void test_truncated_and_garbled(void **state)
{
    struct elf_image e;
    const char *why;
    int domid;

    (void)state;
    for (size_t n = 0; n < 0x500; n++) {
        int err = elf_parse(fx.image, n, &e, &why);

        assert_int_equal(err, -ENOEXEC);
        assert_non_null(why);
    }
    for (size_t i = 0; i < 0x460; i++)
        for (unsigned int bit = 0; bit < 8; bit++) {
            fx.image[i] ^= (uint8_t)(1u << bit);
            domid = rs_domain_create(fx.h, &fx.c);
            if (domid > 0)
                rs_domain_destroy(fx.h, (uint16_t)domid);
            fx.image[i] ^= (uint8_t)(1u << bit);
        }
    assert_int_equal(core_used(fx.h), 0);
}

/* ---- ids ---- */

static void test_domids(void **state)
{
    struct rs_domain_info info[8];

    (void)state;
    assert_int_equal(rs_domain_create(fx.h, &fx.c), 2);
    assert_int_equal(rs_domain_create(fx.h, &fx.c), 3);
    assert_int_equal(rs_domain_destroy(fx.h, 2), 0);
    assert_int_equal(rs_domain_create(fx.h, &fx.c), 4); /* not 2 at once */
    fx.h->next_domid = DOMID_FIRST_RESERVED - 1;
    assert_int_equal(rs_domain_create(fx.h, &fx.c), DOMID_FIRST_RESERVED - 1);
    assert_int_equal(rs_domain_create(fx.h, &fx.c), 2);
    assert_int_equal(rs_domain_create(fx.h, &fx.c), 5);
    assert_int_equal(rs_domain_list(fx.h, info, 8), 5);
    assert_int_equal(info[0].domid, 2);
    assert_int_equal(info[2].domid, 4);
    assert_int_equal(info[4].domid, DOMID_FIRST_RESERVED - 1);
    assert_int_equal(rs_domain_list(fx.h, info, 2), 2);
    assert_int_equal(rs_domain_info(fx.h, 6, info), -ESRCH);
    assert_int_equal(rs_domain_info(fx.h, DOMID_SELF, info), -ESRCH);
    assert_int_equal(rs_domain_destroy(fx.h, 0xffff), -ESRCH);
}

static void test_budget(void **state)
{
    const uint64_t one = CORE_PAGES - MEMORY_FIRST_GFN;
    unsigned int n = 0;

    (void)state;
    while (rs_domain_create(fx.h, &fx.c) > 0)
        n++;
    assert_int_equal(n, 64 * 256 / one);
    assert_int_equal(core_used(fx.h), n * one);
    assert_int_equal(rs_domain_create(fx.h, &fx.c), -ENOMEM);
    assert_int_equal(rs_domain_destroy(fx.h, 9), 0);
    assert_int_equal(core_used(fx.h), (n - 1) * one);
    assert_true(rs_domain_create(fx.h, &fx.c) > 0);
}

/* ---- nothing leaks ---- */

static void use_everything(uint16_t a, uint16_t b)
{
    struct evtchn_alloc_unbound u = { .dom = DOMID_SELF, .remote_dom = b };
    struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER };
    grant_entry_v1_t *e =
        memory_own_page(core_domain(fx.h, a), MEMORY_OWN_GRANT);
    struct gnttab_map_grant_ref map = { .host_addr = CORE_APERTURE_GFN << 12,
                                        .flags = GNTMAP_host_map,
                                        .ref = 50,
                                        .dom = a };

    e[50] = (grant_entry_v1_t){ GTF_permit_access, b, CORE_RAM >> 12 };
    for (int i = 0; i < 3; i++)
        core_op(fx.h, a, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
                &u, sizeof(u));
    core_op(fx.h, b, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &virq,
            sizeof(virq));
    core_call(fx.h, b, __HYPERVISOR_set_timer_op, 1ull << 50, 0, 0);
    core_op(fx.h, b, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &map,
            sizeof(map));
    assert_int_equal(map.status, GNTST_okay);
    core_call(fx.h, b, __HYPERVISOR_console_io, CONSOLEIO_write, 3, CORE_RAM);
}

static void test_100_rounds(void **state)
{
    unsigned int fds = core_count_fds();

    (void)state;
    for (int i = 0; i < 100; i++) {
        uint16_t a = core_boot_flags(fx.h, RS_DOMAIN_STORE),
                 b = core_boot(fx.h);

        use_everything(a, b);
        /* Whoever goes first, both are gone afterwards. */
        assert_int_equal(rs_domain_destroy(fx.h, i % 2 ? a : b), 0);
        assert_int_equal(rs_domain_destroy(fx.h, i % 2 ? b : a), 0);
        assert_null(core_domain(fx.h, a));
        assert_null(core_domain(fx.h, b));
    }
    assert_int_equal(core_count_fds(), fds);
    assert_int_equal(core_count_maps(), 0);
    assert_int_equal(core_used(fx.h), 0);
    assert_true(list_empty(&fx.h->timers));
}

static void test_hosts(void **state)
{
    struct rs_host_config c = { .engine = "none" };
    unsigned int fds = core_count_fds();
    struct rs_host *h;

    (void)state;
    assert_int_equal(rs_host_new(&c, &h), -EINVAL);
    assert_null(h);
    assert_non_null(strstr(rs_error(), "'none'"));
    c.engine = "test";
    for (int i = 0; i < 10; i++) {
        assert_int_equal(rs_host_new(&c, &h), 0);
        fx.h->next_domid = 2;
        assert_true(rs_domain_create(h, &fx.c) > 0);
        rs_host_free(h);
    }
    rs_host_free(NULL);
    assert_int_equal(core_count_fds(), fds);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_layout),
        CASE(test_rings_are_granted),
        CASE(test_bad_configurations),
        CASE(test_memory_too_small),
        CASE(test_names),
        CASE(test_not_an_image),
        CASE(test_bad_tables),
        CASE(test_bad_segments),
        CASE(test_segments_that_wrap),
        CASE(test_notes),
        CASE(test_truncated_and_garbled),
        CASE(test_domids),
        CASE(test_budget),
        CASE(test_100_rounds),
        CASE(test_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
