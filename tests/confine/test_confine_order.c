/*
 * The order of changes of the address space, with vCPUs that carry out what
 * they were told late, in another order, twice, or never (puppet.h): a page
 * whose grant has ended, or that was given back, is reachable for nobody.
 */
#include "order_play.h"
#include "puppet.h"

#include <asm/unistd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define REF         8u
#define GRANTED_GFN (PROBE_GRANTED >> PAGE_SHIFT)
#define RAM_GFN     (PROBE_RAM >> PAGE_SHIFT)

/* A guest of puppets, and another one that grants it a page. */
struct pair {
    struct puppets p;
    struct domain *granter;
    uint64_t mapped; /* where the puppets see the page, or not */
};

static void pair_boot(struct pair *w, struct confined *c, unsigned int vcpus)
{
    uint16_t g = confine_create(c, PROBE_KIB, "sleep");

    puppets_boot(&w->p, c, vcpus);
    w->granter = host_domain(c->h, g);
    grant_seed(w->granter, REF, w->p.d->domid, GRANTED_GFN);
    w->mapped = ((uint64_t)w->p.d->memory.nr_pages + 100) << PAGE_SHIFT;
}

static void pair_destroy(struct pair *w)
{
    struct rs_host *h = w->p.c->h;

    puppets_destroy(&w->p);
    assert_int_equal(w->granter->memory.pins, 0);
    assert_int_equal(rs_domain_destroy(h, w->granter->domid), 0);
    assert_int_equal(h->used_pages, 0);
}

/* As the granter sees it in its table. */
static bool is_in_use(const struct pair *w)
{
    const grant_entry_v1_t *e = memory_own_page(w->granter, MEMORY_OWN_GRANT);

    return e[REF].flags & (GTF_reading | GTF_writing);
}

/* ---- what the guest's threads can reach ---- */

static bool is_visible(const struct puppets *p, uint64_t addr)
{
    unsigned long start, end;
    char perms[8];

    for (const char *s = confine_proc(puppet_vcpu(p, 0)->tid, "maps"); *s;
         s = strchr(s, '\n') + 1) {
        assert_int_equal(sscanf(s, "%lx-%lx %7s", &start, &end, perms), 3);
        if (addr >= start && addr < end)
            return strncmp(perms, "---", 3) != 0;
    }
    return false;
}

/* ---- calls, with their arguments in the vCPU's page ---- */

struct batch {
    struct multicall_entry entry[2];
    struct gnttab_map_grant_ref map;
    struct gnttab_unmap_grant_ref unmap;
    struct xen_memory_reservation adjust[2];
    xen_pfn_t gfn[2];
};

static struct batch *batch_of(const struct puppets *p, unsigned int vcpu)
{
    return puppet_args(p, vcpu);
}

#define AT(vcpu, member) (PUPPET_ARGS(vcpu) + offsetof(struct batch, member))

static long hypercall(struct puppets *p, unsigned int vcpu, unsigned int nr,
                      uint64_t a1, uint64_t a2, uint64_t a3)
{
    return puppet_call(p, vcpu, SANDBOX_BASE + nr, a1, a2, a3);
}

static void finish(struct puppets *p, unsigned int vcpu)
{
    assert_int_equal(puppet_call(p, vcpu, SANDBOX_CALL_FINISH), 0);
}

static void fill_map(struct pair *w, unsigned int vcpu)
{
    batch_of(&w->p, vcpu)->map =
        (struct gnttab_map_grant_ref){ .host_addr = w->mapped,
                                       .flags = GNTMAP_host_map,
                                       .ref = REF,
                                       .dom = w->granter->domid };
}

static void fill_unmap(struct pair *w, unsigned int vcpu, grant_handle_t handle)
{
    batch_of(&w->p, vcpu)->unmap =
        (struct gnttab_unmap_grant_ref){ .host_addr = w->mapped,
                                         .handle = handle };
}

static int map(struct pair *w, unsigned int vcpu)
{
    fill_map(w, vcpu);
    assert_int_equal(hypercall(&w->p, vcpu, __HYPERVISOR_grant_table_op,
                               GNTTABOP_map_grant_ref, AT(vcpu, map), 1),
                     0);
    return batch_of(&w->p, vcpu)->map.status;
}

static int unmap(struct pair *w, unsigned int vcpu, grant_handle_t handle)
{
    fill_unmap(w, vcpu, handle);
    assert_int_equal(hypercall(&w->p, vcpu, __HYPERVISOR_grant_table_op,
                               GNTTABOP_unmap_grant_ref, AT(vcpu, unmap), 1),
                     0);
    return batch_of(&w->p, vcpu)->unmap.status;
}

/* Request i of a vCPU: one extent of 1 << order pages. */
static void fill_adjust(struct puppets *p, unsigned int vcpu, unsigned int i,
                        xen_pfn_t gfn, unsigned int order)
{
    struct batch *b = batch_of(p, vcpu);

    b->gfn[i] = gfn;
    b->adjust[i] = (struct xen_memory_reservation){ .nr_extents = 1,
                                                    .extent_order = order,
                                                    .domid = DOMID_SELF };
    b->adjust[i].extent_start.p =
        (void *)(uintptr_t)(AT(vcpu, gfn) + i * sizeof(b->gfn[0]));
}

static long adjust(struct puppets *p, unsigned int vcpu, unsigned int cmd,
                   xen_pfn_t gfn, unsigned int order)
{
    fill_adjust(p, vcpu, 0, gfn, order);
    return hypercall(p, vcpu, __HYPERVISOR_memory_op, cmd, AT(vcpu, adjust), 0);
}

static void call_both(struct puppets *p, unsigned int vcpu)
{
    assert_int_equal(
        hypercall(p, vcpu, __HYPERVISOR_multicall, AT(vcpu, entry), 2, 0), 0);
}

/* Maps and unmaps by one multicall. */
static void map_and_unmap(struct pair *w)
{
    struct batch *b = batch_of(&w->p, 0);

    fill_map(w, 0);
    fill_unmap(w, 0, 0);
    b->entry[0] = (struct multicall_entry){
        .op = __HYPERVISOR_grant_table_op,
        .args = { GNTTABOP_map_grant_ref, AT(0, map), 1 },
    };
    b->entry[1] = (struct multicall_entry){
        .op = __HYPERVISOR_grant_table_op,
        .args = { GNTTABOP_unmap_grant_ref, AT(0, unmap), 1 },
    };
    call_both(&w->p, 0);
    assert_int_equal(b->map.status, GNTST_okay);
    assert_int_equal(b->map.handle, 0);
    assert_int_equal(b->unmap.status, GNTST_okay);
}

/* Takes `take` (an order) and gives one page back by one multicall. */
static void take_and_give(struct puppets *p, xen_pfn_t take, unsigned int order,
                          xen_pfn_t give)
{
    struct batch *b = batch_of(p, 0);

    fill_adjust(p, 0, 0, take, order);
    fill_adjust(p, 0, 1, give, 0);
    b->entry[0] = (struct multicall_entry){
        .op = __HYPERVISOR_memory_op,
        .args = { XENMEM_populate_physmap, AT(0, adjust[0]) },
    };
    b->entry[1] = (struct multicall_entry){
        .op = __HYPERVISOR_memory_op,
        .args = { XENMEM_decrease_reservation, AT(0, adjust[1]) },
    };
    call_both(p, 0);
    assert_int_equal(b->entry[0].result, 1);
    assert_int_equal(b->entry[1].result, 1);
}

static void give_back(struct puppets *p, xen_pfn_t gfn, unsigned int order)
{
    struct sandbox_change c;

    assert_int_equal(adjust(p, 0, XENMEM_decrease_reservation, gfn, order), 1);
    c = puppet_told(p, 0, 0);
    assert_int_equal(puppet_carry_out(p, 0, &c), c.addr);
    finish(p, 0);
}

static bool is_hole(const struct puppets *p, xen_pfn_t gfn)
{
    return p->d->memory.frames[gfn].state == FRAME_HOLE;
}

#define REFUSED (-1) /* EPERM */

/* ---- one vCPU ---- */

/* The removal before what it removes: it is refused until that has run. */
static void test_unmapped_before_mapped(void **state)
{
    struct sandbox_change show, remove;
    struct pair w;

    pair_boot(&w, *state, 1);
    map_and_unmap(&w);
    show = puppet_told(&w.p, 0, 0);
    remove = puppet_told(&w.p, 0, 1);
    assert_int_equal(puppet_carry_out(&w.p, 0, &remove), REFUSED);
    assert_int_equal(puppet_carry_out(&w.p, 0, &show), w.mapped);
    finish(&w.p, 0);
    assert_true(is_visible(&w.p, w.mapped));
    assert_true(is_in_use(&w));
    assert_int_equal(puppet_carry_out(&w.p, 0, &show), REFUSED);
    assert_int_equal(puppet_carry_out(&w.p, 0, &remove), w.mapped);
    finish(&w.p, 0);
    assert_false(is_in_use(&w));
    assert_int_equal(puppet_carry_out(&w.p, 0, &show), REFUSED);
    assert_false(is_visible(&w.p, w.mapped));
    pair_destroy(&w);
}

/* What the next hypercall has forgotten does not hold the removal up, and
 * never comes. */
static void test_unmapped_and_never_mapped(void **state)
{
    struct sandbox_change show, remove;
    struct pair w;

    pair_boot(&w, *state, 1);
    map_and_unmap(&w);
    show = puppet_told(&w.p, 0, 0);
    remove = puppet_told(&w.p, 0, 1);
    finish(&w.p, 0);
    assert_int_equal(puppet_carry_out(&w.p, 0, &show), REFUSED);
    assert_int_equal(puppet_carry_out(&w.p, 0, &remove), w.mapped);
    assert_true(is_in_use(&w));
    assert_int_equal(puppet_carry_out(&w.p, 0, &show), REFUSED);
    assert_false(is_in_use(&w));
    assert_false(is_visible(&w.p, w.mapped));
    pair_destroy(&w);
}

/* A hole that is taken and given back again stays one. */
static void test_given_back_before_taken(void **state)
{
    struct sandbox_change show, remove;
    struct puppets p;

    puppets_boot(&p, *state, 1);
    give_back(&p, RAM_GFN, 0);
    assert_true(is_hole(&p, RAM_GFN));
    take_and_give(&p, RAM_GFN, 0, RAM_GFN);
    show = puppet_told(&p, 0, 0);
    remove = puppet_told(&p, 0, 1);
    assert_int_equal(puppet_carry_out(&p, 0, &remove), REFUSED);
    assert_int_equal(puppet_carry_out(&p, 0, &show), PROBE_RAM);
    finish(&p, 0);
    assert_false(is_hole(&p, RAM_GFN));
    assert_int_equal(puppet_carry_out(&p, 0, &remove), PROBE_RAM);
    finish(&p, 0);
    assert_true(is_hole(&p, RAM_GFN));
    assert_int_equal(puppet_carry_out(&p, 0, &show), REFUSED);
    assert_false(is_visible(&p, PROBE_RAM));
    puppets_destroy(&p);
}

/* Changes need not be of the same pages: one in common is enough; none is
 * none. */
static void test_changes_that_overlap(void **state)
{
    struct sandbox_change show, remove;
    struct puppets p;

    puppets_boot(&p, *state, 1);
    give_back(&p, RAM_GFN, 2);
    take_and_give(&p, RAM_GFN, 2, RAM_GFN + 3);
    show = puppet_told(&p, 0, 0);
    remove = puppet_told(&p, 0, 1);
    assert_int_equal(puppet_carry_out(&p, 0, &remove), REFUSED);
    assert_int_equal(puppet_carry_out(&p, 0, &show), PROBE_RAM);
    assert_int_equal(puppet_carry_out(&p, 0, &remove), remove.addr);
    finish(&p, 0);
    take_and_give(&p, RAM_GFN + 3, 0, RAM_GFN);
    show = puppet_told(&p, 0, 0);
    remove = puppet_told(&p, 0, 1);
    assert_int_equal(puppet_carry_out(&p, 0, &remove), PROBE_RAM);
    assert_int_equal(puppet_carry_out(&p, 0, &show), show.addr);
    finish(&p, 0);
    assert_true(is_hole(&p, RAM_GFN));
    assert_false(is_visible(&p, PROBE_RAM));
    assert_true(is_visible(&p, PROBE_RAM + 3 * PAGE_SIZE));
    puppets_destroy(&p);
}

/* ---- several ---- */

/* A vCPU that is down is let go when it is up again: how late, the others say.
 * Until then they change nothing where it will. */
static void lower(struct puppets *p, unsigned int by, unsigned int vcpu)
{
    assert_int_equal(
        hypercall(p, by, __HYPERVISOR_vcpu_op, VCPUOP_down, vcpu, 0), 0);
}

static void raise_again(struct puppets *p, unsigned int by, unsigned int vcpu)
{
    assert_int_equal(hypercall(p, by, __HYPERVISOR_vcpu_op, VCPUOP_up, vcpu, 0),
                     0);
    assert_true(puppet_wait(p, vcpu));
}

static void carry_out_late(struct puppets *p, unsigned int vcpu,
                           const struct sandbox_change *c)
{
    uint64_t args[6];

    puppet_mmap_args(c, args);
    puppet_ask(p, vcpu, __NR_mmap, args);
    assert_false(puppet_wait(p, vcpu));
}

static void test_mapped_late_by_another(void **state)
{
    struct sandbox_change show;
    struct pair w;

    pair_boot(&w, *state, 2);
    assert_int_equal(map(&w, 1), GNTST_okay);
    show = puppet_told(&w.p, 1, 0);
    assert_int_equal(unmap(&w, 0, 0), GNTST_general_error);
    lower(&w.p, 0, 1);
    carry_out_late(&w.p, 1, &show);
    assert_int_equal(unmap(&w, 0, 0), GNTST_general_error);
    raise_again(&w.p, 0, 1);
    assert_true(is_visible(&w.p, w.mapped));
    assert_int_equal(unmap(&w, 0, 0), GNTST_general_error);
    finish(&w.p, 1);
    assert_int_equal(unmap(&w, 0, 0), GNTST_okay);
    show = puppet_told(&w.p, 0, 0);
    assert_int_equal(puppet_carry_out(&w.p, 1, &show), REFUSED);
    assert_int_equal(puppet_carry_out(&w.p, 0, &show), w.mapped);
    assert_true(is_in_use(&w));
    finish(&w.p, 0);
    assert_false(is_in_use(&w));
    assert_false(is_visible(&w.p, w.mapped));
    pair_destroy(&w);
}

static void test_protected_late_by_another(void **state)
{
    const uint64_t args[6] = { PROBE_RAM, PAGE_SIZE, PROT_READ | PROT_WRITE };
    struct puppets p;

    puppets_boot(&p, *state, 2);
    lower(&p, 0, 1);
    puppet_ask(&p, 1, __NR_mprotect, args);
    assert_false(puppet_wait(&p, 1));
    assert_int_equal(adjust(&p, 0, XENMEM_decrease_reservation, RAM_GFN, 0), 0);
    raise_again(&p, 0, 1);
    assert_int_equal(adjust(&p, 0, XENMEM_decrease_reservation, RAM_GFN, 0), 0);
    finish(&p, 1);
    give_back(&p, RAM_GFN, 0);
    assert_true(is_hole(&p, RAM_GFN));
    assert_false(is_visible(&p, PROBE_RAM));
    puppets_destroy(&p);
}

/* ---- removals that fail ---- */

/* Linux makes no mapping any more for the guest; false: we may not say so. */
static bool forbid_mappings(const struct puppets *p)
{
    const struct rlimit none = { PAGE_SIZE, PAGE_SIZE };

    return !prlimit(p->d->pid, RLIMIT_AS, &none, NULL);
}

/* A process that has ended and is not forgotten yet. */
static pid_t make_zombie(void)
{
    siginfo_t info;
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    assert_true(pid > 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    return pid;
}

static void map_now(struct pair *w)
{
    struct sandbox_change show;

    assert_int_equal(map(w, 0), GNTST_okay);
    show = puppet_told(&w->p, 0, 0);
    assert_int_equal(puppet_carry_out(&w->p, 0, &show), w->mapped);
    finish(&w->p, 0);
}

/* Unmaps, which Linux refuses; then the guest's next call. */
static void unmap_in_vain(struct pair *w)
{
    struct sandbox_change remove;

    assert_int_equal(unmap(w, 0, 0), GNTST_okay);
    remove = puppet_told(&w->p, 0, 0);
    assert_int_equal(puppet_carry_out(&w->p, 0, &remove), -XEN_ENOMEM);
    puppet_ask(&w->p, 0, SANDBOX_CALL_FINISH, (const uint64_t[6]){ 0 });
    confine_wait(w->p.c, w->p.d->domid);
}

/*
 * What it kept is found, also if the thread that Linux knows its process by
 * has ended, of which Linux says that it has no memory.
 */
static void keeps(struct confined *c, bool leader_ended)
{
    struct pair w;
    pid_t pid;

    pair_boot(&w, c, 2);
    map_now(&w);
    if (!forbid_mappings(&w.p)) {
        pair_destroy(&w);
        skip();
    }
    pid = w.p.d->pid;
    if (leader_ended)
        w.p.d->pid = make_zombie();
    unmap_in_vain(&w);
    if (leader_ended)
        assert_int_equal(waitpid(w.p.d->pid, NULL, 0), w.p.d->pid);
    w.p.d->pid = pid;
    assert_non_null(strstr(w.p.d->crash, "kept a page"));
    /* (With vCPUs of no process that is there, it may be killed by now.) */
    assert_true(leader_ended || is_visible(&w.p, w.mapped));
    assert_true(is_in_use(&w));
    pair_destroy(&w);
}

static void test_removal_refused(void **state)
{
    keeps(*state, false);
}

static void test_removal_refused_without_leader(void **state)
{
    keeps(*state, true);
}

/* ---- random programs ---- */

#define SEEDS 24u
#define STEPS 400u

static void test_programs(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        order_play(*state, seed, STEPS);
}

static void test_storms(void **state)
{
    for (uint64_t seed = 1; seed <= 2; seed++)
        order_storm(*state, seed * PUPPET_MAX, STEPS);
}

/* Other programs than these, for so many seconds. */
static struct {
    uint64_t seed, end_ns;
} longer;

static void test_longer(void **state)
{
    uint64_t programs = 0;

    for (; host_now() < longer.end_ns; longer.seed++, programs++) {
        order_play(*state, longer.seed, STEPS * 4);
        order_storm(*state, longer.seed, STEPS);
    }
    print_message("%llu programs of %u steps, up to seed %llu\n",
                  (unsigned long long)programs, STEPS * 5,
                  (unsigned long long)longer.seed);
}

/* ---- */

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, confine_setup, confine_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_unmapped_before_mapped),
        CASE(test_unmapped_and_never_mapped),
        CASE(test_given_back_before_taken),
        CASE(test_changes_that_overlap),
        CASE(test_mapped_late_by_another),
        CASE(test_protected_late_by_another),
        CASE(test_removal_refused),
        CASE(test_removal_refused_without_leader),
        CASE(test_programs),
        CASE(test_storms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

static int run_longer(void)
{
    const struct CMUnitTest tests[] = { CASE(test_longer) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* --seconds N [SEED]: only random programs, from this seed on. */
int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "--seconds")) {
        longer.seed = argc > 3 ? strtoull(argv[3], NULL, 10) : host_now();
        longer.end_ns = host_now() + strtoull(argv[2], NULL, 10) * 1000000000u;
        return run_longer();
    }
    return confine_main(argc, argv, run);
}
