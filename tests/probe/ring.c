/*
 * Probes over the ring, as a guest without privileges. The guest kernel's own
 * use of the ring ends first: its handler is masked, and nobody calls it.
 * Requests of domain 0 go through a mailbox to a process of the host (agent.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/probe/agent.h"

#include "guest-kernel/clock.h"
#include "guest-kernel/events.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/xenbus.h"

#define PATIENCE_MS 5000

unsigned int probe_domid;

static struct xenstore_domain_interface *page;

/* What is looked at next is not older than the event that is forgotten. */
static void forget_event(void)
{
    evtchn_port_t port = start_info->store_evtchn;

    __atomic_fetch_and(&shared_info->evtchn_pending[port / 64],
                       ~(1ul << port % 64), __ATOMIC_SEQ_CST);
}

/* Sleeps until the store's event; it is masked, and nobody takes it away. */
static void await_event(uint64_t deadline)
{
    evtchn_port_t port = start_info->store_evtchn;
    struct sched_poll op = { .nr_ports = 1, .timeout = deadline };

    set_xen_guest_handle(op.ports, &port);
    hypercall_sched_op(SCHEDOP_poll, &op, sizeof(op));
}

/* Waits until the expression is true, some seconds at most. */
#define WAIT(expr)                                      \
    ({                                                  \
        uint64_t end_ = clock_deadline_ms(PATIENCE_MS); \
        bool true_;                                     \
        for (;;) {                                      \
            forget_event();                             \
            true_ = (expr);                             \
            if (true_ || clock_now() >= end_)           \
                break;                                  \
            await_event(end_);                          \
        }                                               \
        true_;                                          \
    })

static uint32_t room(void)
{
    return XENSTORE_RING_SIZE - (page->req_prod - READ_ONCE(page->req_cons));
}

static uint32_t arrived(void)
{
    return READ_ONCE(page->rsp_prod) - page->rsp_cons;
}

static void kick(void)
{
    event_notify(start_info->store_evtchn);
}

bool carrier_write(const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        uint32_t n, prod = page->req_prod;

        if (!WAIT(room() > 0))
            return false;
        n = room() < len ? room() : (uint32_t)len;
        for (uint32_t i = 0; i < n; i++)
            page->req[MASK_XENSTORE_IDX(prod + i)] = *p++;
        xen_wmb(); /* partner: the store reads req_prod before the bytes */
        WRITE_ONCE(page->req_prod, prod + n);
        len -= n;
        kick();
    }
    return true;
}

size_t carrier_read(void *data, size_t len)
{
    uint32_t cons = page->rsp_cons, n;

    if (!WAIT(arrived() > 0))
        return 0;
    n = arrived();
    if (n > len)
        n = (uint32_t)len;
    for (uint32_t i = 0; i < n; i++)
        ((char *)data)[i] = page->rsp[MASK_XENSTORE_IDX(cons + i)];
    xen_mb(); /* the store may overwrite the bytes once it sees rsp_cons */
    WRITE_ONCE(page->rsp_cons, cons + n);
    kick();
    return n;
}

bool carrier_broken(void)
{
    return WAIT(READ_ONCE(page->error) == XENSTORE_ERROR_PROTO);
}

bool carrier_renew(void)
{
    WRITE_ONCE(page->connection, XENSTORE_RECONNECT);
    kick();
    return WAIT(READ_ONCE(page->connection) == XENSTORE_CONNECTED) &&
           page->error == XENSTORE_ERROR_NONE;
}

/* ---- the mailbox ---- */

/* One request about a node of the mailbox. */
static bool mailbox(struct message *m, uint32_t type, const char *node,
                    const void *data, size_t len)
{
    size_t n = strlen(node) + 1;

    m->hdr = (struct xsd_sockmsg){ .type = type, .len = (uint32_t)(n + len) };
    memcpy(m->data, node, n);
    if (len)
        memcpy(m->data + n, data, len);
    return stream_ask(&probe_me, m) && m->hdr.type == type;
}

/* Letters have one size, so that they cost no memory that is not there. */
static bool letter_send(const struct letter *l, const char *payload)
{
    static char bytes[LETTER_SIZE];
    static struct message m;

    if (l->hdr.len > sizeof(bytes) - sizeof(*l))
        return false;
    memcpy(bytes, l, sizeof(*l));
    memcpy(bytes + sizeof(*l), payload, l->hdr.len);
    return mailbox(&m, XS_WRITE, MAILBOX "/ask", bytes, sizeof(bytes));
}

/* Looks whether the answer with this number is there; then it is in *m. */
static bool letter_came(uint32_t number, struct message *m)
{
    struct letter l;

    if (!mailbox(m, XS_READ, MAILBOX "/answer", NULL, 0) ||
        m->hdr.len < sizeof(l))
        return false;
    memcpy(&l, m->data, sizeof(l));
    memmove(m->data, m->data + sizeof(l), m->hdr.len - sizeof(l) + 1);
    m->hdr = l.hdr;
    return l.number == number;
}

bool root_ask(struct message *m)
{
    uint64_t end = clock_deadline_ms(PATIENCE_MS);
    static struct letter l;

    l.number++;
    l.hdr = m->hdr;
    if (!letter_send(&l, m->data))
        return false;
    while (!letter_came(l.number, m)) {
        if (clock_now() >= end)
            return false;
        thread_sleep(200 * NS_PER_US);
    }
    return m->hdr.type != AGENT_EVENT;
}

bool root_event(struct message *m)
{
    m->hdr = (struct xsd_sockmsg){ .type = AGENT_EVENT };
    return root_ask(m);
}

static unsigned int own_domid(void)
{
    char *s = NULL;
    unsigned int domid = 0;

    if (xenbus_read(XENBUS_NO_TX, "domid", &s, NULL) == 0)
        domid = (unsigned int)strtoul(s, NULL, 10);
    free(s);
    return domid;
}

int main(int argc, char **argv)
{
    page = (void *)(start_info->store_mfn << PAGE_SHIFT);
    probe_domid = own_domid();
    thread_sleep(20 * NS_PER_MS); /* the kernel's own watch is set by then */
    event_mask(start_info->store_evtchn);
    if (!probe_domid || !carrier_renew()) {
        puts("Bail out! no store");
        return 1;
    }
    return probes_run(argc > 1 ? argv[1] : NULL);
}
