/*
 * The hypervisor's hold on another process's view of a memory file: it opens
 * single pages there, and sees which are reachable. This is all that grant
 * windows (window.c) need of Linux.
 *
 * The process made a userfaultfd and gave it away, so nobody but us can put a
 * page into a range that we enclosed: a touch of an absent page is SIGBUS, and
 * what is absent stays absent until we open it. We look at the process's
 * mappings through /proc, with files that keep meaning the same process image.
 * The process can spoil its own view (unmap it, map something else there):
 * then our calls fail.
 */
#ifndef RINGSIDE_VIEW_H
#define RINGSIDE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

struct view {
    int uffd, pagemap, maps;
    struct {
        uint64_t first, absent; /* page number; a bit for each from there */
    } seen;                     /* the last look */
};

void view_init(struct view *v);

/* Takes uffd, which must be a fresh userfaultfd of process pid; false: it is
 * not, or this Linux cannot do what we need. */
bool view_open(struct view *v, int uffd, int pid);
void view_close(struct view *v);
bool view_is_open(const struct view *v);

/*
 * Encloses [address, address + size), which must be the process's mapping of
 * all of `file`, without access and without a page. -EINVAL if it is not.
 */
int view_enclose(struct view *v, uint64_t address, uint64_t size, int file);

/* Opens pages; those that `file` lacks at `offset` are made. -errno. */
int view_show(struct view *v, uint64_t address, uint64_t size, bool readonly,
              int file, uint64_t offset);

/* Makes open pages read-only or writable. */
int view_protect(struct view *v, uint64_t address, uint64_t size,
                 bool readonly);

/* Can the process not reach this page? (A process that died cannot.) */
bool view_is_absent(struct view *v, uint64_t address);

#endif
