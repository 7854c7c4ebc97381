/*
 * Random programs for real guests, compared with the model. See order_play.h.
 */
#include "order_play.h"

#include <asm/unistd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "order_model.h"

#define ENTRIES  4u
#define ELEMENTS 3u
#define PAST     32u
#define TRACE    24u
#define LINE     160u

#define BOTH (PROT_READ | PROT_WRITE)

/* An operation of a hypercall, with its elements. */
struct entry {
    enum { MAP, UNMAP, COPY, GIVE, TAKE, ADD, KINDS } kind;
    unsigned int nr, order;
    struct {
        unsigned int place, grant, handle, to;
        bool readonly;
    } element[ELEMENTS];
};

/* A vCPU's page of arguments. */
struct args {
    struct multicall_entry call[ENTRIES];
    struct {
        struct gnttab_map_grant_ref map[ELEMENTS];
        struct gnttab_unmap_grant_ref unmap[ELEMENTS];
        struct gnttab_copy copy[ELEMENTS];
        struct xen_memory_reservation adjust;
        xen_pfn_t gfn[ELEMENTS];
        struct xen_add_to_physmap add;
    } of[ENTRIES];
};
_Static_assert(sizeof(struct args) <= 4096, "a page");

struct play {
    struct confined *c;
    struct puppets p;
    struct model m;
    struct domain *granter;
    uint64_t seed, random;
    unsigned int step;
    struct sandbox_change past[PAST]; /* changes that somebody was told */
    unsigned int nr_past;
    struct entry entry[PUPPET_MAX][ENTRIES]; /* of the vCPU's call */
    unsigned int nr[PUPPET_MAX];
    char trace[TRACE][LINE];
};

/* ---- chance ---- */

static unsigned int below(struct play *y, unsigned int n)
{
    y->random ^= y->random << 13;
    y->random ^= y->random >> 7;
    y->random ^= y->random << 17;
    return (unsigned int)((y->random >> 16) % n);
}

static bool one_in(struct play *y, unsigned int n)
{
    return below(y, n) == 0;
}

/* ---- what was done, for who has to find out ---- */

static char *trace(struct play *y)
{
    return y->trace[y->step % TRACE];
}

static void add_trace(struct play *y, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void add_trace(struct play *y, const char *fmt, ...)
{
    size_t n = strlen(trace(y));
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(trace(y) + n, LINE - n, fmt, ap);
    va_end(ap);
}

static void check(struct play *y, const char *problem)
{
    if (!problem)
        return;
    for (unsigned int i = y->step < TRACE ? 0 : y->step - TRACE + 1;
         i <= y->step; i++)
        print_error("%6u: %s\n", i, y->trace[i % TRACE]);
    fail_msg("seed %llu, step %u: %s", (unsigned long long)y->seed, y->step,
             problem);
}

static void check_long(struct play *y, const char *what, long is, long ought)
{
    char text[128];

    if (is == ought)
        return;
    snprintf(text, sizeof(text), "%s: %ld instead of %ld", what, is, ought);
    check(y, text);
}

/* ---- hypercalls: choosing ---- */

/* The handle that the next map will be given, mostly. */
static unsigned int next_handle(const struct play *y)
{
    for (unsigned int i = 0; i < MODEL_HANDLES; i++) {
        unsigned int at =
            y->p.d->grants.nr_maps
                ? (y->p.d->grants.free_map + i) % y->p.d->grants.nr_maps
                : i;

        if (!y->m.handle[at].used)
            return at;
    }
    return 0;
}

/* A handle of this place if there is one, mostly. */
static unsigned int handle_of(struct play *y, unsigned int place)
{
    for (unsigned int i = 0; i < MODEL_HANDLES && !one_in(y, 32); i++)
        if (y->m.handle[i].used && y->m.handle[i].place == place)
            return i;
    return next_handle(y);
}

/* RAM of which 1 << order pages are there, few of them so that they meet. */
static unsigned int some_ram(struct play *y, unsigned int order)
{
    unsigned int n = one_in(y, 4) ? PROBE_RAM_PAGES : 5;

    return MODEL_FRAMES + below(y, n - (1u << order) + 1);
}

static void choose_element(struct play *y, struct entry *e, unsigned int i)
{
    unsigned int place = below(y, MODEL_FRAMES);

    if (e->kind == GIVE || e->kind == TAKE || e->kind == COPY)
        place = some_ram(y, e->order);
    if (i && one_in(y, 2) && e->kind != COPY) {
        place = e->element[i - 1].place + (1u << e->order);
        if (e->kind == GIVE || e->kind == TAKE
                ? place + (1u << e->order) > MODEL_PLACES
                : place >= MODEL_FRAMES)
            place = e->element[i - 1].place;
    }
    e->element[i].place = place;
    e->element[i].grant = below(y, MODEL_GRANTS);
    e->element[i].readonly = one_in(y, 3);
    e->element[i].handle = handle_of(y, place);
    e->element[i].to =
        e->element[i].readonly ? e->element[i].grant : some_ram(y, 0);
}

static void choose_entry(struct play *y, struct entry *e)
{
    static const unsigned int kinds[] = { MAP,   MAP,  MAP,  UNMAP, UNMAP,
                                          UNMAP, GIVE, GIVE, GIVE,  TAKE,
                                          TAKE,  TAKE, COPY };

    memset(e, 0, sizeof(*e));
    e->kind = kinds[below(y, sizeof(kinds) / sizeof(kinds[0]))];
    if (one_in(y, 200))
        e->kind = ADD;
    e->nr = e->kind == ADD || one_in(y, 2) ? 1 : 1 + below(y, ELEMENTS);
    e->order = e->kind == GIVE || e->kind == TAKE ? below(y, 2) : 0;
    for (unsigned int i = 0; i < e->nr; i++)
        choose_element(y, e, i);
}

/* What undoes the entry before, as a cheat would have it. */
static void choose_reverse(struct play *y, struct entry *e,
                           const struct entry *before)
{
    *e = *before;
    if (e->kind == MAP)
        e->kind = UNMAP;
    else if (e->kind == UNMAP)
        e->kind = MAP;
    else if (e->kind == TAKE)
        e->kind = GIVE;
    else if (e->kind == GIVE)
        e->kind = TAKE;
    for (unsigned int i = 0; i < e->nr && before->kind == MAP; i++)
        e->element[i].handle = next_handle(y);
}

static void choose_call(struct play *y, unsigned int vcpu)
{
    struct entry *e = y->entry[vcpu];

    y->nr[vcpu] = one_in(y, 3) ? 1 : 2 + below(y, ENTRIES - 1);
    for (unsigned int i = 0; i < y->nr[vcpu]; i++)
        if (i && !one_in(y, 3))
            choose_reverse(y, &e[i], &e[i - 1]);
        else
            choose_entry(y, &e[i]);
}

/* ---- hypercalls: asking ---- */

#define IN(vcpu, i, member)                          \
    (PUPPET_ARGS(vcpu) + offsetof(struct args, of) + \
     (i) * sizeof(((struct args *)0)->of[0]) +       \
     (offsetof(struct args, of[0].member) - offsetof(struct args, of)))

static void put_grants(struct play *y, unsigned int vcpu, unsigned int i)
{
    struct args *a = puppet_args(&y->p, vcpu);
    const struct entry *e = &y->entry[vcpu][i];

    for (unsigned int k = 0; k < e->nr; k++) {
        uint64_t at = model_address(&y->m, e->element[k].place);

        a->of[i].map[k] = (struct gnttab_map_grant_ref){
            .host_addr = at,
            .flags = GNTMAP_host_map |
                     (e->element[k].readonly ? GNTMAP_readonly : 0),
            .ref = MODEL_REF + e->element[k].grant,
            .dom = model_granter(&y->m, e->element[k].grant)->domid,
        };
        a->of[i].unmap[k] = (struct gnttab_unmap_grant_ref){
            .host_addr = at,
            .handle = e->element[k].handle,
        };
    }
}

static void put_copy(struct play *y, unsigned int vcpu, unsigned int i)
{
    struct args *a = puppet_args(&y->p, vcpu);
    const struct entry *e = &y->entry[vcpu][i];

    for (unsigned int k = 0; k < e->nr; k++) {
        struct gnttab_copy *op = &a->of[i].copy[k];
        unsigned int to = e->element[k].to;

        memset(op, 0, sizeof(*op));
        op->len = 8;
        op->source.domid = DOMID_SELF;
        op->source.u.gmfn =
            model_address(&y->m, e->element[k].place) >> PAGE_SHIFT;
        op->dest.domid = DOMID_SELF;
        op->dest.u.gmfn = model_address(&y->m, to) >> PAGE_SHIFT;
        if (e->element[k].readonly) {
            op->flags = GNTCOPY_dest_gref;
            op->dest.domid = model_granter(&y->m, to)->domid;
            op->dest.u.ref = MODEL_REF + to;
        }
    }
}

static void put_memory(struct play *y, unsigned int vcpu, unsigned int i)
{
    struct args *a = puppet_args(&y->p, vcpu);
    const struct entry *e = &y->entry[vcpu][i];

    a->of[i].adjust = (struct xen_memory_reservation){ .nr_extents = e->nr,
                                                       .extent_order = e->order,
                                                       .domid = DOMID_SELF };
    a->of[i].adjust.extent_start.p = (void *)(uintptr_t)IN(vcpu, i, gfn);
    for (unsigned int k = 0; k < e->nr; k++)
        a->of[i].gfn[k] =
            model_address(&y->m, e->element[k].place) >> PAGE_SHIFT;
    a->of[i].add = (struct xen_add_to_physmap){
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_grant_table,
        .idx = e->element[0].grant,
        .gpfn = model_address(&y->m, e->element[0].place) >> PAGE_SHIFT,
    };
}

/* The hypercall that an entry is. */
static struct multicall_entry put(struct play *y, unsigned int vcpu,
                                  unsigned int i)
{
    const struct {
        unsigned int nr, cmd;
        uint64_t arg;
    } of[KINDS] = {
        [MAP] = { __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref,
                  IN(vcpu, i, map) },
        [UNMAP] = { __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref,
                    IN(vcpu, i, unmap) },
        [COPY] = { __HYPERVISOR_grant_table_op, GNTTABOP_copy,
                   IN(vcpu, i, copy) },
        [GIVE] = { __HYPERVISOR_memory_op, XENMEM_decrease_reservation,
                   IN(vcpu, i, adjust) },
        [TAKE] = { __HYPERVISOR_memory_op, XENMEM_populate_physmap,
                   IN(vcpu, i, adjust) },
        [ADD] = { __HYPERVISOR_memory_op, XENMEM_add_to_physmap,
                  IN(vcpu, i, add) },
    };
    const struct entry *e = &y->entry[vcpu][i];

    put_grants(y, vcpu, i);
    put_copy(y, vcpu, i);
    put_memory(y, vcpu, i);
    return (struct multicall_entry){
        .op = of[e->kind].nr,
        .args = { of[e->kind].cmd, of[e->kind].arg, e->nr },
    };
}

static void trace_call(struct play *y, unsigned int vcpu)
{
    static const char *const names[KINDS] = { "map",  "unmap", "copy",
                                              "give", "take",  "add" };

    for (unsigned int i = 0; i < y->nr[vcpu]; i++) {
        const struct entry *e = &y->entry[vcpu][i];

        add_trace(y, " %s", names[e->kind]);
        for (unsigned int k = 0; k < e->nr; k++)
            add_trace(y, " %u:%u:%u:%u%s", e->element[k].place, e->order,
                      e->element[k].grant, e->element[k].handle,
                      e->element[k].readonly ? "r" : "");
    }
}

static void ask_call(struct play *y, unsigned int vcpu)
{
    struct args *a = puppet_args(&y->p, vcpu);
    uint64_t args[6] = { PUPPET_ARGS(vcpu), y->nr[vcpu] };
    unsigned int nr = __HYPERVISOR_multicall;

    trace_call(y, vcpu);
    for (unsigned int i = 0; i < y->nr[vcpu]; i++)
        a->call[i] = put(y, vcpu, i);
    if (y->nr[vcpu] == 1) {
        nr = (unsigned int)a->call[0].op;
        for (unsigned int i = 0; i < 3; i++)
            args[i] = a->call[0].args[i];
    }
    puppet_ask(&y->p, vcpu, SANDBOX_BASE + nr, args);
}

/* ---- hypercalls: comparing ---- */

static long ought_of_memory(struct play *y, unsigned int vcpu,
                            const struct entry *e)
{
    unsigned int first[ELEMENTS];

    if (e->kind == ADD)
        return model_add(&y->m, vcpu, e->element[0].place, e->element[0].grant);
    for (unsigned int i = 0; i < e->nr; i++)
        first[i] = e->element[i].place;
    return model_adjust(&y->m, vcpu, e->kind == GIVE, first, e->nr, e->order);
}

static void compare_grants(struct play *y, unsigned int vcpu, unsigned int i)
{
    const struct args *a = puppet_args(&y->p, vcpu);
    const struct entry *e = &y->entry[vcpu][i];

    for (unsigned int k = 0; k < e->nr; k++) {
        const struct gnttab_map_grant_ref *map = &a->of[i].map[k];
        unsigned int place = e->element[k].place, grant = e->element[k].grant;
        bool readonly = e->element[k].readonly;

        if (e->kind == MAP)
            check_long(y, "map", map->status,
                       model_map(&y->m, vcpu, place, grant, readonly,
                                 map->handle % MODEL_HANDLES));
        else if (e->kind == UNMAP)
            check_long(y, "unmap", a->of[i].unmap[k].status,
                       model_unmap(&y->m, vcpu, place, e->element[k].handle));
        else
            check_long(y, "copy", a->of[i].copy[k].status,
                       model_copy(&y->m, place, e->element[k].to, readonly));
    }
}

static bool is_grant_op(const struct entry *e)
{
    return e->kind == MAP || e->kind == UNMAP || e->kind == COPY;
}

/* Of a single call the result is in the vCPU's slot, unless it is down. */
static void compare_call(struct play *y, unsigned int vcpu, bool answered)
{
    const struct args *a = puppet_args(&y->p, vcpu);

    for (unsigned int i = 0; i < y->nr[vcpu]; i++) {
        const struct entry *e = &y->entry[vcpu][i];
        bool single = y->nr[vcpu] == 1;
        long ought = is_grant_op(e) ? 0 : ought_of_memory(y, vcpu, e);

        if (is_grant_op(e))
            compare_grants(y, vcpu, i);
        if (!single || answered)
            check_long(y, "result",
                       single ? puppet_result(&y->p, vcpu)
                              : (long)a->call[i].result,
                       ought);
    }
}

static void remember(struct play *y, unsigned int vcpu)
{
    const struct model_vcpu *v = &y->m.vcpu[vcpu];

    if (v->nr)
        y->past[y->nr_past++ % PAST] = v->list[below(y, v->nr)].change;
}

/* ---- other steps ---- */

static struct sandbox_change choose_change(struct play *y, unsigned int vcpu)
{
    const struct model_vcpu *v = &y->m.vcpu[vcpu];
    struct sandbox_change c = y->past[below(y, PAST)];

    if (v->nr && !one_in(y, 8))
        c = v->list[one_in(y, 2) ? 0 : below(y, v->nr)].change;
    if (one_in(y, 40))
        c.size += PAGE_SIZE;
    if (one_in(y, 40))
        c.addr += PAGE_SIZE;
    if (one_in(y, 40))
        c.prot = (int)below(y, 8);
    if (one_in(y, 40))
        c.offset += PAGE_SIZE;
    return c;
}

static void step_mmap(struct play *y, unsigned int vcpu)
{
    struct sandbox_change c = choose_change(y, vcpu);
    bool answered, may;
    uint64_t args[6];

    add_trace(y, " mmap %llx+%llx prot %d fd %d offset %llx",
              (unsigned long long)c.addr, (unsigned long long)c.size, c.prot,
              c.fd, (unsigned long long)c.offset);
    puppet_mmap_args(&c, args);
    puppet_ask(&y->p, vcpu, __NR_mmap, args);
    answered = puppet_wait(&y->p, vcpu);
    model_finish(&y->m, vcpu, false);
    may = model_mmap(&y->m, vcpu, &c);
    if (answered)
        check_long(y, "mmap", puppet_result(&y->p, vcpu),
                   may ? (long)c.addr : -XEN_EPERM);
}

static void step_mprotect(struct play *y, unsigned int vcpu)
{
    static const uint64_t usual[] = { 0, PROT_READ, BOTH, BOTH };
    uint64_t prot = one_in(y, 4) ? below(y, 10) : usual[below(y, 4)];
    uint64_t addr = model_address(&y->m, one_in(y, 8) ? below(y, MODEL_FRAMES)
                                                      : some_ram(y, 0));
    bool answered, may;

    add_trace(y, " mprotect %llx %llx", (unsigned long long)addr,
              (unsigned long long)prot);
    puppet_ask(&y->p, vcpu, __NR_mprotect,
               (const uint64_t[6]){ addr, PAGE_SIZE, prot });
    answered = puppet_wait(&y->p, vcpu);
    model_finish(&y->m, vcpu, false);
    may = model_mprotect(&y->m, vcpu, addr, prot);
    if (answered)
        check_long(y, "mprotect", puppet_result(&y->p, vcpu),
                   may ? 0 : -XEN_EINVAL);
}

static void step_call(struct play *y, unsigned int vcpu)
{
    bool answered;

    choose_call(y, vcpu);
    ask_call(y, vcpu);
    answered = puppet_wait(&y->p, vcpu);
    y->m.call++;
    model_finish(&y->m, vcpu, true);
    compare_call(y, vcpu, answered);
    check(y, model_check_told(&y->m, vcpu));
    remember(y, vcpu);
}

static void step_engine_call(struct play *y, unsigned int vcpu)
{
    static const unsigned int calls[] = { SANDBOX_CALL_FINISH,
                                          SANDBOX_CALL_FINISH,
                                          SANDBOX_CALL_RUNSTATE,
                                          SANDBOX_CALL_MAIL };
    unsigned int nr = calls[below(y, 4)];

    add_trace(y, " engine call %u", nr - SANDBOX_CALL_FINISH);
    puppet_ask(&y->p, vcpu, nr, (const uint64_t[6]){ 0 });
    puppet_wait(&y->p, vcpu);
    model_finish(&y->m, vcpu, nr != SANDBOX_CALL_RUNSTATE);
    if (nr == SANDBOX_CALL_FINISH)
        model_take_files_back(&y->m, vcpu);
    if (nr != SANDBOX_CALL_RUNSTATE)
        check(y, model_check_told(&y->m, vcpu));
}

static unsigned int nr_up(const struct play *y)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < y->p.nr; i++)
        n += !y->m.vcpu[i].down;
    return n;
}

/* One that is down goes on for one more call, which is answered when it is up
 * again. The last that is up stays up. */
static void step_vcpu(struct play *y, unsigned int by, unsigned int vcpu)
{
    bool down = !y->m.vcpu[vcpu].down && nr_up(y) > 1 && vcpu != by;
    uint64_t args[6] = { down ? VCPUOP_down : VCPUOP_up, vcpu };

    add_trace(y, " %s %u", down ? "lowers" : "raises", vcpu);
    puppet_ask(&y->p, by, SANDBOX_BASE + __HYPERVISOR_vcpu_op, args);
    assert_true(puppet_wait(&y->p, by));
    model_finish(&y->m, by, true);
    if (down)
        y->m.vcpu[vcpu].down = true;
    else if (y->m.vcpu[vcpu].down) {
        model_raise(&y->m, vcpu);
        if (y->p.busy[vcpu])
            assert_true(puppet_wait(&y->p, vcpu));
    }
}

/* ---- programs ---- */

static void open_play(struct play *y, struct confined *c, uint64_t seed)
{
    uint16_t g = confine_create(c, PROBE_KIB, "sleep");

    memset(y, 0, sizeof(*y));
    y->c = c;
    y->seed = seed;
    y->random = seed * 0x9e3779b97f4a7c15ull + 1;
    y->granter = host_domain(c->h, g);
    puppets_boot(&y->p, c, 1 + (unsigned int)(seed % PUPPET_MAX));
    model_init(&y->m, &y->p, y->granter);
    for (unsigned int i = 0; i < MODEL_GRANTS; i++) {
        struct domain *d = model_granter(&y->m, i);
        grant_entry_v1_t *e = memory_own_page(d, MEMORY_OWN_GRANT);

        grant_seed(d, MODEL_REF + i, y->p.d->domid, model_granted(&y->m, i));
        if (y->m.grant[i].readonly)
            e[MODEL_REF + i].flags |= GTF_readonly;
    }
}

/* Nothing is left of it, whatever was under way. */
static void close_play(struct play *y)
{
    const grant_entry_v1_t *e = memory_own_page(y->granter, MEMORY_OWN_GRANT);
    uint16_t granter = y->granter->domid;

    puppets_destroy(&y->p);
    assert_int_equal(y->granter->memory.pins, 0);
    for (unsigned int i = 0; i < MODEL_FOREIGN; i++)
        assert_int_equal(e[MODEL_REF + i].flags & (GTF_reading | GTF_writing),
                         0);
    assert_int_equal(rs_domain_destroy(y->c->h, granter), 0);
    assert_int_equal(y->c->h->used_pages, 0);
}

static unsigned int free_vcpu(struct play *y)
{
    unsigned int k = below(y, y->p.nr);

    while (y->p.busy[k])
        k = (k + 1) % y->p.nr;
    return k;
}

static void one_step(struct play *y)
{
    unsigned int vcpu = free_vcpu(y), what = below(y, 100);

    snprintf(trace(y), LINE, "vCPU %u%s", vcpu,
             y->m.vcpu[vcpu].down ? " (down)" : "");
    if (what < 30)
        step_call(y, vcpu);
    else if (what < 75)
        step_mmap(y, vcpu);
    else if (what < 82)
        step_mprotect(y, vcpu);
    else if (what < 92)
        step_engine_call(y, vcpu);
    else if (!y->m.vcpu[vcpu].down)
        step_vcpu(y, vcpu, below(y, y->p.nr));
}

void order_play(struct confined *c, uint64_t seed, unsigned int steps)
{
    static struct play y;

    open_play(&y, c, seed);
    for (y.step = 0; y.step < steps; y.step++) {
        one_step(&y);
        check(&y, model_check_wall(&y.m));
        check(&y, model_check(&y.m));
    }
    close_play(&y);
}

/* ---- all at once ---- */

/* What the vCPU was told, by its own page. */
static void remember_told(struct play *y, unsigned int vcpu)
{
    const struct sandbox_page *page = sandbox_page_of(&y->p.d->vcpu[vcpu]);
    struct model_vcpu *v = &y->m.vcpu[vcpu];

    v->nr = page->nr_changes;
    for (unsigned int i = 0; i < v->nr; i++)
        v->list[i].change = page->change[i];
    remember(y, vcpu);
}

static void ask_anything(struct play *y, unsigned int vcpu)
{
    unsigned int what = below(y, 100);
    struct sandbox_change c;
    uint64_t args[6];

    add_trace(y, "; vCPU %u", vcpu);
    if (what < 30) {
        choose_call(y, vcpu);
        ask_call(y, vcpu);
    } else if (what < 80) {
        c = choose_change(y, vcpu);
        puppet_mmap_args(&c, args);
        puppet_ask(&y->p, vcpu, __NR_mmap, args);
    } else if (what < 90) {
        puppet_ask(&y->p, vcpu, __NR_mprotect,
                   (const uint64_t[6]){ model_address(&y->m, some_ram(y, 0)),
                                        PAGE_SIZE, below(y, 8) });
    } else {
        puppet_ask(&y->p, vcpu, SANDBOX_CALL_FINISH + below(y, 2) * 3,
                   (const uint64_t[6]){ 0 });
    }
}

void order_storm(struct confined *c, uint64_t seed, unsigned int rounds)
{
    static struct play y;

    open_play(&y, c, seed | (PUPPET_MAX - 1));
    for (y.step = 0; y.step < rounds; y.step++) {
        trace(&y)[0] = '\0';
        for (unsigned int k = 0; k < y.p.nr; k++)
            ask_anything(&y, k);
        for (unsigned int k = 0; k < y.p.nr; k++)
            assert_true(puppet_wait(&y.p, k));
        for (unsigned int k = 0; k < y.p.nr; k++)
            remember_told(&y, k);
        check(&y, model_check_wall(&y.m));
    }
    close_play(&y);
}
