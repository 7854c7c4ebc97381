#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "domain.h"

/* Linux 6.4: a page is put there write-protected in one step. */
#ifndef UFFDIO_CONTINUE_MODE_WP
#define UFFDIO_CONTINUE_MODE_WP ((__u64)1 << 1)
#endif

#define FEATURES                                                        \
    (UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM |            \
     UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM | \
     UFFD_FEATURE_SIGBUS)
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAP    (1ull << 62)
#define PAGEMAP_FILE    (1ull << 61)
/* Pages looked at by one system call: the bits of a word. */
#define SEEN_MAX 64u
/* Pages opened by one system call. */
#define RUN_MAX 512u
/* CONTINUE stops early when the process changes its mappings meanwhile. */
#define CONTINUE_TRIES 64u

/* How often one page is shown; it is writable while writers are. */
struct shown {
    uint32_t readers, writers;
};

struct window {
    struct list link;
    domid_t domid;
    uint64_t id; /* of the granter: a domid may be used again */
    uint64_t address, size;
    uint32_t pages_shown; /* showings, not pages */
    struct shown *pages;
};

/* A domid is never used twice within a nanosecond. */
static uint64_t identity(const struct domain *d)
{
    return d->created_ns;
}

/* ---- the set ---- */

/* Is this really a userfaultfd, and nothing that an ioctl could disturb? */
static bool is_userfaultfd(int fd)
{
    static const char name[] = "anon_inode:[userfaultfd]";
    char path[32], target[sizeof(name)];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    n = readlink(path, target, sizeof(target));
    return n == sizeof(name) - 1 && !memcmp(target, name, sizeof(name) - 1);
}

/* It must be fresh: on one that was set up before, UFFDIO_API fails. */
static bool set_up(int uffd)
{
    struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };

    return is_userfaultfd(uffd) && !ioctl(uffd, UFFDIO_API, &api) &&
           (api.features & FEATURES) == FEATURES;
}

void windows_init(struct window_set *s, struct rs_host *h, int uffd, int pid)
{
    char path[32];

    memset(s, 0, sizeof(*s));
    list_init(&s->list);
    s->host = h;
    s->due = DOMID_INVALID;
    s->uffd = s->pagemap = -1;
    if (uffd < 0)
        return;
    if (set_up(uffd)) {
        snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
        s->pagemap = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (s->pagemap >= 0)
        s->uffd = uffd;
    else
        close(uffd);
}

bool windows_strict(const struct window_set *s)
{
    return s->uffd >= 0;
}

static void window_free(struct window_set *s, struct window *w)
{
    if (s->run.window == w)
        s->run.count = 0;
    list_del(&w->link);
    free(w->pages);
    free(w);
}

void windows_free(struct window_set *s)
{
    while (!list_empty(&s->list))
        window_free(s, container_of(s->list.next, struct window, link));
    if (s->uffd >= 0)
        close(s->uffd);
    if (s->pagemap >= 0)
        close(s->pagemap);
    s->uffd = s->pagemap = -1;
}

static struct window *window_of(struct window_set *s, domid_t domid,
                                uint64_t id)
{
    struct list *pos;

    list_for_each(pos, &s->list) {
        struct window *w = container_of(pos, struct window, link);

        if (w->domid == domid && w->id == id)
            return w;
    }
    return NULL;
}

/* ---- windows come and go ---- */

static bool is_due(const struct window_set *s, const struct domain *granter)
{
    return s->due == granter->domid && s->due_id == identity(granter);
}

int window_file(struct window_set *s, struct domain *granter,
                struct control_window *w, int *file)
{
    if (!granter || granter->dying)
        return -ESRCH;
    if (!is_due(s, granter))
        return -EPERM;
    w->id = identity(granter);
    w->size = (uint64_t)granter->memory.file_pages << PAGE_SHIFT;
    *file = granter->memory.fd;
    return 0;
}

static int enclose(struct window_set *s, uint64_t address, uint64_t size)
{
    struct uffdio_register r = {
        .range = { .start = address, .len = size },
        .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR |
                UFFDIO_REGISTER_MODE_WP,
    };
    const uint64_t needed =
        1ull << _UFFDIO_CONTINUE | 1ull << _UFFDIO_WRITEPROTECT;

    if (s->uffd < 0)
        return 0;
    if (ioctl(s->uffd, UFFDIO_REGISTER, &r))
        return -errno;
    return (r.ioctls & needed) == needed ? 0 : -EINVAL;
}

int window_open(struct window_set *s, struct domain *granter,
                const struct control_window *w)
{
    struct window *n;
    int err;

    if (!granter || granter->dying)
        return -ESRCH;
    if (!is_due(s, granter) || w->id != identity(granter))
        return -EPERM;
    if (w->address & ~PAGE_MASK || w->address > UINT64_MAX - w->size ||
        w->size != (uint64_t)granter->memory.file_pages << PAGE_SHIFT)
        return -EINVAL;
    if (window_of(s, granter->domid, w->id))
        return -EEXIST;
    n = calloc(1, sizeof(*n));
    if (!n)
        return -ENOMEM;
    list_init(&n->link);
    n->domid = granter->domid;
    n->id = w->id;
    n->address = w->address;
    n->size = w->size;
    n->pages = calloc(granter->memory.file_pages, sizeof(*n->pages));
    err = n->pages ? enclose(s, n->address, n->size) : -ENOMEM;
    if (err) {
        window_free(s, n);
        return err;
    }
    list_add_head(&s->list, &n->link);
    s->due = DOMID_INVALID;
    return 0;
}

/* ---- opening pages ---- */

static int protect(struct window_set *s, uint64_t address, uint64_t size,
                   bool readonly)
{
    struct uffdio_writeprotect p = {
        .range = { .start = address, .len = size },
        .mode = readonly ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
    };

    return ioctl(s->uffd, UFFDIO_WRITEPROTECT, &p) ? -errno : 0;
}

/* CONTINUE shows what the file has; a page never touched is not in it. */
static int populate(struct domain *granter, uint64_t offset, uint64_t size)
{
    if (!granter || granter->memory.fd < 0)
        return -ESRCH;
    return fallocate(granter->memory.fd, FALLOC_FL_KEEP_SIZE, (off_t)offset,
                     (off_t)size)
               ? -errno
               : 0;
}

/* Bytes [at, at + size) of the window; `mode` of UFFDIO_CONTINUE. */
static int continue_range(struct window_set *s, struct window *w,
                          struct domain *granter, uint64_t at, uint64_t size,
                          uint64_t mode)
{
    bool populated = false;
    int err = 0;

    for (unsigned int i = 0; size && !err && i < CONTINUE_TRIES; i++) {
        struct uffdio_continue c = {
            .range = { .start = w->address + at, .len = size },
            .mode = mode,
        };

        if (!ioctl(s->uffd, UFFDIO_CONTINUE, &c))
            return 0;
        err = -errno;
        if (c.mapped > 0) {
            at += (uint64_t)c.mapped;
            size -= (uint64_t)c.mapped;
            err = 0;
        } else if (err == -EAGAIN) {
            err = 0;
        } else if (err == -EFAULT && !populated) {
            err = populate(granter, at, size);
            populated = true;
        }
    }
    return size && !err ? -EAGAIN : err;
}

static int open_run(struct window_set *s, struct window *w, uint64_t page,
                    uint64_t count, bool readonly)
{
    /* Whoever owns these pages is pinned by them: it is still in the table. */
    struct domain *granter = host_domain(s->host, w->domid);
    uint64_t at = page << PAGE_SHIFT, size = count << PAGE_SHIFT;
    int err;

    if (!readonly)
        return continue_range(s, w, granter, at, size, 0);
    err = continue_range(s, w, granter, at, size, UFFDIO_CONTINUE_MODE_WP);
    if (err != -EINVAL)
        return err;
    /* Linux before 6.4: two steps. */
    err = continue_range(s, w, granter, at, size, 0);
    return err ? err : protect(s, w->address + at, size, true);
}

int window_flush(struct window_set *s)
{
    uint64_t count = s->run.count;

    s->run.count = 0;
    if (count &&
        open_run(s, s->run.window, s->run.page, count, s->run.readonly))
        s->broken = true;
    return s->broken ? -EFAULT : 0;
}

static void queue_page(struct window_set *s, struct window *w, uint64_t page,
                       bool readonly)
{
    s->seen.absent = 0;
    if (s->run.count == 0 || s->run.window != w ||
        s->run.readonly != readonly || s->run.count == RUN_MAX ||
        s->run.page + s->run.count != page) {
        window_flush(s);
        s->run.window = w;
        s->run.page = page;
        s->run.readonly = readonly;
    }
    s->run.count++;
}

int window_show(struct window_set *s, struct domain *granter, xen_pfn_t gfn,
                bool readonly, uint64_t *address)
{
    struct window *w = window_of(s, granter->domid, identity(granter));
    struct shown *p;

    if (!w) {
        s->due = granter->domid;
        s->due_id = identity(granter);
        return -ENXIO;
    }
    p = &w->pages[gfn];
    *address = w->address + (gfn << PAGE_SHIFT);
    if (s->uffd >= 0 && !p->readers && !p->writers)
        queue_page(s, w, gfn, readonly);
    else if (s->uffd >= 0 && !readonly && !p->writers &&
             (window_flush(s) || protect(s, *address, PAGE_SIZE, false)))
        return -EFAULT;
    p->readers += readonly;
    p->writers += !readonly;
    w->pages_shown++;
    return 0;
}

/* ---- closing pages ---- */

/*
 * Looks at SEEN_MAX pages from `page` on. A page that Linux is moving just now
 * is not "present" and will be again: it shows as swapped, of a file (a window
 * page is never swapped; what is left of a dropped write-protected page is
 * swapped, of no file).
 */
static void look(struct window_set *s, uint64_t page)
{
    const uint64_t moving = PAGEMAP_SWAP | PAGEMAP_FILE;
    uint64_t entry[SEEN_MAX];
    ssize_t n = pread(s->pagemap, entry, sizeof(entry),
                      (off_t)(page * sizeof(entry[0])));

    s->seen.first = page;
    s->seen.absent = n == 0 ? ~0ull : 0; /* a dead process has no pages */
    for (unsigned int i = 0; n > 0 && i < (size_t)n / sizeof(entry[0]); i++)
        if (!(entry[i] & PAGEMAP_PRESENT) && (entry[i] & moving) != moving)
            s->seen.absent |= 1ull << i;
}

static bool seen_absent(const struct window_set *s, uint64_t page)
{
    return page - s->seen.first < SEEN_MAX &&
           s->seen.absent >> (page - s->seen.first) & 1;
}

/*
 * Is a page of the process absent? Only we can put a page of a window back, so
 * that answer, once seen, does not age until we do (queue_page()).
 */
static bool is_absent(struct window_set *s, uint64_t address)
{
    uint64_t page = address / PAGE_SIZE;

    if (!seen_absent(s, page))
        look(s, page);
    return seen_absent(s, page);
}

int window_hide(struct window_set *s, struct domain *granter, xen_pfn_t gfn,
                bool readonly)
{
    struct window *w = window_of(s, granter->domid, identity(granter));
    struct shown *p = &w->pages[gfn];
    uint64_t address = w->address + (gfn << PAGE_SHIFT);

    if (s->uffd >= 0 && p->readers + p->writers == 1 && !is_absent(s, address))
        return -EBUSY;
    if (s->uffd >= 0 && !readonly && p->writers == 1 && p->readers &&
        protect(s, address, PAGE_SIZE, true))
        return -EBUSY;
    p->readers -= readonly;
    p->writers -= !readonly;
    w->pages_shown--;
    return 0;
}

static bool window_dropped(struct window_set *s, const struct window *w)
{
    uint64_t left = w->pages_shown;

    for (uint64_t i = 0; left && i < w->size >> PAGE_SHIFT; i++) {
        uint64_t n = (uint64_t)w->pages[i].readers + w->pages[i].writers;

        if (n && !is_absent(s, w->address + (i << PAGE_SHIFT)))
            return false;
        left -= n;
    }
    return true;
}

int window_close(struct window_set *s, const struct control_window *w)
{
    struct window *win = window_of(s, (domid_t)w->domid, w->id);
    int shown;

    if (!win)
        return -ENOENT;
    if (s->uffd >= 0 && !window_dropped(s, win))
        return -EBUSY;
    shown = (int)win->pages_shown;
    window_free(s, win);
    return shown;
}

bool windows_dropped(struct window_set *s)
{
    struct list *pos;

    list_for_each(pos, &s->list) {
        struct window *w = container_of(pos, struct window, link);

        if (w->pages_shown && (s->uffd < 0 || !window_dropped(s, w)))
            return false;
    }
    return true;
}
