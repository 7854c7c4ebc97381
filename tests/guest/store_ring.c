/*
 * A guest that breaks the rules of its store ring: it is told so, is ignored,
 * and is served again once it asks for a new beginning.
 */
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/events.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/xenbus.h"
#include "libhypercall/hypercall.h"
#include "tests/guest/tap.h"

static struct xenstore_domain_interface *page;

/*
 * Waits until a word of the page has a value. No other thread of the guest runs
 * meanwhile: the kernel's own would begin anew before we have looked.
 */
static bool becomes(const uint32_t *word, uint32_t value)
{
    uint64_t end = clock_deadline(20 * NS_PER_S);

    while (READ_ONCE(*word) != value) {
        if (clock_now() > end)
            return false;
        hypercall_sched_op(SCHEDOP_yield, NULL, 0);
    }
    return true;
}

static bool reconnect(void)
{
    WRITE_ONCE(page->connection, XENSTORE_RECONNECT);
    event_notify(start_info->store_evtchn);
    return becomes(&page->connection, XENSTORE_CONNECTED);
}

static bool served(void)
{
    return xenbus_write(XENBUS_NO_TX, "data/ring", "x") == 0 &&
           xenbus_rm(XENBUS_NO_TX, "data/ring") == 0;
}

/* What was done to the page has this error, and an end. */
static void punished(const char *what, uint32_t error)
{
    event_notify(start_info->store_evtchn);
    point(becomes(&page->error, error), "%s: error %u", what, error);
    point(reconnect() && page->error == XENSTORE_ERROR_NONE, "%s: forgiven",
          what);
    point(served(), "%s: forgotten", what);
}

static void request_index(void)
{
    WRITE_ONCE(page->req_prod, page->req_cons + XENSTORE_RING_SIZE + 1);
    punished("a request index too far ahead", XENSTORE_ERROR_RINGIDX);
}

static void put_header(uint32_t type, uint32_t len)
{
    struct xsd_sockmsg header = { type, 77, 0, len };
    const char *bytes = (const char *)&header;
    uint32_t prod = page->req_prod;

    for (uint32_t i = 0; i < sizeof(header); i++)
        page->req[MASK_XENSTORE_IDX(prod + i)] = bytes[i];
    xen_wmb(); /* partner: the store reads req_prod before the bytes */
    WRITE_ONCE(page->req_prod, prod + (uint32_t)sizeof(header));
}

static void response_index(void)
{
    WRITE_ONCE(page->rsp_cons, page->rsp_prod + 1);
    put_header(XS_DIRECTORY, 0);
    punished("a response index out of range", XENSTORE_ERROR_RINGIDX);
}

static void too_long(void)
{
    put_header(XS_WRITE, XENSTORE_PAYLOAD_MAX + 1);
    punished("too long a message", XENSTORE_ERROR_PROTO);
}

static void anything(void)
{
    bool all = true;

    srand(1);
    for (int i = 0; i < 100 && all; i++) {
        page->req_cons = (uint32_t)rand();
        page->req_prod = (uint32_t)rand();
        page->rsp_cons = (uint32_t)rand();
        page->rsp_prod = (uint32_t)rand();
        page->error = (uint32_t)rand();
        event_notify(start_info->store_evtchn);
        all = reconnect();
    }
    point(all && served(), "a hundred pages of nonsense");
}

int main(void)
{
    page = (void *)(start_info->store_mfn << PAGE_SHIFT);
    plan(12);
    point(page->server_features == 15, "the store offers all that there is");
    point(served(), "the store serves");
    request_index();
    response_index();
    too_long();
    anything();
    return done();
}
