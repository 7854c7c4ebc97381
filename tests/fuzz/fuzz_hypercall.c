/*
 * Fuzzes the core from the guests' side: three domains and a process do
 * whatever the bytes say, domains come and go, and after every few steps all
 * tables must agree with each other.
 *
 * The input is a program of one-byte instructions with operands (step()).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hypercalls/hypercall.h"
#include "test/engine_test.h"
#include "unit/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define GUESTS 3

static struct rs_host *host;
static uint16_t guest[GUESTS];
static struct domain *process;

struct input {
    const uint8_t *at, *end;
};

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* ---- the input ---- */

static uint8_t byte(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* A number as programs use them: mostly small, or an address of interest. */
static uint64_t number(struct input *in)
{
    static const uint64_t addresses[] = {
        CORE_ARG,
        CORE_RAM,
        CORE_RAM_END,
        CORE_ARG - 8,
        0,
        CORE_APERTURE_GFN << 12,
        ~0ull,
        1ull << 32,
        CORE_RAM_END - 4,
        1ull << 63,
        (1 << 20) - 4,
        (CORE_APERTURE_GFN + 3) << 12,
    };
    uint8_t b = byte(in);
    uint64_t n = 0;

    if (b < 0xe0)
        return b;
    if (b < 0xf8)
        return addresses[b % (sizeof(addresses) / sizeof(addresses[0]))];
    for (int i = 0; i < 8; i++)
        n = n << 8 | byte(in);
    return n;
}

/* Fills a structure of 32-bit fields with numbers. */
static void fill(struct input *in, void *p, size_t size)
{
    for (size_t at = 0; at + 4 <= size; at += 4) {
        uint32_t n = (uint32_t)number(in);

        memcpy((uint8_t *)p + at, &n, 4);
    }
}

/* ---- what agrees with what ---- */

static void check_ports(struct domain *d)
{
    uint32_t used = 0;

    for (uint32_t p = 1; p < d->evtchn.nr; p++) {
        const struct evtchn *e = &d->evtchn.ports[p];
        const struct domain *rd;

        if (e->state == EVTCHNSTAT_closed)
            continue;
        used++;
        must(e->channel && e->channel->refs >= 1 && e->channel->refs <= 2);
        if (e->state == EVTCHNSTAT_virq)
            must(d->evtchn.virq_port[e->vcpu][e->virq] == p);
        if (e->state != EVTCHNSTAT_interdomain)
            continue;
        rd = host_domain(host, e->remote);
        must(rd && e->remote_port < rd->evtchn.nr);
        must(rd->evtchn.ports[e->remote_port].channel == e->channel);
        must(rd->evtchn.ports[e->remote_port].remote_port == p);
        must(rd->evtchn.ports[e->remote_port].end == 1 - e->end);
    }
    must(used == d->evtchn.used);
}

/* NULL: its frame of the table was never in use. */
static const struct grant_active *active_of(const struct domain *d,
                                            grant_ref_t ref)
{
    const struct grant_active *frame = d->grants.active[ref / GRANT_PER_FRAME];

    return frame ? &frame[ref % GRANT_PER_FRAME] : NULL;
}

static void check_maps(struct domain *d)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < d->grants.nr_maps; i++) {
        const struct grant_map *m = &d->grants.maps[i];
        const struct grant_active *a;
        struct domain *g;

        if (!m->used)
            continue;
        used++;
        g = host_domain(host, m->granter);
        must(g && g->memory.frames[m->owner_gfn].pins > 0);
        a = active_of(g, m->ref);
        must(a && (m->readonly ? a->readers > 0 : a->writers > 0));
    }
    must(used == d->grants.used_maps);
}

static uint64_t sum_of_maps(void)
{
    struct list *pos;
    uint64_t n = 0;

    list_for_each(pos, &host->domain_list)
        n += container_of(pos, struct domain, link)->grants.used_maps;
    return n;
}

/* A frame is pinned once per entry in use; each mapping counts in one. */
static uint64_t check_pins(struct domain *d)
{
    uint64_t pins = 0, active = 0, maps = 0, holes = 0;

    for (uint32_t gfn = 0; gfn < d->memory.nr_pages; gfn++) {
        const struct frame *f = &d->memory.frames[gfn];

        pins += f->pins;
        holes += f->state == FRAME_HOLE;
        must(!f->pins || f->state == FRAME_DEFAULT);
    }
    must(d->dying || holes == d->memory.max_pages - d->memory.tot_pages);
    for (uint32_t r = 0; r < d->grants.nr_frames * GRANT_PER_FRAME; r++) {
        const struct grant_active *a = active_of(d, r);

        if (!a)
            continue;
        active += a->readers || a->writers;
        maps += a->readers + a->writers;
    }
    must(pins == d->memory.pins && active == pins);
    must(!d->dying || pins > 0);
    return maps;
}

static void check_all(void)
{
    uint64_t used = 0, maps = 0;
    unsigned int n = 0;
    struct list *pos;

    list_for_each(pos, &host->domain_list) {
        struct domain *d = container_of(pos, struct domain, link);

        check_ports(d);
        check_maps(d);
        if (!d->is_process)
            maps += check_pins(d);
        used += d->memory.tot_pages;
        n++;
    }
    must(maps == sum_of_maps());
    must(used == host->used_pages && n == host->nr_domains);
}

/* ---- steps ---- */

static void plain_call(struct input *in, uint16_t d)
{
    uint64_t args[6];
    unsigned int nr = byte(in) & 63;

    for (int i = 0; i < 6; i++)
        args[i] = number(in);
    rs_test_hypercall(host, d, nr, args);
}

/* cmd, then the structure that it points at. */
static void struct_call(struct input *in, uint16_t d, unsigned int nr)
{
    const uint64_t args[6] = { byte(in), CORE_ARG, byte(in) & 7 };
    void *p = rs_test_memory(host, d, CORE_ARG);

    if (!p)
        return;
    fill(in, p, 32);
    rs_test_hypercall(host, d, nr, args);
}

static void grant_call(struct input *in, uint16_t d)
{
    struct gnttab_map_grant_ref *m = rs_test_memory(host, d, CORE_ARG);
    struct gnttab_unmap_grant_ref *u = (void *)m;
    uint64_t args[6] = { GNTTABOP_map_grant_ref, CORE_ARG, 1 };
    uint8_t how = byte(in);

    if (!m)
        return;
    if (how & 1) {
        args[0] = GNTTABOP_unmap_grant_ref;
        u->handle = (uint32_t)number(in);
        u->host_addr = (CORE_APERTURE_GFN + (how >> 4)) << 12;
    } else {
        m->flags = GNTMAP_host_map | (how & 2 ? GNTMAP_readonly : 0);
        m->ref = byte(in) & 31;
        m->dom = guest[byte(in) % GUESTS];
        m->host_addr = (CORE_APERTURE_GFN + (how >> 4)) << 12;
    }
    rs_test_hypercall(host, d, __HYPERVISOR_grant_table_op, args);
}

/* A copy whose sides mostly exist, or a swap. */
static void copy_call(struct input *in, uint16_t d)
{
    struct gnttab_copy *c = rs_test_memory(host, d, CORE_ARG);
    struct gnttab_swap_grant_ref *s = (void *)c;
    uint64_t args[6] = { GNTTABOP_copy, CORE_ARG, 1 };
    uint8_t how = byte(in);

    if (!c)
        return;
    if (how & 4) {
        args[0] = GNTTABOP_swap_grant_ref;
        s->ref_a = byte(in);
        s->ref_b = byte(in);
    } else {
        *c = (struct gnttab_copy){ .flags = how & 3,
                                   .len = (uint16_t)number(in) };
        c->source.u.gmfn = how & 1 ? byte(in) & 31 : number(in) >> 12;
        c->source.domid = how & 1 ? guest[byte(in) % GUESTS] : DOMID_SELF;
        c->source.offset = (uint16_t)(how << 4);
        c->dest.u.gmfn = how & 2 ? byte(in) & 31 : number(in) >> 12;
        c->dest.domid = how & 2 ? guest[byte(in) % GUESTS] : DOMID_SELF;
    }
    rs_test_hypercall(host, d, __HYPERVISOR_grant_table_op, args);
}

/* Gives memory back, or takes it again; the extents are bytes of the input. */
static void adjust_call(struct input *in, uint16_t d)
{
    struct xen_memory_reservation *r = rs_test_memory(host, d, CORE_ARG);
    uint64_t *list = (uint64_t *)r + 8;
    uint8_t how = byte(in);
    uint64_t args[6] = { how & 1 ? XENMEM_populate_physmap
                                 : XENMEM_decrease_reservation,
                         CORE_ARG };

    if (!r)
        return;
    *r = (struct xen_memory_reservation){ .nr_extents = how >> 1 & 15,
                                          .extent_order = how >> 5,
                                          .domid = DOMID_SELF };
    r->extent_start.p = (void *)(CORE_ARG + 64);
    for (unsigned int i = 0; i < (how >> 1 & 15); i++)
        list[i] = (CORE_RAM >> 12) + byte(in) % 128;
    rs_test_hypercall(host, d, __HYPERVISOR_memory_op, args);
}

/* The guest writes a grant entry, or anything anywhere. */
static void write_memory(struct input *in, uint16_t d)
{
    uint8_t how = byte(in);
    grant_entry_v1_t *e;
    uint8_t *p;

    if (how & 1) {
        p = rs_test_memory(host, d, number(in) & ~7ull);
        if (p)
            fill(in, p, 8);
        return;
    }
    if (!rs_test_memory(host, d, CORE_ARG))
        return;
    e = memory_own_page(host_domain(host, d), MEMORY_OWN_GRANT);
    e += byte(in) & 31;
    e->flags = byte(in) & 31;
    e->domid = how & 2 ? guest[how >> 2 & 1] : (how & 4 ? 1 : byte(in));
    e->frame = (CORE_RAM >> 12) + (how >> 4);
}

static void process_call(struct input *in)
{
    static const unsigned int nrs[] = { __HYPERVISOR_event_channel_op,
                                        __HYPERVISOR_grant_table_op,
                                        __HYPERVISOR_xen_version,
                                        __HYPERVISOR_memory_op };
    uint8_t space[64];
    unsigned int nr = nrs[byte(in) & 3];
    uint64_t args[6] = { byte(in), 0, 1 };
    struct vcpu *v = &process->vcpu[0];

    fill(in, space, sizeof(space));
    v->space = space;
    v->space_size = byte(in) & 63;
    hypercall_dispatch(v, nr, args);
    v->space = NULL;
    v->space_size = 0;
}

static void life(struct input *in, unsigned int i)
{
    switch (byte(in) & 3) {
    case 0:
        rs_domain_pause(host, guest[i]);
        break;
    case 1:
        rs_domain_unpause(host, guest[i]);
        break;
    default:
        rs_domain_destroy(host, guest[i]);
        guest[i] = core_boot(host);
    }
}

static void step(struct input *in)
{
    uint8_t b = byte(in);
    unsigned int i = b % GUESTS;

    switch (b / GUESTS % 11) {
    case 0:
        plain_call(in, guest[i]);
        break;
    case 1:
        struct_call(in, guest[i], __HYPERVISOR_event_channel_op);
        break;
    case 2:
        struct_call(in, guest[i], __HYPERVISOR_grant_table_op);
        break;
    case 3:
        struct_call(in, guest[i], __HYPERVISOR_memory_op);
        break;
    case 4:
        grant_call(in, guest[i]);
        break;
    case 5:
        write_memory(in, guest[i]);
        break;
    case 6:
        process_call(in);
        break;
    case 7:
        life(in, i);
        break;
    case 8:
        copy_call(in, guest[i]);
        break;
    case 9:
        adjust_call(in, guest[i]);
        break;
    case 10:
        struct_call(in, guest[i], __HYPERVISOR_sched_op);
        break;
    }
}

static void destroy_all(void)
{
    for (unsigned int i = 0; i < GUESTS; i++)
        rs_domain_destroy(host, guest[i]);
    domain_destroy(process);
    must(host->nr_domains == 0 && host->used_pages == 0);
    must(list_empty(&host->timers));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };

    if (!host)
        host = core_host("test");
    core_windows = 0;
    host->next_domid = RS_DOMID_FIRST_GUEST;
    for (unsigned int i = 0; i < GUESTS; i++)
        guest[i] = core_boot(host);
    process = core_join(host, RS_DOMID_DRIVER);
    for (unsigned int n = 0; in.at < in.end && n < 400; n++) {
        step(&in);
        if (n % 8 == 7)
            check_all();
    }
    check_all();
    destroy_all();
    must(core_windows == 0);
    return 0;
}
