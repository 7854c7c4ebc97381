/*
 * A guest that goes wrong ends alone, with a report that says how.
 */
#include "puppet.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Ends as a crash whose text has this. */
static void crashes(struct confined *c, const char *how, const char *text)
{
    struct rs_domain_info info = confine_run(c, "fault %s", how);

    if (info.shutdown_reason != SHUTDOWN_crash || !strstr(info.crash, text))
        fail_msg("fault %s: reason %u, \"%s\" lacks \"%s\"", how,
                 info.shutdown_reason, info.crash, text);
    /* The report reaches the guest's console as well. */
    assert_non_null(strstr(c->console, text));
}

static void test_without_handler(void **state)
{
    crashes(*state, "null", "page fault at rip 0x10");
    crashes(*state, "null", "address 0x8,");
    crashes(*state, "ud2", "invalid instruction");
    crashes(*state, "divide", "division by zero");
    crashes(*state, "hlt", "general protection");
    crashes(*state, "noncanonical", "general protection");
    crashes(*state, "overflow", "address 0x190");
    crashes(*state, "jump", "page fault at rip 0x190000");
    crashes(*state, "text", "address 0x100000, error code 0x7");
    crashes(*state, "first-mib", "address 0xff000");
    crashes(*state, "aperture", "page fault");
}

static void handled(struct confined *c, const char *how, const char *says)
{
    struct rs_domain_info info = confine_run(c, "fault handled %s", how);

    assert_int_equal(info.shutdown_reason, SHUTDOWN_crash);
    assert_string_equal(info.crash, "");
    if (!strstr(c->console, says))
        fail_msg("\"%s\" lacks \"%s\"", c->console, says);
}

static void test_with_handler(void **state)
{
    handled(*state, "null", "trap e\ncr2 8\n");
    handled(*state, "ud2", "trap 6\n");
    handled(*state, "divide", "trap 0\n");
    handled(*state, "hlt", "trap d\n");
    handled(*state, "overflow", "trap e\ncr2 190");
}

static void test_trap_in_the_handler(void **state)
{
    crashes(*state, "again", "page fault");
}

static void test_handler_that_resumes(void **state)
{
    struct confined *c = *state;
    struct rs_domain_info info = confine_run(c, "fault resume");

    assert_int_equal(info.shutdown_reason, SHUTDOWN_poweroff);
    assert_non_null(strstr(c->console, "survived 2\n"));
}

static void test_neighbours_live_on(void **state)
{
    struct confined *c = *state;
    uint16_t neighbour = confine_boot(c, "hypercalls");
    struct probe_shared *s = confine_shared(c, neighbour);

    crashes(c, "null", "page fault");
    confine_wait_for(c, &s->count, s->count + 100);
    confine_run(c, "call %x", 39); /* getpid: killed */
    confine_wait_for(c, &s->count, s->count + 100);
    assert_int_equal(s->wrong, 0);
    assert_int_equal(confine_info(c, neighbour).state, RS_DOMAIN_RUNNING);
}

/* Whoever kills the process from outside gets a crash with its signal. */
static void test_killed_from_outside(void **state)
{
    struct confined *c = *state;
    uint16_t d = confine_boot(c, "spin");
    struct probe_shared *s = confine_shared(c, d);
    struct rs_domain_info info;

    confine_wait_for(c, &s->count, 1);
    assert_int_equal(kill(confine_info(c, d).pid, SIGKILL), 0);
    info = confine_wait(c, d);
    assert_int_equal(info.shutdown_reason, SHUTDOWN_crash);
    assert_non_null(strstr(info.crash, "signal 9"));
}

/* ---- vandals ---- */

struct range {
    unsigned long start, end;
    char perms[8];
};

static unsigned int writable_ranges(int pid, struct range *r, unsigned int max)
{
    const char *s = confine_proc(pid, "maps");
    unsigned int n = 0;

    for (; s && *s && n < max; s = strchr(s, '\n'), s += s != NULL) {
        if (sscanf(s, "%lx-%lx %7s", &r[n].start, &r[n].end, r[n].perms) == 3 &&
            r[n].perms[1] == 'w')
            n++;
    }
    return n;
}

/*
 * All writable memory but the page with the list: shared_info, the engine's
 * page, the stub's variables and stacks, its own data. Then it is stopped and
 * ended like any other.
 */
static void test_scribble(void **state)
{
    struct confined *c = *state;

    for (int round = 0; round < 8; round++) {
        uint16_t neighbour = confine_boot(c, "hypercalls");
        uint16_t d = confine_boot(c, "scribble");
        struct probe_shared *s = confine_shared(c, d);
        struct range r[PROBE_TARGETS];
        unsigned int n = writable_ranges(confine_info(c, d).pid, r, 16);
        unsigned int targets = 0;

        for (unsigned int i = 0; i < n; i++) {
            /* In some rounds parts are left whole. */
            if (r[i].start <= PROBE_SHARED || (round && (round >> i & 1)))
                continue;
            s->target[targets][0] = r[i].start;
            s->target[targets++][1] = r[i].end - r[i].start;
        }
        __atomic_store_n(&s->go, 1, __ATOMIC_SEQ_CST);
        confine_dispatch(c, 30);
        assert_int_equal(rs_domain_pause(c->h, d), 0);
        assert_int_equal(rs_domain_unpause(c->h, d), 0);
        confine_dispatch(c, 10);
        assert_int_equal(rs_domain_destroy(c->h, d), 0);
        s = confine_shared(c, neighbour);
        confine_wait_for(c, &s->count, s->count + 10);
        assert_int_equal(s->wrong, 0);
        assert_int_equal(rs_domain_destroy(c->h, neighbour), 0);
    }
}

/* Has `d` write over the engine's page, the only one of its size. */
static void scribble_over_counters(struct confined *c, uint16_t d)
{
    struct probe_shared *s = confine_shared(c, d);
    struct range r[PROBE_TARGETS];
    unsigned int n = writable_ranges(confine_info(c, d).pid, r, 16);
    unsigned int targets = 0;

    for (unsigned int i = 0; i < n; i++) {
        if (r[i].end - r[i].start != PAGE_SIZE)
            continue;
        s->target[targets][0] = r[i].start;
        s->target[targets++][1] = PAGE_SIZE;
    }
    assert_true(targets >= 1);
    __atomic_store_n(&s->go, 1, __ATOMIC_SEQ_CST);
}

/* It takes a while until all of the page is written over. */
static bool has_lied(const struct rs_guest_counts *c)
{
    return c->sends > 1ull << 32 && c->changes > 1ull << 32 &&
           c->changes != c->sends;
}

/* What a guest reports of itself is its own word; what the hypervisor counted
 * stays true, and so does what is told of others. */
static void test_lies(void **state)
{
    struct confined *c = *state;
    uint16_t neighbour = confine_boot(c, "hypercalls");
    uint16_t d = confine_boot(c, "scribble");
    struct rs_hypercall_stats before[8], after[8];
    struct rs_guest_counts counts;
    int n;

    /* Until it runs, not all of its memory is there. */
    do {
        confine_dispatch(c, 10);
        assert_int_equal(rs_guest_counts(c->h, d, &counts), 0);
    } while (counts.ticks == 0);
    assert_int_equal(counts.sends, 0);
    n = rs_hypercall_stats(c->h, d, before, 8);
    scribble_over_counters(c, d);
    for (int i = 0; i < 300 && !has_lied(&counts); i++) {
        confine_dispatch(c, 30);
        assert_int_equal(rs_guest_counts(c->h, d, &counts), 0);
    }
    assert_true(has_lied(&counts));
    assert_int_equal(rs_hypercall_stats(c->h, d, after, 8), n);
    for (int i = 0; i < n; i++)
        assert_memory_equal(&before[i], &after[i], sizeof(before[i]));
    assert_int_equal(rs_guest_counts(c->h, neighbour, &counts), 0);
    assert_int_equal(counts.sends, 0);
    assert_true(counts.ticks < 1000000);
    assert_int_equal(rs_domain_destroy(c->h, d), 0);
    assert_int_equal(rs_guest_counts(c->h, d, &counts), -ESRCH);
}

/* ---- a vCPU whose thread has ended ---- */

static void look_by_pause(struct puppets *p)
{
    assert_int_equal(rs_domain_pause(p->c->h, p->d->domid), 0);
}

static void look_by_list(struct puppets *p)
{
    struct rs_vcpu_info info[2];

    assert_int_equal(rs_vcpu_list(p->c->h, p->d->domid, info, 2), 2);
}

static void look_by_another(struct puppets *p)
{
    puppet_ask(p, 0, SANDBOX_BASE + __HYPERVISOR_vcpu_op,
               (const uint64_t[6]){ VCPUOP_down, 1 });
}

/* No filter lets it happen, so we say that another thread is the vCPU, which
 * is none of its process. */
static void test_thread_that_is_gone(void **state)
{
    void (*const looks[])(struct puppets *) = { look_by_pause, look_by_list,
                                                look_by_another };
    struct confined *c = *state;
    struct rs_domain_info info;
    struct puppets p;

    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        puppets_boot(&p, c, 2);
        look_by_list(&p);
        assert_int_equal(confine_info(c, p.d->domid).state, RS_DOMAIN_RUNNING);
        puppet_vcpu(&p, 1)->tid = getpid();
        looks[i](&p);
        info = confine_wait(c, p.d->domid);
        assert_int_equal(info.shutdown_reason, SHUTDOWN_crash);
        assert_string_equal(info.crash,
                            "killed: the thread of its vCPU 1 had ended");
        puppets_destroy(&p);
    }
}

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, confine_setup, confine_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_without_handler),
        CASE(test_with_handler),
        CASE(test_trap_in_the_handler),
        CASE(test_handler_that_resumes),
        CASE(test_neighbours_live_on),
        CASE(test_killed_from_outside),
        CASE(test_scribble),
        CASE(test_lies),
        CASE(test_thread_that_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return confine_main(argc, argv, run);
}
