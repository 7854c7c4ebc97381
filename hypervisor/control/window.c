/*
 * Windows: the granted pages that a process maps. See window.h.
 */
#include "window.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"

/* Pages opened by one system call. */
#define RUN_MAX 512u

/* Of a window few pages are ever shown: it knows of them in pieces. */
#define PIECE 64u

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
    /* PIECE pages each; NULL: none of them was ever shown. */
    struct shown *piece[];
};

/* A domid is never used twice within a nanosecond. */
static uint64_t identity(const struct domain *d)
{
    return d->created_ns;
}

/* ---- the set ---- */

void windows_init(struct window_set *s, struct rs_host *h, int uffd, int pid)
{
    memset(s, 0, sizeof(*s));
    s->host = h;
    s->due = DOMID_INVALID;
    view_init(&s->view);
    if (uffd >= 0)
        view_open(&s->view, uffd, pid);
}

bool windows_strict(const struct window_set *s)
{
    return view_is_open(&s->view);
}

static uint64_t pieces(uint64_t size)
{
    return ((size >> PAGE_SHIFT) + PIECE - 1) / PIECE;
}

/* How often a page is shown; NULL: never. */
static struct shown *shown_of(struct window *w, uint64_t page)
{
    struct shown *piece = w->piece[page / PIECE];

    return piece ? &piece[page % PIECE] : NULL;
}

static struct shown *shown_make(struct window *w, uint64_t page)
{
    struct shown **piece = &w->piece[page / PIECE];

    if (!*piece)
        *piece = calloc(PIECE, sizeof(**piece));
    return shown_of(w, page);
}

static void window_free(struct window_set *s, struct window *w)
{
    if (s->run.window == w)
        s->run.count = 0;
    if (!list_empty(&w->link))
        s->nr_windows--;
    list_del(&w->link);
    for (uint64_t i = 0; i < pieces(w->size); i++)
        free(w->piece[i]);
    free(w);
}

void windows_free(struct window_set *s)
{
    for (uint32_t key = 0; key < BUCKETS && s->nr_windows; key++) {
        struct list *list = bucket(s->windows, key);

        while (!list_empty(list))
            window_free(s, container_of(list->next, struct window, link));
    }
    free(s->windows);
    s->windows = NULL;
    view_close(&s->view);
}

static struct window *window_of(struct window_set *s, domid_t domid,
                                uint64_t id)
{
    struct list *pos;

    if (!s->nr_windows)
        return NULL;
    list_for_each(pos, bucket(s->windows, domid)) {
        struct window *w = container_of(pos, struct window, link);

        if (w->domid == domid && w->id == id)
            return w;
    }
    return NULL;
}

/* ---- windows come and go ---- */

/* Most clients never have one. */
static bool has_room(struct window_set *s)
{
    if (s->windows)
        return true;
    s->windows = malloc(sizeof(*s->windows));
    if (s->windows)
        buckets_init(s->windows);
    return s->windows;
}

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

int window_open(struct window_set *s, struct domain *granter,
                const struct control_window *w)
{
    struct window *n;
    int err = 0;

    if (!granter || granter->dying)
        return -ESRCH;
    if (!is_due(s, granter) || w->id != identity(granter))
        return -EPERM;
    if (w->address & ~PAGE_MASK || w->address > UINT64_MAX - w->size ||
        w->size != (uint64_t)granter->memory.file_pages << PAGE_SHIFT)
        return -EINVAL;
    if (window_of(s, granter->domid, w->id))
        return -EEXIST;
    if (!has_room(s))
        return -ENOMEM;
    n = calloc(1, sizeof(*n) + pieces(w->size) * sizeof(n->piece[0]));
    if (!n)
        return -ENOMEM;
    list_init(&n->link);
    n->domid = granter->domid;
    n->id = w->id;
    n->address = w->address;
    n->size = w->size;
    if (windows_strict(s))
        err = view_enclose(&s->view, n->address, n->size, granter->memory.fd);
    if (err) {
        window_free(s, n);
        return err;
    }
    list_add_head(bucket(s->windows, n->domid), &n->link);
    s->nr_windows++;
    s->due = DOMID_INVALID;
    return 0;
}

/* ---- opening pages ---- */

int window_flush(struct window_set *s)
{
    struct window *w = s->run.window;
    uint64_t at = s->run.page << PAGE_SHIFT;
    struct domain *granter;

    if (s->run.count) {
        /* It is pinned by these very pages, so it is still in the table. */
        granter = host_domain(s->host, w->domid);
        if (view_show(&s->view, w->address + at, s->run.count << PAGE_SHIFT,
                      s->run.readonly, granter->memory.fd, at))
            s->broken = true;
    }
    s->run.count = 0;
    return s->broken ? -EFAULT : 0;
}

static void queue_page(struct window_set *s, struct window *w, uint64_t page,
                       bool readonly)
{
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
    p = shown_make(w, gfn);
    if (!p)
        return -ENOMEM;
    *address = w->address + (gfn << PAGE_SHIFT);
    if (windows_strict(s) && !p->readers && !p->writers)
        queue_page(s, w, gfn, readonly);
    else if (windows_strict(s) && !readonly && !p->writers &&
             (window_flush(s) ||
              view_protect(&s->view, *address, PAGE_SIZE, false)))
        return -EFAULT;
    p->readers += readonly;
    p->writers += !readonly;
    w->pages_shown++;
    return 0;
}

/* ---- closing pages ---- */

int window_hide(struct window_set *s, struct domain *granter, xen_pfn_t gfn,
                bool readonly)
{
    struct window *w = window_of(s, granter->domid, identity(granter));
    struct shown *p;
    uint64_t address;

    assert(w);                 /* it is not closed while a page is shown */
    assert(s->run.count == 0); /* or it would be shown after its end */
    p = shown_of(w, gfn);
    assert(p);
    address = w->address + (gfn << PAGE_SHIFT);
    if (windows_strict(s) && p->readers + p->writers == 1 &&
        !view_is_absent(&s->view, address))
        return -EBUSY;
    if (windows_strict(s) && !readonly && p->writers == 1 && p->readers &&
        view_protect(&s->view, address, PAGE_SIZE, true))
        return -EBUSY;
    p->readers -= readonly;
    p->writers -= !readonly;
    w->pages_shown--;
    return 0;
}

static bool window_dropped(struct window_set *s, struct window *w)
{
    uint64_t left = w->pages_shown;

    for (uint64_t i = 0; left && i < w->size >> PAGE_SHIFT; i++) {
        const struct shown *p = shown_of(w, i);
        uint64_t n = p ? (uint64_t)p->readers + p->writers : 0;

        if (n && !view_is_absent(&s->view, w->address + (i << PAGE_SHIFT)))
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
    if (windows_strict(s) && !window_dropped(s, win))
        return -EBUSY;
    shown = (int)win->pages_shown;
    window_free(s, win);
    return shown;
}

bool windows_none(const struct window_set *s)
{
    return s->nr_windows == 0;
}

bool windows_dropped(struct window_set *s)
{
    struct list *pos;

    for (uint32_t key = 0; key < BUCKETS && s->nr_windows; key++)
        list_for_each(pos, bucket(s->windows, key)) {
            struct window *w = container_of(pos, struct window, link);

            if (w->pages_shown && (!windows_strict(s) || !window_dropped(s, w)))
                return false;
        }
    return true;
}
