/*
 * Pages between real processes: what is mapped is seen, what was given back,
 * to its granter or to the host, is not, whatever the guest does.
 */
#include "confine.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint16_t boot_granter(struct confined *c, uint16_t mapper)
{
    uint16_t d = confine_boot(c, "grant %x", mapper);

    confine_wait_for(c, &confine_shared(c, d)->count, 1);
    assert_int_equal(confine_shared(c, d)->wrong, 0);
    return d;
}

static uint64_t pins_of(struct confined *c, uint16_t d)
{
    return host_domain(c->h, d)->memory.pins;
}

/* The mapper's domid is known before it is there. */
#define NEXT(granter) ((uint16_t)((granter) + 1))

static void test_map_and_unmap(void **state)
{
    struct confined *c = *state;
    uint16_t g = boot_granter(c, RS_DOMID_FIRST_GUEST + 1);
    struct rs_domain_info info = confine_run(c, "map %x 3e8", g);

    assert_int_equal(info.shutdown_reason, SHUTDOWN_poweroff);
    assert_int_equal(info.exit_status, 0);
    assert_int_equal(*(uint64_t *)confine_at(c, g, PROBE_GRANTED + 8), 999);
    assert_int_equal(pins_of(c, g), 0);
    assert_int_equal(rs_domain_destroy(c->h, g), 0);
}

static void test_unmapped_faults(void **state)
{
    struct confined *c = *state;
    uint16_t g = boot_granter(c, RS_DOMID_FIRST_GUEST + 1);
    struct rs_domain_info info = confine_run(c, "map-and-keep %x", g);

    assert_int_equal(info.shutdown_reason, SHUTDOWN_crash);
    assert_non_null(strstr(info.crash, "page fault"));
    assert_null(strstr(c->console, "kept"));
    assert_int_equal(pins_of(c, g), 0);
}

/* By itself it can make the one mapping that it was told, once. */
static void test_only_what_was_told(void **state)
{
    struct confined *c = *state;
    uint16_t g = boot_granter(c, RS_DOMID_FIRST_GUEST + 1);
    const char *s;
    unsigned int n = 0;

    confine_run(c, "map-raw %x", g);
    assert_non_null(strstr(c->console, "early ffffffffffffffff\n"));
    for (s = c->console; (s = strstr(s, "mmap ")) != NULL; s++, n++)
        if (n == 8)
            assert_int_equal(strncmp(s, "mmap 202000\n", 12), 0);
        else
            assert_int_equal(strncmp(s, "mmap ffffffffffffffff\n", 22), 0);
    assert_int_equal(n, 10);
    assert_non_null(strstr(c->console, "value 5ec2e7\n"));
    assert_non_null(strstr(c->console, "late ffffffffffffffff\n"));
    assert_int_equal(pins_of(c, g), 0);
}

/*
 * A mapper that makes the kernel refuse the removal must not keep the page:
 * it has used up the mappings that Linux allows it (vm.max_map_count).
 */
static void test_removal_that_fails(void **state)
{
    struct confined *c = *state;
    uint16_t g = boot_granter(c, RS_DOMID_FIRST_GUEST + 1), d;
    struct rs_domain_info info;

    d = confine_create(c, 300 * 1024, "crowd %x 12c", g);
    assert_int_equal(d, NEXT(g));
    assert_int_equal(rs_domain_unpause(c->h, d), 0);
    info = confine_wait(c, d);
    if (strstr(c->console, "crowded 0\n"))
        skip(); /* vm.max_map_count is larger here */
    assert_int_equal(info.shutdown_reason, SHUTDOWN_crash);
    assert_non_null(strstr(info.crash, "kept a page"));
    assert_null(strstr(c->console, "kept 5ec2e7"));
    /* Until it is gone the page counts as seen. */
    assert_int_equal(pins_of(c, g), 1);
    assert_int_equal(rs_domain_destroy(c->h, d), 0);
    assert_int_equal(pins_of(c, g), 0);
}

/* Does the domain's file have the page at addr? */
static bool is_there(struct confined *c, uint16_t d, off_t addr)
{
    return lseek(host_domain(c->h, d)->memory.fd, addr, SEEK_HOLE) != addr;
}

/* A page that is given back: paid for until it is certainly unreachable, and
 * never reachable again unless it is taken again. */
static void test_hole(void **state)
{
    struct confined *c = *state;
    uint16_t d = confine_boot(c, "hole");
    struct probe_shared *s = confine_shared(c, d);
    uint64_t used = c->h->used_pages;
    struct rs_domain_info info;
    const char *steps[] = { "give 1\n",       "twice 0\n",
                            "early take 0\n", "early protect ffff",
                            "value 5ec2e7\n", "let go 181000\n",
                            "\nprotect ffff", "\nmap ffff",
                            "\ntake 1\n",     "value 0\n" };

    confine_wait_for(c, &s->count, 1);
    assert_int_equal(c->h->used_pages, used);
    assert_true(is_there(c, d, PROBE_GRANTED));
    s->go = 1;
    info = confine_wait(c, d);
    assert_false(is_there(c, d, PROBE_GRANTED));
    assert_int_equal(c->h->used_pages, used - 1);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        assert_non_null(strstr(c->console, steps[i]));
    assert_int_equal(info.shutdown_reason, SHUTDOWN_crash);
    assert_non_null(strstr(info.crash, "page fault"));
    assert_null(strstr(c->console, "kept"));
}

/*
 * A page that was taken away is not made accessible again as memory of the
 * process's own, that nobody pays for.
 */
static void test_own_page(void **state)
{
    struct confined *c = *state;

    for (unsigned int native = 0; native < 2; native++) {
        uint16_t d;

        confine_native = native;
        d = confine_boot(c, "own-page %u", native);
        confine_native = false;
        confine_wait(c, d);
        assert_string_equal(confine_info(c, d).crash, "");
        assert_int_equal(*(uint64_t *)confine_at(c, d, PROBE_GRANTED),
                         0x5ec2e7);
        assert_int_equal(rs_domain_destroy(c->h, d), 0);
    }
}

/* What one vCPU gives up the others cannot keep, whatever they do. */
static void test_racing_vcpus(void **state)
{
    enum { ROUNDS = 300 };
    struct confined *c = *state;
    uint64_t used;
    struct probe_shared *s;
    uint16_t d;

    confine_vcpus = 2;
    d = confine_boot(c, "race %x %x", RS_DOMID_FIRST_GUEST, ROUNDS);
    confine_vcpus = 1;
    used = c->h->used_pages;
    s = confine_shared(c, d);
    confine_wait_for(c, &s->count, ROUNDS + 1);
    for (uint64_t n = s->upcalls; s->upcalls < n + 200;)
        confine_dispatch(c, 10);
    assert_int_equal(s->wrong, 0);
    assert_true(s->traps > 0);
    assert_int_equal(c->h->used_pages, used - 1);
    assert_false(is_there(c, d, PROBE_GRANTED + 4096));
    assert_int_equal(confine_info(c, d).state, RS_DOMAIN_RUNNING);
    assert_int_equal(rs_domain_destroy(c->h, d), 0);
    assert_int_equal(c->h->used_pages, 0);
}

/* Either may be destroyed at any moment; the other never notices more than a
 * refused map, and nothing stays pinned. */
static void test_death_while_mapping(void **state)
{
    struct confined *c = *state;

    for (int round = 0; round < 20; round++) {
        uint16_t next = c->h->next_domid;
        uint16_t g = boot_granter(c, NEXT(next));
        uint16_t m = confine_boot(c, "map %x 0", g);
        struct probe_shared *s = confine_shared(c, m);

        confine_wait_for(c, &s->count, 20);
        for (int i = 0; i < round; i++)
            rs_host_dispatch(c->h, 10);
        assert_int_equal(s->wrong, 0);
        assert_int_equal(rs_domain_destroy(c->h, round % 2 ? g : m), 0);
        if (round % 2) {
            confine_dispatch(c, 2);
            assert_int_equal(rs_domain_destroy(c->h, m), 0);
            assert_null(host_domain(c->h, g));
        } else {
            assert_int_equal(pins_of(c, g), 0);
            assert_int_equal(rs_domain_destroy(c->h, g), 0);
        }
        assert_int_equal(c->h->nr_domains, 0);
        assert_int_equal(c->h->used_pages, 0);
    }
}

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, confine_setup, confine_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_map_and_unmap),
        CASE(test_unmapped_faults),
        CASE(test_hole),
        CASE(test_own_page),
        CASE(test_only_what_was_told),
        CASE(test_removal_that_fails),
        CASE(test_death_while_mapping),
        CASE(test_racing_vcpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return confine_main(argc, argv, run);
}
