/*
 * What the driver domain can see: after this guest has filled all its memory
 * with secrets and given it back, the card, the disk, a vchan and the program
 * get pages to share. Whatever the grant table names holds none of them.
 *
 * run-guest: --vif type=nat --disk $tmp/d,raw,xvda,w $(truncate -s1M $tmp/d)
 */
#include <ringside/blk.h>
#include <ringside/guest.h>
#include <ringside/net.h>
#include <ringside/vchan.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/grants.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/pages.h"
#include "tests/guest/tap.h"

#define SECRET      0x7465726365732121ull
#define FIRST_REF   8
#define TABLE_FRAME 16 /* behind nr_pages, see docs/engine.md */
#define PER_FRAME   (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define SECOND      1000000000ull

static void fill(uint64_t *words, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof(*words); i++)
        words[i] = SECRET;
}

/* Takes runs of pages until there are none; all that it took go back. */
static void fill_pages(size_t n)
{
    void *run;

    if (!n)
        return;
    run = pages_alloc(n);
    if (run)
        fill(run, n * PAGE_SIZE);
    else
        n /= 2;
    fill_pages(n);
    pages_free(run, run ? n : 0);
}

static void fill_heap(size_t bytes)
{
    void *p = malloc(bytes);

    if (p)
        fill(p, bytes);
    free(p);
}

static bool has_secret(const void *page)
{
    const uint64_t *words = page;

    for (size_t i = 0; i < PAGE_SIZE / sizeof(*words); i++)
        if (words[i] == SECRET)
            return true;
    return false;
}

/* Looks at the table itself. */
static void look(const char *what)
{
    const struct grant_entry_v1 *table =
        (void *)((start_info->nr_pages + TABLE_FRAME) << PAGE_SHIFT);
    size_t used = grant_used_count(), seen = 0, leaks = 0;
    size_t end = (used + FIRST_REF + PER_FRAME - 1) / PER_FRAME * PER_FRAME;

    for (size_t ref = FIRST_REF; ref < end; ref++) {
        if (!(READ_ONCE(table[ref].flags) & GTF_type_mask))
            continue;
        seen++;
        leaks +=
            has_secret((void *)((uintptr_t)table[ref].frame << PAGE_SHIFT));
    }
    point(seen == used && leaks == 0, "%s: %u of %u pages looked at, %u leak",
          what, (unsigned int)seen, (unsigned int)used, (unsigned int)leaks);
}

static void use_disk(void)
{
    static char sector[RS_BLK_SECTOR] = "not secret";
    struct rs_blk *b;

    if (!point(rs_blk_open("xvda", &b) == 0, "the disk opens"))
        return;
    look("disk, open");
    point(rs_blk_write(b, 3, sector, 1) == 0 &&
              rs_blk_read(b, 3, sector, 1) == 0,
          "one sector is written and read");
    point(rs_blk_buffer_alloc(b, 20 * PAGE_SIZE) != NULL, "a buffer to share");
    look("disk, in use");
}

int main(void)
{
    struct rs_vchan *v;
    uint32_t ref;
    char *page;

    plan(11);
    fill_heap(4u << 20);
    fill_pages(pages_free_count());
    page = rs_pages_alloc(30);
    point(page != NULL && !has_secret(page) &&
              rs_grant(0, page, false, &ref) == 0,
          "the program's pages are empty");
    look("program");
    use_disk();
    point(rs_net_up(20 * SECOND) == 0, "the card has an address");
    look("card");
    point(rs_vchan_listen(0, "data/granted", 1 << 16, 1024, &v) == 0,
          "a vchan listens");
    look("vchan");
    return done();
}
