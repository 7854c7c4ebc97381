/*
 * Everything made and unmade many times leaves nothing behind.
 */
#include <ringside/guest.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/guest/tap.h"

static void nothing(void *arg)
{
    (void)arg;
    printf("%s", "");
    free(malloc(1000));
}

static void detached(void *arg)
{
    rs_semaphore_up(arg);
}

static bool one_round(void)
{
    struct rs_semaphore *s = rs_semaphore_new(0);
    struct rs_thread *t = rs_thread_create("t", nothing, NULL, 0);
    struct rs_event *e = NULL, *f = NULL;
    void *page = rs_pages_alloc(3);
    uint32_t ref;
    bool good;

    rs_thread_join(t);
    rs_thread_detach(rs_thread_create("d", detached, s, 0));
    good = rs_semaphore_down(s, RS_FOREVER) == 0;
    rs_thread_yield();
    rs_semaphore_free(s);
    good &= rs_grant(0, page, false, &ref) == 0 && rs_grant_end(ref) == 0;
    rs_pages_free(page, 3);
    good &= rs_event_listen(RS_DOMID_SELF, &e) == 0 &&
            rs_event_connect(RS_DOMID_SELF, rs_event_port(e), &f) == 0;
    if (good) {
        rs_event_notify(f);
        good = rs_event_wait(e, 2000000000) == 0;
        rs_event_close(f);
        rs_event_close(e);
    }
    return good;
}

int main(void)
{
    struct rs_usage before, after;
    int i = 0;

    plan(5);
    /* What is allocated once and kept is not a leak, and threads of the boot
     * may still end: there may be less afterwards, not more. */
    one_round();
    rs_usage(&before);
    while (i < 500 && one_round())
        i++;
    rs_usage(&after);
    point(i == 500, "500 rounds");
    point(after.pages_free >= before.pages_free, "pages: %u before, %u after",
          (unsigned int)before.pages_free, (unsigned int)after.pages_free);
    point(after.grants == before.grants, "grants");
    point(after.events == before.events, "event channels");
    point(after.threads <= before.threads, "threads");
    return done();
}
