/*
 * Grant windows against a process that maps, drops, covers and lies. This
 * process is the mapper; window.c and view.c are the hypervisor's side. A model
 * counts what is shown. After each step every page that matters is tried:
 * what the mapper can read or write of a granter's memory must be shown to it,
 * and for writing.
 *
 * Not done are the calls that a mapper with windows must be kept from by its
 * own filter (mremap, fork, punching holes): see docs/security.md.
 *
 * Input: steps of a byte and its arguments (step()).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "hypervisor/domain.h"
#include "hypervisor/evtchn.h"
#include "hypervisor/grant.h"
#include "hypervisor/host.h"
#include "hypervisor/memory.h"
#include "hypervisor/test/engine_test.h"
#include "hypervisor/control/window.h"
#include "tests/fuzz/input.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#define GRANTERS  2
#define RAM_PAGES 1024
#define PAGES     16 /* of each that are granted: the first ones */

struct granter {
    struct domain *d;
    char *own; /* its memory, as it sees it itself */
    uint64_t size;

    /* The mapper's window. */
    char *at;  /* reserved for it */
    bool open; /* as window_open() said */
    unsigned int readers[PAGES], writers[PAGES];
};

static struct rs_host *host;
static struct granter granters[GRANTERS];
static struct window_set set;

/* Frames in a run, others alone, and the last of the file. */
static xen_pfn_t gfn_of(const struct granter *g, unsigned int i)
{
    if (i == PAGES - 1)
        return (g->size >> PAGE_SHIFT) - 1;
    return i < 10 ? 300 + i : 400 + 70 * i % 500;
}

static char *shown_at(const struct granter *g, unsigned int i)
{
    return g->at + (gfn_of(g, i) << PAGE_SHIFT);
}

/* ---- what the mapper reaches ---- */

#define SECRET(g, i) (0x5ec4e7000000ull + (uint64_t)((g)-granters) * 256 + (i))

static uint64_t *word_of(const struct granter *g, unsigned int i)
{
    return (uint64_t *)(g->own + (gfn_of(g, i) << PAGE_SHIFT));
}

static bool can_read(const struct granter *g, unsigned int i)
{
    uint64_t word = 0;
    struct iovec here = { &word, sizeof(word) };
    struct iovec there = { shown_at(g, i), sizeof(word) };

    return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == sizeof(word) &&
           word == *word_of(g, i) && word == SECRET(g, i);
}

static bool can_write(const struct granter *g, unsigned int i)
{
    uint64_t word = ~0ull;
    struct iovec here = { &word, sizeof(word) };
    struct iovec there = { shown_at(g, i), sizeof(word) };
    bool changed;

    process_vm_writev(getpid(), &here, 1, &there, 1, 0);
    changed = *word_of(g, i) == ~0ull;
    *word_of(g, i) = SECRET(g, i);
    return changed;
}

static void check_granter(const struct granter *g)
{
    for (unsigned int i = 0; i < PAGES; i++) {
        bool r = g->readers[i] || g->writers[i], w = g->writers[i];

        demand(!can_read(g, i) || r);
        demand(!can_write(g, i) || w);
    }
}

/* Pages that are to be opened with the next flush are not open yet. */
static void check_all(void)
{
    if (!windows_strict(&set))
        return;
    for (unsigned int k = 0; k < GRANTERS; k++)
        check_granter(&granters[k]);
}

/* ---- the mapper ---- */

static void reserve(struct granter *g)
{
    demand(mmap(g->at, g->size, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
                0) == g->at);
}

/* Maps the granter's file as it should, or as it should not. */
static void map_file(struct granter *g, unsigned int how, int file)
{
    int prot = how == 1 ? PROT_READ | PROT_WRITE : PROT_NONE;
    int flags = how == 2 ? MAP_PRIVATE : MAP_SHARED;
    off_t offset = how == 3 ? PAGE_SIZE : 0;
    uint64_t size = how == 4 ? g->size - PAGE_SIZE : g->size;
    char *p;

    reserve(g);
    if (how == 5)
        return;
    if (how == 6) /* another file of the same size */
        file = granters[g == granters].d->memory.fd;
    p = mmap(g->at, size, how == 7 ? PROT_READ : prot, flags | MAP_FIXED, file,
             offset);
    demand(p == g->at);
    if (how == 7) { /* a page is there before, and access is taken away */
        (void)*(volatile char *)shown_at(g, 0);
        mprotect(g->at, g->size, PROT_NONE);
    }
}

static void open_window(struct granter *g, unsigned int how)
{
    struct control_window w = { .domid = g->d->domid };
    uint64_t address;
    int file = -1, err;

    /* Only of whom a page was just refused. */
    err = window_file(&set, g->d, &w, &file);
    if (!g->open && !err)
        demand(file == g->d->memory.fd);
    if (!g->open)
        demand(window_show(&set, g->d, gfn_of(g, 0), true, &address) == -ENXIO);
    err = window_file(&set, g->d, &w, &file);
    if (err)
        return;
    if (!g->open)
        map_file(g, how, file);
    w.address = (uintptr_t)g->at;
    if (how == 8)
        w.address += PAGE_SIZE;
    else if (how == 9)
        w.address |= 8;
    else if (how == 10)
        w.address = UINT64_MAX & PAGE_MASK;
    else if (how == 11)
        w.size -= PAGE_SIZE;
    else if (how == 12)
        w.id++;
    err = window_open(&set, g->d, &w);
    if (g->open) {
        demand(err);
        return;
    }
    if (windows_strict(&set))
        demand(!err == (how == 0 || how > 12));
    if (err) {
        reserve(g);
        return;
    }
    g->open = true;
    mprotect(g->at, g->size, PROT_READ | PROT_WRITE);
}

static void close_window(struct granter *g, bool honest)
{
    struct domain *d = g->d;
    struct control_window w = { .domid = d->domid, .id = d->created_ns };
    unsigned int total = 0;
    int shown;

    if (honest && g->open)
        reserve(g);
    for (unsigned int i = 0; i < PAGES; i++)
        total += g->readers[i] + g->writers[i];
    shown = window_close(&set, &w);
    demand(g->open || shown == -ENOENT);
    if (honest && g->open && windows_strict(&set))
        demand(shown == (int)total);
    if (shown < 0)
        return;
    demand(shown == (int)total);
    g->open = false;
    memset(g->readers, 0, sizeof(g->readers));
    memset(g->writers, 0, sizeof(g->writers));
    if (!honest)
        check_all();
    reserve(g);
}

/* The mapper changes its mappings: honestly (0) or not. */
static void meddle(struct granter *g, unsigned int how, unsigned int first,
                   unsigned int n)
{
    uint64_t left_ = (uint64_t)(g->at + g->size - shown_at(g, first));
    uint64_t size = (uint64_t)n << PAGE_SHIFT;
    char *at = shown_at(g, first);

    if (!g->open)
        return;
    if (size > left_)
        size = left_;
    if (how % 8 < 3) {
        madvise(at, size, MADV_DONTNEED);
        return;
    }
    if (how % 8 == 3) {
        mprotect(at, size, PROT_READ);
        return;
    }
    if (how % 8 == 4) {
        mprotect(at, size, PROT_READ | PROT_WRITE);
        return;
    }
    if (how % 8 == 5)
        munmap(at, size);
    else
        mmap(at, size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
                 (how % 8 == 6 ? MAP_POPULATE : 0),
             -1, 0);
}

/* ---- the hypervisor ---- */

static void show(struct granter *g, unsigned int i, bool readonly)
{
    uint64_t address = 0;
    int err = window_show(&set, g->d, gfn_of(g, i), readonly, &address);

    demand(g->open || err == -ENXIO);
    if (err)
        return;
    demand(address == (uintptr_t)shown_at(g, i));
    g->readers[i] += readonly;
    g->writers[i] += !readonly;
}

static void hide(struct granter *g, unsigned int i, bool readonly)
{
    unsigned int *count = readonly ? &g->readers[i] : &g->writers[i];

    if (!*count)
        return; /* the grant's handle would not exist */
    if (!window_hide(&set, g->d, gfn_of(g, i), readonly))
        --*count;
}

static void flush(void)
{
    window_flush(&set);
}

static void step(void)
{
    unsigned int op = take(1), arg = take(1);
    struct granter *g = &granters[op >> 4 & 1];

    switch (op % 16) {
    case 0 ... 3:
        show(g, arg % PAGES, arg & 16);
        break;
    case 4 ... 6:
        flush();
        hide(g, arg % PAGES, arg & 16);
        break;
    case 7 ... 8: /* as libhypercall does it: drop, then hide */
        flush();
        meddle(g, 0, arg % PAGES, 1);
        hide(g, arg % PAGES, arg & 16);
        break;
    case 9 ... 11:
        flush();
        meddle(g, arg >> 4, arg % PAGES, 1 + take(1) % 32);
        break;
    case 12:
        open_window(g, arg < 128 ? 0 : arg % 16);
        break;
    case 13:
        flush();
        close_window(g, arg & 1);
        break;
    case 14:
        flush();
        if (windows_dropped(&set) && windows_strict(&set))
            for (unsigned int i = 0; i < PAGES; i++)
                demand(!can_read(g, i));
        break;
    default:
        flush();
        break;
    }
    if (!set.broken) /* else the process is ended */
        check_all();
}

/* ---- */

static void granter_make(struct granter *g, uint16_t domid)
{
    struct domain *d;

    if (domain_alloc(host, domid, domid == 2 ? "a" : "b", &engine_test, &d) ||
        memory_create(d, RAM_PAGES, 1 + GRANT_MAX_FRAMES) ||
        evtchn_init(d, EVTCHN_MAX_PORTS) || grant_init(d) ||
        engine_test.domain_create(d))
        abort();
    g->d = d;
    g->size = (uint64_t)d->memory.file_pages << PAGE_SHIFT;
    g->own = mmap(NULL, g->size, PROT_READ | PROT_WRITE, MAP_SHARED,
                  d->memory.fd, 0);
    g->at = mmap(NULL, g->size, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    demand(g->own != MAP_FAILED && g->at != MAP_FAILED);
    for (unsigned int i = 0; i < PAGES; i++)
        *word_of(g, i) = SECRET(g, i);
}

static void clean_up(void)
{
    rs_host_free(host);
}

static void set_up(void)
{
    struct rs_host_config c = { .engine = "test" };

    if (rs_host_new(&c, &host))
        abort();
    for (unsigned int i = 0; i < GRANTERS; i++)
        granter_make(&granters[i], (uint16_t)(2 + i));
    atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int uffd = (int)syscall(SYS_userfaultfd,
                            O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

    input_begin(data, size < 2048 ? size : 2048);
    if (!host)
        set_up();
    for (unsigned int i = 0; i < GRANTERS; i++) {
        struct granter *g = &granters[i];

        g->open = false;
        memset(g->readers, 0, sizeof(g->readers));
        memset(g->writers, 0, sizeof(g->writers));
    }
    windows_init(&set, host, uffd, getpid());
    while (input_left && !set.broken)
        step();
    for (unsigned int i = 0; i < GRANTERS; i++)
        reserve(&granters[i]);
    windows_free(&set);
    return 0;
}
