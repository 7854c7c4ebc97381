/*
 * The mappings of a guest's address space. Nobody changes them from outside of
 * its process: a hypercall *queues* a change for the stub of the calling vCPU.
 * The stub calls mmap(), and Linux is let *continue* a call that is a queued
 * change and no other: it will run at some time. At that thread's next
 * notification it has run, and the change is *finished*. A queued change that
 * shows a page and was not continued is forgotten at the vCPU's next hypercall.
 * A removal that ends something (a grant, the guest's right to a frame) stays
 * queued, and what it ends is released when it is finished.
 *
 * A guest makes changes late, in another order, twice, or never. A page is
 * released all the same only when nothing can show it any more, because
 *
 * 1. one vCPU has at most one change that was continued and is not finished:
 *    each is continued at a notification, which finished the one before;
 * 2. unfinished changes of different vCPUs have no page in common: the later
 *    one is not queued (is_changing());
 * 3. of unfinished changes of one vCPU that have a page in common, only the
 *    first is continued (is_next()).
 *
 * So the changes of a page run in the order in which they were queued, but for
 * those that were forgotten, which never run. When a removal is finished, all
 * that was to be shown there before has run and was replaced, or never runs.
 * Nothing was queued later: until the release the frame table has the frame as
 * foreign or as leaving, and then no hypercall shows anything there.
 *
 * An mprotect() is continued for RAM only, which a page that is leaving is not.
 * Its page is not removed by another vCPU until it is finished; by the same
 * vCPU it cannot be, for a hypercall finishes it.
 *
 * That an mmap() has run does not say that it did what was asked: is_mapped()
 * looks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "sandbox.h"

/* ---- queueing ---- */

static bool overlap(const struct sandbox_change *a,
                    const struct sandbox_change *b)
{
    return a->addr < b->addr + b->size && b->addr < a->addr + a->size;
}

/* Has vCPU sv an unfinished change of a page of c? */
static bool has_unfinished(const struct sandbox_vcpu *sv,
                           const struct sandbox_change *c)
{
    if (sv->protecting && sv->protecting - c->addr < c->size)
        return true;
    for (unsigned int i = 0; i < sv->nr_pending; i++)
        if (overlap(&sv->pending[i].change, c))
            return true;
    return false;
}

/* Has a vCPU other than sv? */
static bool is_changing(const struct sandbox_vcpu *sv,
                        const struct sandbox_change *c)
{
    const struct sandbox_domain *sd = sv->vcpu->domain->engine;

    for (unsigned int k = 0; k < sd->domain->nr_vcpus; k++)
        if (&sd->vcpu[k] != sv && has_unfinished(&sd->vcpu[k], c))
            return true;
    return false;
}

/*
 * What is removed from RAM leaves its own pages of the file, without access:
 * were it anonymous memory, an mprotect() once it is RAM again would make
 * that accessible, which is nobody's.
 */
int mappings_queue(struct vcpu *v, xen_pfn_t gfn, uint32_t pages, int file,
                   uint64_t offset, int writable,
                   void (*done)(struct vcpu *, uint64_t), uint64_t arg)
{
    struct sandbox_domain *sd = v->domain->engine;
    struct sandbox_page *page = sandbox_page_of(v);
    struct sandbox_vcpu *sv = v->engine;
    bool of_ram = gfn < v->domain->memory.nr_pages;
    struct sandbox_change c = {
        .addr = gfn << PAGE_SHIFT,
        .size = (uint64_t)pages << PAGE_SHIFT,
        .offset = offset,
        .prot = file < 0   ? PROT_NONE
                : writable ? PROT_READ | PROT_WRITE
                           : PROT_READ,
    };

    if (!sd->in_call || sv->nr_pending == SANDBOX_MAX_CHANGES ||
        is_changing(sv, &c))
        return -EBUSY;
    if (file < 0) {
        c.fd = of_ram ? SANDBOX_FD_RAM : -1;
        c.offset = of_ram ? c.addr : 0;
    } else {
        c.fd = guest_fds_install(sd, file);
        if (c.fd < 0)
            return c.fd;
    }
    sv->pending[sv->nr_pending] = (struct pending_change){
        .change = c, .state = CHANGE_QUEUED, .done = done, .arg = arg
    };
    page->change[sv->nr_pending] = c;
    page->nr_changes = ++sv->nr_pending;
    return 0;
}

/* ---- what Linux may carry out ---- */

static bool is_change(const struct sandbox_change *c, const uint64_t *a)
{
    uint64_t flags =
        c->fd >= 0 ? MAP_SHARED | MAP_FIXED
                   : MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;

    return a[0] == c->addr && a[1] == c->size && a[2] == (uint64_t)c->prot &&
           a[3] == flags && (int32_t)a[4] == c->fd && a[5] == c->offset;
}

/* Is there no unfinished change before change i that has a page of it? */
static bool is_next(const struct sandbox_vcpu *sv, unsigned int i)
{
    for (unsigned int k = 0; k < i; k++)
        if (overlap(&sv->pending[k].change, &sv->pending[i].change))
            return false;
    return true;
}

bool mappings_check_mmap(struct sandbox_vcpu *sv, const uint64_t args[6])
{
    for (unsigned int i = 0; i < sv->nr_pending; i++) {
        struct pending_change *p = &sv->pending[i];

        if (p->state == CHANGE_QUEUED && is_change(&p->change, args)) {
            if (!is_next(sv, i))
                return false;
            p->state = CHANGE_CONTINUED;
            return true;
        }
    }
    return false;
}

/*
 * Protection of one page of the guest's own RAM. (What stands at a hole must
 * stay inaccessible.) Never writable and executable. Nor either without
 * readable: the processor would let it be read, but not Linux, by whom we look
 * whether a page is reachable.
 */
static bool is_protection(uint64_t prot)
{
    return prot == PROT_NONE || prot == PROT_READ ||
           prot == (PROT_READ | PROT_WRITE) || prot == (PROT_READ | PROT_EXEC);
}

bool mappings_check_mprotect(struct sandbox_vcpu *sv, const uint64_t args[6])
{
    if (!memory_is_ram(sv->vcpu->domain, args[0] >> PAGE_SHIFT) ||
        (args[0] & ~PAGE_MASK) || args[1] != PAGE_SIZE ||
        !is_protection(args[2]))
        return false;
    sv->protecting = args[0];
    return true;
}

/* ---- finishing ---- */

enum mapped { UNMAPPED, MAPPED, NO_THREAD };

/* Does /proc/TID/maps have an accessible page from addr to last? Only a whole
 * list, which is never empty, can say that there is none. */
static enum mapped is_in_maps(pid_t tid, uint64_t addr, uint64_t last)
{
    unsigned long start, end;
    unsigned int lines = 0;
    char path[32], perms[8];
    bool found = false, whole;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/maps", tid);
    f = fopen(path, "re");
    if (!f)
        return MAPPED;
    for (; !found && fscanf(f, "%lx-%lx %7s%*[^\n]", &start, &end, perms) == 3;
         lines++)
        found = last >= start && addr < end && strncmp(perms, "---", 3);
    whole = feof(f) && !ferror(f) && lines;
    fclose(f);
    return found || !whole ? MAPPED : UNMAPPED;
}

/*
 * Can a vCPU reach a page of a range? That the thread came back from its mmap()
 * does not say that the mmap() took the page away: a guest that holds as many
 * mappings as Linux allows makes it fail. (Where ptrace is restricted, reading
 * is refused, and maps are not.)
 *
 * We look through the calling thread, which waits in its call and so has its
 * memory. Of a thread that has ended Linux says that there is none, though it
 * may be the process's first and others go on. If this one ends, killed
 * meanwhile, nothing is known of the others until the process has ended.
 */
static enum mapped is_mapped(const struct sandbox_vcpu *sv, uint64_t addr,
                             uint64_t size)
{
    char byte;

    for (uint64_t at = addr; at < addr + size; at += PAGE_SIZE) {
        struct iovec to = { &byte, 1 }, from = { (void *)(uintptr_t)at, 1 };

        if (process_vm_readv(sv->tid, &to, 1, &from, 1, 0) >= 0)
            return MAPPED;
        if (errno == ESRCH)
            return NO_THREAD;
        if (errno != EFAULT)
            return is_in_maps(sv->tid, addr, addr + size - 1);
    }
    return UNMAPPED;
}

/* A change that Linux was let continue has run: was it a success? */
static bool has_worked(const struct sandbox_vcpu *sv,
                       const struct pending_change *p)
{
    enum mapped mapped = p->change.prot == PROT_NONE
                             ? is_mapped(sv, p->change.addr, p->change.size)
                             : UNMAPPED;

    if (mapped == MAPPED)
        domain_crash(sv->vcpu->domain, "%s",
                     p->done ? "it kept a page that it had to give back"
                             : "its page tables need more mappings than Linux "
                               "allows (vm.max_map_count)");
    return mapped == UNMAPPED;
}

void mappings_finish(struct sandbox_vcpu *sv, bool hypercall)
{
    struct sandbox_page *page = sandbox_page_of(sv->vcpu);
    unsigned int left = 0;

    sv->protecting = 0;
    for (unsigned int i = 0; i < sv->nr_pending; i++) {
        struct pending_change p = sv->pending[i];
        bool ran = p.state == CHANGE_CONTINUED;

        if (ran ? has_worked(sv, &p) : hypercall && !p.done) {
            if (p.done)
                p.done(sv->vcpu, p.arg);
        } else {
            sv->pending[left++] = p; /* what it ends stays pinned */
        }
    }
    sv->nr_pending = left;
    if (!hypercall)
        return; /* the stub is on its way through the page's list */
    for (unsigned int i = 0; i < left; i++)
        page->change[i] = sv->pending[i].change;
    page->nr_changes = left;
}
