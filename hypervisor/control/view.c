/*
 * What windows need of Linux: userfaultfd and mappings of a granter. See
 * view.h.
 */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "xen_compat.h"

/* Linux 6.4: a page is put there write-protected in one step. */
#ifndef UFFDIO_CONTINUE_MODE_WP
#define UFFDIO_CONTINUE_MODE_WP ((__u64)1 << 1)
#endif

/* Linux 6.11: asks /proc/PID/maps for the mapping at an address. */
#ifndef PROCMAP_QUERY
struct procmap_query {
    uint64_t size, query_flags, query_addr;
    uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
    uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
    uint64_t vma_name_addr, build_id_addr;
};
#define PROCMAP_QUERY                _IOWR('f', 17, struct procmap_query)
#define PROCMAP_QUERY_VMA_READABLE   0x01
#define PROCMAP_QUERY_VMA_WRITABLE   0x02
#define PROCMAP_QUERY_VMA_EXECUTABLE 0x04
#define PROCMAP_QUERY_VMA_SHARED     0x08
#endif

/* Linux 6.7: finds the pages of a range that are somehow there. */
#ifndef PAGEMAP_SCAN
struct page_region {
    uint64_t start, end, categories;
};
struct pm_scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages,
        category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN    _IOWR('f', 16, struct pm_scan_arg)
#define PAGE_IS_FILE    (1 << 2)
#define PAGE_IS_PRESENT (1 << 3)
#define PAGE_IS_SWAPPED (1 << 4)
#endif

#define FEATURES                                                        \
    (UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM |            \
     UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM | \
     UFFD_FEATURE_SIGBUS)
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAP    (1ull << 62)
#define PAGEMAP_FILE    (1ull << 61)
/* Pages looked at by one system call: the bits of a word; and at set-up. */
#define SEEN_MAX    64u
#define SCAN_MAX    1024u
#define REGIONS_MAX 64u
/* Mappings of a process that we are ready to read through. */
#define MAPS_MAX 20000u
/* CONTINUE stops early when the process changes its mappings meanwhile. */
#define CONTINUE_TRIES 64u

/* ---- coming and going ---- */

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

static int open_of(int pid, const char *name)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

void view_init(struct view *v)
{
    *v = (struct view){ .uffd = -1, .pagemap = -1, .maps = -1 };
}

bool view_open(struct view *v, int uffd, int pid)
{
    view_init(v);
    v->uffd = uffd;
    if (set_up(uffd)) {
        v->pagemap = open_of(pid, "pagemap");
        v->maps = open_of(pid, "maps");
    }
    if (v->pagemap >= 0 && v->maps >= 0)
        return true;
    view_close(v);
    return false;
}

void view_close(struct view *v)
{
    const int fds[] = { v->uffd, v->pagemap, v->maps };

    for (unsigned int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    view_init(v);
}

bool view_is_open(const struct view *v)
{
    return v->uffd >= 0;
}

/* ---- looking ---- */

/*
 * A page that Linux is moving just now is not "present" and will be again: it
 * shows as swapped, of a file (pages of files are never swapped in this sense;
 * what is left of a dropped write-protected page is swapped, of no file).
 */
static bool is_reachable(uint64_t entry)
{
    const uint64_t moving = PAGEMAP_SWAP | PAGEMAP_FILE;

    return entry & PAGEMAP_PRESENT || (entry & moving) == moving;
}

static void look(struct view *v, uint64_t page)
{
    uint64_t entry[SEEN_MAX];
    ssize_t n = pread(v->pagemap, entry, sizeof(entry),
                      (off_t)(page * sizeof(entry[0])));

    v->seen.first = page;
    v->seen.absent = n == 0 ? ~0ull : 0; /* a dead process has no pages */
    for (unsigned int i = 0; n > 0 && i < (size_t)n / sizeof(entry[0]); i++)
        if (!is_reachable(entry[i]))
            v->seen.absent |= 1ull << i;
}

static bool seen_absent(const struct view *v, uint64_t page)
{
    return page - v->seen.first < SEEN_MAX &&
           v->seen.absent >> (page - v->seen.first) & 1;
}

/* Only we can put a page back, so "absent", once seen, does not age until we
 * do (view_show()). */
bool view_is_absent(struct view *v, uint64_t address)
{
    uint64_t page = address / PAGE_SIZE;

    if (!seen_absent(v, page))
        look(v, page);
    return seen_absent(v, page);
}

/* ---- enclosing ---- */

/* Is this line of /proc/PID/maps all of the file, shared, without access? */
static bool is_mapping(const char *line, uint64_t address, uint64_t size,
                       const struct stat *st)
{
    uint64_t start, end, offset, inode;
    unsigned int major_, minor_;
    char access[5];

    return sscanf(
               line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64,
               &start, &end, access, &offset, &major_, &minor_, &inode) == 7 &&
           start == address && end - start >= size && offset == 0 &&
           inode == st->st_ino && makedev(major_, minor_) == st->st_dev &&
           !strcmp(access, "---s");
}

/* The same, asked for. -ENOTTY: this kernel cannot be asked. */
static int query_mapping(struct view *v, uint64_t address, uint64_t size,
                         const struct stat *st)
{
    const uint64_t access =
        PROCMAP_QUERY_VMA_READABLE | PROCMAP_QUERY_VMA_WRITABLE |
        PROCMAP_QUERY_VMA_EXECUTABLE | PROCMAP_QUERY_VMA_SHARED;
    struct procmap_query q = { .size = sizeof(q), .query_addr = address };

    if (ioctl(v->maps, PROCMAP_QUERY, &q))
        return errno == ENOTTY ? -ENOTTY : -EINVAL;
    if (q.vma_start != address || q.vma_end - q.vma_start < size ||
        q.vma_offset != 0 || q.inode != st->st_ino ||
        makedev(q.dev_major, q.dev_minor) != st->st_dev ||
        (q.vma_flags & access) != PROCMAP_QUERY_VMA_SHARED)
        return -EINVAL;
    return 0;
}

/* Looks for the mapping; the file is read anew from its beginning. */
static int read_mapping(struct view *v, uint64_t address, uint64_t size,
                        const struct stat *st)
{
    int fd = fcntl(v->maps, F_DUPFD_CLOEXEC, 0);
    FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
    char line[512];
    int err = -EINVAL;

    if (!maps) {
        err = -errno;
        if (fd >= 0)
            close(fd);
        return err;
    }
    rewind(maps);
    for (unsigned int i = 0; err && i < MAPS_MAX; i++)
        if (!fgets(line, sizeof(line), maps))
            break;
        else if (is_mapping(line, address, size, st))
            err = 0;
    fclose(maps);
    return err;
}

/* A process with a thousand windows has as many lines to read. */
static int find_mapping(struct view *v, uint64_t address, uint64_t size,
                        int file)
{
    struct stat st;
    int err;

    if (fstat(file, &st))
        return -errno;
    err = query_mapping(v, address, size, &st);
    return err == -ENOTTY ? read_mapping(v, address, size, &st) : err;
}

/* The categories that make a page reachable, as is_reachable() tells them. */
static bool is_region_reachable(const struct page_region *r)
{
    const uint64_t moving = PAGE_IS_SWAPPED | PAGE_IS_FILE;

    return r->categories & PAGE_IS_PRESENT ||
           (r->categories & moving) == moving;
}

/*
 * Asks for what is there: page tables that do not exist cost nothing, while
 * reading costs milliseconds per GiB, in which nobody else is served. -ENOTTY:
 * this kernel cannot be asked.
 */
static int scan_empty(struct view *v, uint64_t address, uint64_t size)
{
    struct page_region found[REGIONS_MAX];
    struct pm_scan_arg scan = {
        .size = sizeof(scan),
        .start = address,
        .end = address + size,
        .vec = (uintptr_t)found,
        .vec_len = REGIONS_MAX,
        .category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        .return_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED | PAGE_IS_FILE,
    };

    while (scan.start < scan.end) {
        int n = ioctl(v->pagemap, PAGEMAP_SCAN, &scan);

        if (n < 0)
            return errno == ENOTTY ? -ENOTTY : -EINVAL;
        for (int i = 0; i < n; i++)
            if (is_region_reachable(&found[i]))
                return -EINVAL;
        if (scan.walk_end <= scan.start)
            return -EINVAL;
        scan.start = scan.walk_end;
    }
    return 0;
}

/* The same, read entry by entry. */
static int read_empty(struct view *v, uint64_t address, uint64_t size)
{
    uint64_t entry[SCAN_MAX];

    for (uint64_t at = 0; at < size; at += SCAN_MAX * PAGE_SIZE) {
        uint64_t left = (size - at) / PAGE_SIZE;
        size_t n = (left < SCAN_MAX ? left : SCAN_MAX) * sizeof(entry[0]);
        ssize_t got =
            pread(v->pagemap, entry, n,
                  (off_t)((address + at) / PAGE_SIZE * sizeof(entry[0])));

        if (got != (ssize_t)n)
            return -EINVAL;
        for (size_t i = 0; i < n / sizeof(entry[0]); i++)
            if (is_reachable(entry[i]))
                return -EINVAL;
    }
    return 0;
}

/* A page that was there before we enclosed the range would stay reachable. */
static int check_empty(struct view *v, uint64_t address, uint64_t size)
{
    int err = scan_empty(v, address, size);

    return err == -ENOTTY ? read_empty(v, address, size) : err;
}

int view_enclose(struct view *v, uint64_t address, uint64_t size, int file)
{
    const uint64_t needed =
        1ull << _UFFDIO_CONTINUE | 1ull << _UFFDIO_WRITEPROTECT;
    struct uffdio_register r = {
        .range = { .start = address, .len = size },
        .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR |
                UFFDIO_REGISTER_MODE_WP,
    };

    if (ioctl(v->uffd, UFFDIO_REGISTER, &r) || (r.ioctls & needed) != needed)
        return -EINVAL;
    /* Only now: what is there, or not there, stays so. */
    if (find_mapping(v, address, size, file))
        return -EINVAL;
    return check_empty(v, address, size);
}

/* ---- opening ---- */

int view_protect(struct view *v, uint64_t address, uint64_t size, bool readonly)
{
    struct uffdio_writeprotect p = {
        .range = { .start = address, .len = size },
        .mode = readonly ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
    };

    return ioctl(v->uffd, UFFDIO_WRITEPROTECT, &p) ? -errno : 0;
}

/* CONTINUE shows what the file has; a page never touched is not in it. */
static int populate(int file, uint64_t offset, uint64_t size)
{
    return fallocate(file, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size)
               ? -errno
               : 0;
}

static int show_range(struct view *v, uint64_t address, uint64_t size,
                      uint64_t mode, int file, uint64_t offset)
{
    bool populated = false;
    uint64_t done = 0;
    int err = 0;

    for (unsigned int i = 0; done < size && i < CONTINUE_TRIES; i++) {
        struct uffdio_continue c = {
            .range = { .start = address + done, .len = size - done },
            .mode = mode,
        };

        if (!ioctl(v->uffd, UFFDIO_CONTINUE, &c))
            return 0;
        err = -errno;
        if (c.mapped > 0) {
            done += (uint64_t)c.mapped;
            continue;
        }
        if (err == -EFAULT && !populated) {
            err = populate(file, offset + done, size - done);
            populated = true;
        }
        if (err && err != -EAGAIN)
            return err;
    }
    return done < size ? -EAGAIN : 0;
}

int view_show(struct view *v, uint64_t address, uint64_t size, bool readonly,
              int file, uint64_t offset)
{
    int err;

    v->seen.absent = 0;
    if (!readonly)
        return show_range(v, address, size, 0, file, offset);
    err = show_range(v, address, size, UFFDIO_CONTINUE_MODE_WP, file, offset);
    if (err != -EINVAL)
        return err;
    /* Linux before 6.4: two steps. */
    err = show_range(v, address, size, 0, file, offset);
    return err ? err : view_protect(v, address, size, true);
}
