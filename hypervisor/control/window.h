/*
 * Grant windows, the hypervisor's side: which pages of which granter a process
 * sees (docs/control.md).
 *
 * A process has one set of windows and one window per granter; the window is
 * the process's mapping of the granter's whole file, registered with a
 * userfaultfd that only we hold. Strict: a page is reachable from window_show()
 * until the process drops it, which window_hide() verifies. Not strict
 * (no userfaultfd): every page of a window is reachable, and only counted.
 */
#ifndef RINGSIDE_WINDOW_H
#define RINGSIDE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "control_wire.h"
#include "buckets.h"
#include "view.h"
#include "xen_compat.h"

struct domain;
struct rs_host;
struct window;

struct window_set {
    struct rs_host *host;
    struct view view;        /* open: strict */
    bool broken;             /* the process spoiled its mappings: end it */
    struct buckets *windows; /* by granter; NULL: it never had one */
    unsigned int nr_windows;
    struct {
        struct window *window;
        uint64_t page, count;
        bool readonly;
    } run;           /* pages that window_flush() is to open */
    domid_t due;     /* granter whose file may be asked for, */
    uint64_t due_id; /* and its identity */
};

/* Takes uffd (or -1). A set that cannot be strict is made all the same. */
void windows_init(struct window_set *s, struct rs_host *h, int uffd, int pid);
void windows_free(struct window_set *s);
bool windows_strict(const struct window_set *s);

/*
 * The granter's file and what the process must know of it. Only for a granter
 * of which a good grant was just refused for want of a window: -EPERM
 * otherwise, -ESRCH if it has gone. *file is borrowed.
 */
int window_file(struct window_set *s, struct domain *granter,
                struct control_window *w, int *file);

/* The file is mapped at w->address, without access. -EINVAL, -EEXIST. */
int window_open(struct window_set *s, struct domain *granter,
                const struct control_window *w);

/*
 * The process has unmapped the window and everything in it. Returns how many
 * showings ended with it (the caller releases them), -ENOENT, or -EBUSY while
 * a page is still reachable.
 */
int window_close(struct window_set *s, const struct control_window *w);

/* True if the set is empty. */
bool windows_none(const struct window_set *s);

/*
 * Makes page gfn of `granter` visible, at the latest with the next
 * window_flush(), and tells where. -ENXIO: there is no window.
 */
int window_show(struct window_set *s, struct domain *granter, xen_pfn_t gfn,
                bool readonly, uint64_t *address);

/* Ends one showing; -EBUSY while the page is still reachable. */
int window_hide(struct window_set *s, struct domain *granter, xen_pfn_t gfn,
                bool readonly);

/* 0, or an error that means that the process spoiled its mappings. */
int window_flush(struct window_set *s);

/* Has the process itself dropped every page that it was shown? */
bool windows_dropped(struct window_set *s);

#endif
