/*
 * Changes of a guest's address space. From outside there are none: a hypercall
 * decides a change and *tells* it to the calling vCPU's stub; an mmap() that is
 * that change and no other is *let go*, that is, it will run at some time; at
 * that thread's next notification it has run: the change is *finished*. A
 * change that shows something and was not let go is forgotten at the vCPU's
 * next hypercall. A removal that ends something (a grant, the guest's right to
 * a frame) stays to be done, and that is released when it is finished.
 *
 * A guest carries changes out late, in another order, twice, or never. A page
 * is released all the same only when nothing can show it any more, because
 *
 * 1. one vCPU has at most one change that is let go and not finished: each is
 *    let go at a notification, which finished the one before;
 * 2. unfinished changes of different vCPUs have no page in common: the later
 *    one is not told (is_changing());
 * 3. of unfinished changes of one vCPU that have a page in common, only the
 *    first is let go (is_next()).
 *
 * So the changes of a page run in the order in which they were decided, but
 * for those that were forgotten, which never run. When a removal is finished,
 * all that was to be shown there before has run and was replaced, or never
 * runs. Nothing was decided later: until the release the frame table has the
 * frame as foreign or as leaving, and then no hypercall shows anything there.
 *
 * An mprotect() is let go for RAM only, which a page that is leaving is not.
 * Its page is not removed by another vCPU until it is finished; by the same
 * vCPU it cannot be, for a hypercall finishes it.
 *
 * Whether Linux did what the mmap() said is another matter: hence the look.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "sandbox.h"

/* ---- descriptors ---- */

/*
 * The descriptor under which the calling vCPU may map a file: its own for as
 * long as it has not said that it is done, for what it was let go to do may
 * not have run yet. Only within one call does a file's number tell the file.
 */
static int lend_file(struct sandbox_domain *sd, int file)
{
    const unsigned int nr = sizeof(sd->foreign) / sizeof(sd->foreign[0]);
    unsigned int i, free = nr;
    int err;

    if (file == sd->domain->memory.fd)
        return SANDBOX_FD_RAM;
    for (i = 0; i < nr; i++) {
        if (sd->foreign[i].to == sd->caller && sd->foreign[i].file == file &&
            sd->foreign[i].notif_id == sd->notif_id)
            return SANDBOX_FD_FOREIGN + (int)i;
        if (!sd->foreign[i].to && free == nr)
            free = i;
    }
    if (free == nr)
        return -EMFILE;
    err = notify_install_fd(sd, file, SANDBOX_FD_FOREIGN + (int)free);
    if (err)
        return err;
    sd->foreign[free].to = sd->caller;
    sd->foreign[free].notif_id = sd->notif_id;
    sd->foreign[free].file = file;
    return SANDBOX_FD_FOREIGN + (int)free;
}

void changes_take_files_back(struct sandbox_vcpu *sv)
{
    struct sandbox_domain *sd = sv->vcpu->domain->engine;
    const unsigned int nr = sizeof(sd->foreign) / sizeof(sd->foreign[0]);

    for (unsigned int i = 0; i < nr; i++)
        if (sd->foreign[i].to == sv) {
            notify_install_fd(sd, sd->host->dummy_fd,
                              SANDBOX_FD_FOREIGN + (int)i);
            sd->foreign[i].to = NULL;
        }
}

/* ---- telling ---- */

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
int changes_tell(struct vcpu *v, xen_pfn_t gfn, uint32_t pages, int file,
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
        c.fd = lend_file(sd, file);
        if (c.fd < 0)
            return c.fd;
    }
    sv->pending[sv->nr_pending] = (struct pending_change){
        .change = c, .state = CHANGE_TOLD, .done = done, .arg = arg
    };
    page->change[sv->nr_pending] = c;
    page->nr_changes = ++sv->nr_pending;
    return 0;
}

/* ---- letting go ---- */

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

bool changes_allow_mmap(struct sandbox_vcpu *sv, const uint64_t args[6])
{
    for (unsigned int i = 0; i < sv->nr_pending; i++) {
        struct pending_change *p = &sv->pending[i];

        if (p->state == CHANGE_TOLD && is_change(&p->change, args)) {
            if (!is_next(sv, i))
                return false;
            p->state = CHANGE_LET_GO;
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

bool changes_allow_mprotect(struct sandbox_vcpu *sv, const uint64_t args[6])
{
    if (!memory_is_ram(sv->vcpu->domain, args[0] >> PAGE_SHIFT) ||
        (args[0] & ~PAGE_MASK) || args[1] != PAGE_SIZE ||
        !is_protection(args[2]))
        return false;
    sv->protecting = args[0];
    return true;
}

/* ---- finishing ---- */

enum seen { NOTHING, SOMETHING, NO_THREAD };

/* What does /proc/TID/maps show from addr to last? Only a whole list, which is
 * never empty, can show nothing. */
static enum seen look_in_maps(pid_t tid, uint64_t addr, uint64_t last)
{
    unsigned long start, end;
    unsigned int lines = 0;
    char path[32], perms[8];
    bool found = false, whole;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/maps", tid);
    f = fopen(path, "re");
    if (!f)
        return SOMETHING;
    for (; !found && fscanf(f, "%lx-%lx %7s%*[^\n]", &start, &end, perms) == 3;
         lines++)
        found = last >= start && addr < end && strncmp(perms, "---", 3);
    whole = feof(f) && !ferror(f) && lines;
    fclose(f);
    return found || !whole ? SOMETHING : NOTHING;
}

/*
 * What can a vCPU reach of a range? That the thread came back from its mmap()
 * does not say that the mmap() took the page away: a guest that holds as many
 * mappings as Linux allows makes it fail. So look. (Where ptrace is
 * restricted, reading is refused, maps are not.)
 *
 * We look through the calling thread, which waits in its call and so has its
 * memory. Of a thread that has ended Linux says that there is none, though it
 * may be the process's first and others go on. If this one ends, killed
 * meanwhile, nothing is known of the others until the process has ended.
 */
static enum seen look(const struct sandbox_vcpu *sv, uint64_t addr,
                      uint64_t size)
{
    char byte;

    for (uint64_t at = addr; at < addr + size; at += PAGE_SIZE) {
        struct iovec to = { &byte, 1 }, from = { (void *)(uintptr_t)at, 1 };

        if (process_vm_readv(sv->tid, &to, 1, &from, 1, 0) >= 0)
            return SOMETHING;
        if (errno == ESRCH)
            return NO_THREAD;
        if (errno != EFAULT)
            return look_in_maps(sv->tid, addr, addr + size - 1);
    }
    return NOTHING;
}

/* A change that was let go has run: has it done what it is for? */
static bool has_worked(const struct sandbox_vcpu *sv,
                       const struct pending_change *p)
{
    enum seen seen = p->change.prot == PROT_NONE
                         ? look(sv, p->change.addr, p->change.size)
                         : NOTHING;

    if (seen == SOMETHING)
        domain_crash(sv->vcpu->domain, "%s",
                     p->done ? "it kept a page that it had to give back"
                             : "its page tables need more mappings than Linux "
                               "allows (vm.max_map_count)");
    return seen == NOTHING;
}

void changes_finish(struct sandbox_vcpu *sv, bool hypercall)
{
    struct sandbox_page *page = sandbox_page_of(sv->vcpu);
    unsigned int left = 0;

    sv->protecting = 0;
    for (unsigned int i = 0; i < sv->nr_pending; i++) {
        struct pending_change p = sv->pending[i];
        bool ran = p.state == CHANGE_LET_GO;

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
