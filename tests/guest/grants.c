/*
 * Our grant table: references given, taken back, and mapped by ourselves.
 * run-guest-hypercall: trap ring
 */
#include <errno.h>
#include <string.h>

#include "guest-kernel/grants.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/pages.h"
#include "tests/guest/tap.h"

#define MANY  1000 /* more than one frame of the table holds */
#define BATCH 100

static bool many_references(void *page)
{
    static grant_ref_t refs[MANY];
    bool good = true;
    int n = 0;

    while (n < MANY && grant_access(0, page, false, &refs[n]) == 0)
        n++;
    good = n == MANY;
    while (n-- > 0)
        good &= refs[n] >= 8 && grant_end(refs[n]) == 0;
    return good;
}

/* Entries name their holder by number, so the test needs its own. */
static domid_t own_domid(void)
{
    struct evtchn_status op = { .dom = DOMID_SELF };
    evtchn_port_t far, near = 0;

    hypercall_evtchn_alloc_unbound(DOMID_SELF, &far);
    hypercall_evtchn_bind_interdomain(DOMID_SELF, far, &near);
    op.port = near;
    hypercall_evtchn_status(&op);
    hypercall_evtchn_close(near);
    hypercall_evtchn_close(far);
    return op.u.interdomain.dom;
}

static void mapping(char *page)
{
    domid_t self = own_domid();
    struct grant_map map;
    grant_ref_t ref, bad;

    strcpy(page, "seen through the grant");
    grant_access(self, page, false, &ref);
    if (!point(grant_map(self, &ref, 1, false, &map) == 0,
               "a page of ours can be mapped a second time"))
        return;
    point(strcmp(map.addr, page) == 0, "it shows the same bytes");
    strcpy(map.addr, "written on the other side");
    point(strcmp(page, "written on the other side") == 0, "in both directions");
    point(grant_in_use(ref), "the entry says that it is mapped");
    point(grant_end(ref) == -EBUSY, "it cannot be taken back meanwhile");
    grant_unmap(&map);
    point(!grant_in_use(ref), "but after the mapping is gone");
    point(grant_end(ref) == 0, "it can");
    bad = ref;
    point(grant_map(self, &bad, 1, false, &map) < 0,
          "a reference that is free cannot be mapped");
}

/* More mappings than the engine changes at a time, by two hypercalls. */
static void batch(char *pages)
{
    static struct gnttab_map_grant_ref map[BATCH];
    static struct gnttab_unmap_grant_ref unmap[BATCH];
    domid_t self = own_domid();
    char *at = (char *)((start_info->nr_pages + 20000) << PAGE_SHIFT);
    bool good = true;

    for (int i = 0; i < BATCH; i++) {
        map[i] = (struct gnttab_map_grant_ref){
            .host_addr = (uintptr_t)(at + i * PAGE_SIZE),
            .flags = GNTMAP_host_map,
            .dom = self,
        };
        pages[i * PAGE_SIZE] = (char)i;
        grant_access(self, pages + i * PAGE_SIZE, false, &map[i].ref);
    }
    good = hypercall_grant_map(map, BATCH) == 0;
    for (int i = 0; i < BATCH; i++) {
        good &= map[i].status == GNTST_okay && at[i * PAGE_SIZE] == (char)i;
        unmap[i].host_addr = map[i].host_addr;
        unmap[i].handle = map[i].handle;
    }
    point(good, "%d mappings by one hypercall", BATCH);
    good = hypercall_grant_unmap(unmap, BATCH) == 0;
    for (int i = 0; i < BATCH; i++)
        good &= unmap[i].status == GNTST_okay && grant_end(map[i].ref) == 0;
    point(good, "and gone by one");
}

/* Three pages: ours are anywhere in the second and third. */
static void copying(char *page)
{
    domid_t self = own_domid();
    grant_ref_t ref, ro;
    char *ours = pages_alloc(2), *across = ours + PAGE_SIZE - 10;

    grant_access(self, page, false, &ref);
    grant_access(self, page, true, &ro);
    memset(page, 0, PAGE_SIZE);
    strcpy(across, "crosses the end of a page");
    point(grant_copy_to(self, ref, 100, across, 26) == 0 &&
              strcmp(page + 100, across) == 0,
          "bytes are copied into a granted page");
    memset(ours, 1, 2 * PAGE_SIZE);
    point(grant_copy_from(self, ro, 100, across, 26) == 0 &&
              strcmp(page + 100, across) == 0 && across[26] == 1,
          "and out of a read-only one");
    point(grant_copy_from(self, ref, 0, across, PAGE_SIZE) == 0 &&
              memcmp(page, across, PAGE_SIZE) == 0,
          "a page at a time");
    point(grant_copy_to(self, ro, 0, ours, 1) == -EINVAL,
          "but not into a read-only one");
    point(grant_copy_from(self, ref, PAGE_SIZE - 1, ours, 2) == -EINVAL,
          "nor beyond its end");
    point(grant_end(ref) == 0 && grant_end(ro) == 0, "nothing is held");
    point(grant_copy_from(self, ref, 0, ours, 1) == -EINVAL,
          "what was taken back is not copied");
    pages_free(ours, 2);
}

int main(void)
{
    unsigned int used = grant_used_count();
    size_t pages = pages_free_count();
    char *page = pages_alloc(1);
    grant_ref_t ref;

    plan(23);
    point(grant_access(0, page, true, &ref) == 0 && ref >= 8,
          "a reference above the reserved ones");
    point(!grant_in_use(ref), "nobody has mapped it");
    point(grant_end(ref) == 0, "it can be taken back");
    point(grant_end(ref) == -EINVAL, "once");
    point(many_references(page), "%d references at a time", MANY);
    mapping(page);
    copying(page);
    pages_free(page, 1);
    page = pages_alloc(BATCH);
    batch(page);
    pages_free(page, BATCH);
    point(grant_used_count() == used && pages_free_count() == pages,
          "no grant and no page is left over");
    return done();
}
