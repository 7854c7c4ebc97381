/*
 * Makes a domain from an image: memory, start information, first ports. See
 * builder.h.
 */
#include "builder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "console.h"
#include "domain.h"
#include "emulate/emulate.h"
#include "image.h"
#include "measure.h"

/* Where the boot pages go, in the order that docs/engine.md gives. */
struct layout {
    uint64_t module, start_info, console, store, stack, free;
};

static uint64_t page_up(uint64_t a)
{
    return (a + PAGE_SIZE - 1) & PAGE_MASK;
}

/* ---- checks ---- */

static int check_config(struct rs_host *h, const struct rs_domain_config *c)
{
    uint64_t pages = c->memory_kib / (PAGE_SIZE / 1024);

    if (c->name && (!*c->name || strlen(c->name) >= RS_NAME_MAX))
        return host_error(h, -EINVAL, "a domain name has 1 to %d bytes",
                          RS_NAME_MAX - 1);
    if (c->cmdline && strlen(c->cmdline) >= RS_CMDLINE_MAX)
        return host_error(h, -EINVAL, "command line longer than %d bytes",
                          RS_CMDLINE_MAX - 1);
    if (c->vcpus > DOMAIN_MAX_VCPUS)
        return host_error(h, -EINVAL, "%u vCPUs asked for, at most %d",
                          c->vcpus, DOMAIN_MAX_VCPUS);
    if (pages <= MEMORY_FIRST_GFN || pages > MEMORY_MAX_PAGES)
        return host_error(
            h, -EINVAL, "memory of %llu KiB: must be between 2 MiB and 64 GiB",
            (unsigned long long)c->memory_kib);
    /* Beyond, addresses behind the module would not fit into 64 bits. */
    if (c->module_size > MEMORY_MAX_PAGES * PAGE_SIZE)
        return host_error(h, -ENOMEM, "a module of %zu bytes is too large",
                          c->module_size);
    return 0;
}

static int check_image(struct rs_host *h, const struct elf_image *e)
{
    const char *why = NULL;
    bool page_ok = false, entry_ok = false;

    for (unsigned int i = 0; i < e->nr_segments; i++) {
        const struct elf_segment *s = &e->segment[i];

        if (!s->execute)
            continue;
        page_ok |= e->hypercall_page >= s->vaddr &&
                   e->hypercall_page < s->vaddr + s->memsz;
        entry_ok |= e->entry >= s->vaddr && e->entry < s->vaddr + s->memsz;
    }
    if (!e->is_xen)
        why = "no Xen note \"xen-3.0\" (is it linked as a guest?)";
    else if (e->start < MEMORY_FIRST_GFN * PAGE_SIZE)
        why = "it is linked below 1 MiB";
    else if (!page_ok || (e->hypercall_page & ~PAGE_MASK))
        why = "its hypercall page is not in an executable segment";
    else if (!entry_ok)
        why = "its entry point is not in an executable segment";
    return why ? host_error(h, -ENOEXEC, "cannot boot this image: %s", why) : 0;
}

/* A kernel for hypercalls and one for a bare processor look alike until they
 * run: what is wanted is said, and must be what is there. */
static int check_mode(struct rs_host *h, const struct rs_domain_config *c,
                      const struct elf_image *e)
{
    bool trap = c->flags & RS_DOMAIN_TRAP;

    if (trap && !h->emulate)
        return host_error(h, -EOPNOTSUPP, "this build has no trap-and-emulate");
    if (trap && c->vcpus > 1)
        return host_error(h, -EINVAL, "trap-and-emulate has one vCPU, not %u",
                          c->vcpus);
    if (trap == e->is_native)
        return 0;
    return host_error(h, -ENOEXEC, "cannot boot this image: %s",
                      trap ? "it is a paravirtual kernel, and mode trap needs "
                             "its native twin (ringside-cc --native)"
                           : "it is a native kernel, which needs mode trap");
}

static int plan(struct rs_host *h, const struct rs_domain_config *c,
                const struct elf_image *e, struct layout *l)
{
    l->module = page_up(e->end);
    l->start_info = page_up(l->module + c->module_size);
    l->console = l->start_info + PAGE_SIZE;
    l->store = l->console + PAGE_SIZE;
    l->stack = l->store + PAGE_SIZE;
    l->free = l->stack + PAGE_SIZE;
    if (l->free + 16 * PAGE_SIZE > c->memory_kib * 1024)
        return host_error(h, -ENOMEM,
                          "memory of %llu KiB is too little: this image needs "
                          "%llu KiB",
                          (unsigned long long)c->memory_kib,
                          (unsigned long long)(l->free / 1024 + 64));
    return 0;
}

/* ---- filling ---- */

/*
 * Writes into the guest's file: through our mapping of it each page would be a
 * page fault, and an entry of our page table for good.
 */
static int fill(struct domain *d, uint64_t at, const void *bytes, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t got = pwrite(d->memory.fd, (const char *)bytes + done, n - done,
                             (off_t)(at + done));

        if (got > 0)
            done += (size_t)got;
        else if (got == 0 || errno != EINTR)
            return -ENOMEM;
    }
    return 0;
}

static int load_image(struct domain *d, const struct elf_image *e)
{
    int err = 0;

    d->image.hypercall_page = e->hypercall_page;
    d->image.nr_segments = e->nr_segments;
    for (unsigned int i = 0; i < e->nr_segments && !err; i++) {
        const struct elf_segment *s = &e->segment[i];

        err = fill(d, s->vaddr, s->bytes, s->filesz);
        d->image.segment[i].start = s->vaddr & PAGE_MASK;
        d->image.segment[i].end = page_up(s->vaddr + s->memsz);
        d->image.segment[i].write = s->write;
        d->image.segment[i].execute = s->execute;
    }
    return err;
}

static int make_ring(struct domain *d, uint64_t page, grant_ref_t ref,
                     domid_t peer, uint32_t *gfn, uint32_t *port)
{
    int err = evtchn_alloc_unbound(d, peer, port);

    if (err)
        return err;
    *gfn = (uint32_t)(page >> PAGE_SHIFT);
    grant_seed(d, ref, peer, *gfn);
    return 0;
}

static int make_rings(struct domain *d, const struct rs_domain_config *c,
                      const struct layout *l)
{
    int err = 0;

    if (c->flags & RS_DOMAIN_STORE)
        err = make_ring(d, l->store, GNTTAB_RESERVED_XENSTORE, 0, &d->store_gfn,
                        &d->store_port);
    if (!err && (c->flags & RS_DOMAIN_CONSOLE))
        err = make_ring(d, l->console, GNTTAB_RESERVED_CONSOLE, RS_DOMID_DRIVER,
                        &d->console_gfn, &d->console_port);
    return err;
}

#define HWCAP2_FSGSBASE_BIT (1ul << 1) /* <asm/hwcap2.h> */

static void write_start_info(struct domain *d, const struct rs_domain_config *c,
                             const struct layout *l)
{
    struct start_info *si = (void *)(d->memory.base + l->start_info);

    if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT))
        si->flags |= SIF_RINGSIDE_NO_FSBASE;
    snprintf(si->magic, sizeof(si->magic), "xen-3.0-x86_64");
    si->nr_pages = d->memory.nr_pages;
    si->shared_info = (uint64_t)d->memory.nr_pages << PAGE_SHIFT;
    si->store_mfn = d->store_gfn;
    si->store_evtchn = d->store_port;
    si->console.domU.mfn = d->console_gfn;
    si->console.domU.evtchn = d->console_port;
    si->pt_base = l->free;
    if (c->module_size) {
        si->mod_start = l->module;
        si->mod_len = c->module_size;
    }
    if (c->cmdline)
        snprintf((char *)si->cmd_line, sizeof(si->cmd_line), "%s", c->cmdline);
}

static void init_shared_info(struct domain *d)
{
    struct shared_info *si = memory_own_page(d, MEMORY_OWN_SHARED_INFO);

    for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        si->vcpu_info[i].evtchn_upcall_mask = 1;
    time_publish(d);
    memory_set_own(d, d->memory.nr_pages, MEMORY_OWN_SHARED_INFO);
}

/* Memory file, process, its listener and console; for each vCPU an epoll set.
 */
#define DESCRIPTORS 4

static int no_descriptors(struct rs_host *h)
{
    return host_error(h, -EMFILE,
                      "the limit of open files, %u, leaves no room for another "
                      "guest ('ringside doctor' tells of it)",
                      h->files_limit);
}

static int charge_descriptors(struct domain *d)
{
    uint32_t n = DESCRIPTORS + d->nr_vcpus;

    if (host_charge_files(d->host, n, HOST_FILES_NEW))
        return no_descriptors(d->host);
    d->files = n;
    return 0;
}

/*
 * Not all descriptors are charged to domains: tools and whoever embeds us have
 * some. The kernel gives the lowest that is free, so a new one tells how many
 * there are; half of the reserve stays for those that are there.
 */
static int check_descriptors(struct rs_host *h, int newest)
{
    return (uint32_t)newest + h->files_reserve / 2 > h->files_limit
               ? no_descriptors(h)
               : 0;
}

static int build(struct domain *d, const struct rs_domain_config *c,
                 const struct elf_image *e, const struct layout *l)
{
    struct rs_host *h = d->host;
    uint32_t pages = (uint32_t)(c->memory_kib / (PAGE_SIZE / 1024));
    int err;

    d->nr_vcpus = c->vcpus ? c->vcpus : 1;
    d->polled = c->flags & RS_DOMAIN_POLLED;
    err = charge_descriptors(d);
    if (err)
        return err;
    err = memory_create(d, pages, MEMORY_OWN_PAGES(d->nr_vcpus));
    if (err)
        return host_error(
            h, err, "no memory for a guest of %llu KiB (%llu KiB are left)",
            (unsigned long long)c->memory_kib,
            (unsigned long long)(h->budget_pages - h->used_pages) *
                (PAGE_SIZE / 1024));
    err = check_descriptors(h, d->memory.fd);
    if (err)
        return err;
    err = console_open(d, c->console, c->data);
    if (!err && (c->flags & RS_DOMAIN_TRAP))
        err = h->emulate->open(&d->vcpu[0]);
    d->decode_in_guest = c->flags & RS_DOMAIN_TRAP_STUB;
    if (!err)
        err = grant_init(d);
    if (!err)
        err = evtchn_init(d, EVTCHN_MAX_PORTS);
    if (!err)
        err = load_image(d, e);
    if (!err && c->module_size)
        err = fill(d, l->module, c->module, c->module_size);
    if (err)
        return host_error(h, err, "no memory for a domain");
    init_shared_info(d);
    d->vcpu[0].entry.rip = e->entry;
    d->vcpu[0].entry.rsi = l->start_info;
    d->vcpu[0].entry.rsp = l->free;
    host_clear_error();
    err = d->ops->domain_create(d);
    if (!err)
        err = make_rings(d, c, l);
    if (err)
        return *rs_error() ? err
                           : host_error(h, err, "cannot start a domain: %s",
                                        strerror(-err));
    write_start_info(d, c, l);
    return 0;
}

int builder_create(struct rs_host *h, const struct rs_domain_config *c)
{
    struct elf_image e;
    struct layout l;
    struct domain *d;
    const char *why;
    int err = check_config(h, c);

    if (err)
        return err;
    if (elf_parse(c->kernel, c->kernel_size, &e, &why))
        return host_error(h, -ENOEXEC, "cannot boot this image: %s", why);
    err = check_image(h, &e);
    if (!err)
        err = check_mode(h, c, &e);
    if (!err)
        err = plan(h, c, &e, &l);
    if (!err)
        err = domain_alloc(h, 0xffff, c->name, h->engine, &d);
    if (err)
        return err;
    err = build(d, c, &e, &l);
    if (err) {
        domain_destroy(d);
        return err;
    }
    host_log(h, RS_LOG_INFO, "domain %u (%s): created, %llu KiB", d->domid,
             d->name, (unsigned long long)c->memory_kib);
    return d->domid;
}
