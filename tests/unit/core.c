/*
 * What the tests of the core share. See core.h.
 */
#include "core.h"

#include <dirent.h>
#include <errno.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypercalls/hypercall.h"
#include "test/engine_test.h"
#include "preempt.h"

/* The test's thread is the guest, and the only one that calls the core. */
__attribute__((constructor)) static void call_without_lock(void)
{
    host_need_no_lock();
}

struct rs_host *core_host(const char *engine)
{
    const struct rs_host_config c = { .engine = engine,
                                      .memory_kib = 64 * 1024 };
    struct rs_host *h = NULL;

    if (rs_host_new(&c, &h))
        fail_msg("no host: %s", rs_error());
    h->budget_ticks = PREEMPT_UNTIMED; /* turns are counted, not timed */
    return h;
}

/* ---- the image ---- */

static size_t add_note(uint8_t *at, uint32_t type, const void *desc, uint32_t n)
{
    Elf64_Nhdr nh = { .n_namesz = 4, .n_descsz = n, .n_type = type };

    memcpy(at, &nh, sizeof(nh));
    memcpy(at + sizeof(nh), "Xen", 4);
    memcpy(at + sizeof(nh) + 4, desc, n);
    return sizeof(nh) + 4 + ((n + 3) & ~3u);
}

void core_image(uint8_t image[CORE_IMAGE_SIZE])
{
    const uint64_t page = CORE_IMAGE_PAGE, notes = 0x400;
    Elf64_Ehdr eh = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
                                   ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                      .e_type = ET_EXEC,
                      .e_machine = EM_X86_64,
                      .e_version = EV_CURRENT,
                      .e_entry = CORE_IMAGE_ENTRY,
                      .e_phoff = sizeof(eh),
                      .e_ehsize = sizeof(eh),
                      .e_phentsize = sizeof(Elf64_Phdr),
                      .e_phnum = CORE_IMAGE_PHDRS };
    Elf64_Phdr ph[CORE_IMAGE_PHDRS] = {
        { .p_type = PT_LOAD,
          .p_flags = PF_R | PF_X,
          .p_offset = 0x1000,
          .p_vaddr = CORE_IMAGE_ENTRY,
          .p_filesz = 0x2000,
          .p_memsz = 0x2000 },
        { .p_type = PT_LOAD,
          .p_flags = PF_R | PF_W,
          .p_offset = 0x3000,
          .p_vaddr = 0x102000,
          .p_filesz = 0x1000,
          .p_memsz = 0x1800 },
        { .p_type = PT_NOTE, .p_flags = PF_R, .p_offset = notes },
    };
    size_t at = notes;

    memset(image, 0, CORE_IMAGE_SIZE);
    memset(image + 0x3000, 0xda, 0x1000);
    at += add_note(image + at, XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 8);
    at += add_note(image + at, XEN_ELFNOTE_HYPERCALL_PAGE, &page, sizeof(page));
    ph[2].p_filesz = at - notes;
    memcpy(image, &eh, sizeof(eh));
    memcpy(image + sizeof(eh), ph, sizeof(ph));
}

/* Ringside's note, that its kernel is native, behind the others. */
static void make_native(uint8_t image[CORE_IMAGE_SIZE])
{
    const struct {
        Elf64_Nhdr nh;
        char name[12];
        uint32_t desc;
    } note = { { 9, 4, 1 }, "Ringside", 1 };
    Elf64_Phdr *ph = (Elf64_Phdr *)(image + sizeof(Elf64_Ehdr));

    memcpy(image + ph[2].p_offset + ph[2].p_filesz, &note, sizeof(note));
    ph[2].p_filesz += sizeof(note);
}

/* ---- domains ---- */

uint16_t core_boot_flags(struct rs_host *h, unsigned int flags)
{
    uint8_t image[CORE_IMAGE_SIZE];
    struct rs_domain_config c = { .memory_kib = CORE_KIB,
                                  .vcpus = 1,
                                  .kernel = image,
                                  .kernel_size = sizeof(image),
                                  .flags = flags };
    int domid;

    core_image(image);
    if (flags & RS_DOMAIN_TRAP)
        make_native(image);
    domid = rs_domain_create(h, &c);
    if (domid < 0)
        fail_msg("no domain: %s", rs_error());
    assert_int_equal(rs_domain_unpause(h, (uint16_t)domid), 0);
    return (uint16_t)domid;
}

uint16_t core_boot(struct rs_host *h)
{
    return core_boot_flags(h, 0);
}

struct domain *core_domain(struct rs_host *h, uint16_t domid)
{
    return host_domain(h, domid);
}

void *core_at(struct rs_host *h, uint16_t domid, uint64_t addr)
{
    void *p = rs_test_memory(h, domid, addr);

    assert_non_null(p);
    return p;
}

/* ---- processes ---- */

int core_windows, core_window_busy;

static void nothing(struct domain *d)
{
    (void)d;
}

static bool no_process(struct domain *d)
{
    (void)d;
    return true;
}

static int attach(struct vcpu *v, evtchn_port_t port, int rx, int tx)
{
    (void)v, (void)port, (void)rx, (void)tx;
    return 0;
}

static void detach(struct vcpu *v, evtchn_port_t port, int rx, int tx)
{
    (void)v, (void)port, (void)rx, (void)tx;
}

static int window_open(struct vcpu *v, struct domain *granter, xen_pfn_t gfn,
                       int readonly, uint64_t *addr)
{
    (void)v, (void)granter, (void)readonly;
    core_windows++;
    *addr = gfn << PAGE_SHIFT;
    return 0;
}

static int window_close(struct vcpu *v, struct domain *granter, xen_pfn_t gfn,
                        int readonly)
{
    (void)v, (void)granter, (void)gfn, (void)readonly;
    if (core_window_busy)
        return -EBUSY;
    core_windows--;
    return 0;
}

static const struct engine_ops process_ops = {
    .name = "process",
    .domain_resume = nothing,
    .domain_pause = nothing,
    .domain_kill = no_process,
    .domain_free = nothing,
    .port_attach = attach,
    .port_detach = detach,
    .grant_open = window_open,
    .grant_close = window_close,
};

struct domain *core_join(struct rs_host *h, uint16_t domid)
{
    struct domain *d;

    assert_int_equal(
        domain_create_process(h, domid, "process", &process_ops, &d), 0);
    return d;
}

/* ---- calls ---- */

long core_call(struct rs_host *h, uint16_t domid, unsigned int nr, uint64_t a0,
               uint64_t a1, uint64_t a2)
{
    const uint64_t args[6] = { a0, a1, a2 };

    return rs_test_hypercall(h, domid, nr, args);
}

long core_op(struct rs_host *h, uint16_t domid, unsigned int nr, uint64_t cmd,
             void *op, size_t size)
{
    void *arg = core_at(h, domid, CORE_ARG);
    long ret;

    memcpy(arg, op, size);
    ret = core_call(h, domid, nr, cmd, CORE_ARG, 1);
    memcpy(op, arg, size);
    return ret;
}

long core_process_op(struct domain *d, unsigned int nr, uint64_t cmd, void *op,
                     size_t size)
{
    const uint64_t args[6] = { cmd, 0, 1 };
    struct vcpu *v = &d->vcpu[0];
    long ret;

    v->space = op;
    v->space_size = size;
    ret = hypercall_dispatch(v, nr, args);
    v->space = NULL;
    v->space_size = 0;
    return ret;
}

bool core_pending(struct rs_host *h, uint16_t domid, uint32_t port)
{
    struct shared_info *si = core_at(h, domid, CORE_RAM_END);
    xen_ulong_t bit = 1ul << port % 64;
    bool was;

    core_call(h, domid, __HYPERVISOR_xen_version, XENVER_pagesize, 0, 0);
    was = si->evtchn_pending[port / 64] & bit;
    si->evtchn_pending[port / 64] &= ~bit;
    return was;
}

/* ---- what must not leak ---- */

unsigned int core_count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned int n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

unsigned int core_count_maps(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned int n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        n += strstr(line, "ringside-guest") != NULL;
    fclose(f);
    return n;
}

uint64_t core_used(struct rs_host *h)
{
    struct rs_host_info info;

    rs_host_info(h, &info);
    return (info.memory_kib - info.memory_free_kib) / 4;
}
