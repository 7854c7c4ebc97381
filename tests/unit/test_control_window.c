/*
 * Grant windows: a process sees the pages that were granted to it, while they
 * are, and nothing else.
 *
 * Each test runs with userfaultfd. What does not depend on it runs without it
 * too (the group "weak"); where the machine has none, the strict group is
 * skipped.
 */
#include "control_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/userfaultfd.h>

#include "libhypercall/hypercall.h"

#define GUEST 2
#define GFN   300 /* the first frame that tests grant */
#define GREF  8

static void connect_driver(struct fixture *f)
{
    const char *off = getenv("RINGSIDE_NO_USERFAULTFD");

    CHECK(join_as(f, "driver") == 0);
    CHECK(rs_client_grants_strict(client) == !(off && *off == '1'));
}

static uint64_t *map_one(domid_t domid, grant_ref_t ref, bool read_only,
                         struct rs_client_mapping *m)
{
    CHECK(rs_client_map_grants(client, domid, &ref, 1, read_only, m) == 1);
    CHECK(m->status == GNTST_okay && m->ref == ref && m->domid == domid);
    CHECK(((uintptr_t)m->addr & 4095) == 0);
    return m->addr;
}

/* A guest with `n` frames from GFN granted to the driver domain from GREF. */
static struct domain *granter(struct fixture *f, unsigned int n)
{
    struct domain *d = make_guest(f, GUEST, "granter");

    for (unsigned int i = 0; i < n; i++)
        grant_seed(d, GREF + i, 1, GFN + i);
    return d;
}

/* ---- what both kinds do ---- */

static void read_and_write(struct fixture *f, void *arg)
{
    struct rs_client_mapping m, again;
    uint64_t *p;

    (void)arg;
    connect_driver(f);
    p = map_one(GUEST, GREF, false, &m);
    CHECK(*p == GFN);
    *p = 4711;
    CHECK(map_one(GUEST, GREF, false, &again) == p);
    CHECK(rs_client_unmap_grants(client, &m, 1) == 0 && !m.addr);
    CHECK(rs_client_unmap_grants(client, &m, 1) == 0); /* nothing to unmap */
    CHECK(*p == 4711);
    CHECK(rs_client_unmap_grants(client, &again, 1) == 0);
    leave();
}

static void test_read_and_write(void **state)
{
    struct fixture *f = *state;
    struct domain *d = granter(f, 1);

    assert_int_equal(run_client(f, read_and_write, NULL), 0);
    assert_int_equal(*guest_word(d, GFN), 4711);
    assert_int_equal(d->memory.pins, 0);
    assert_int_equal(grant_use(d, GREF), 0);
}

static void map_hole(struct fixture *f, void *arg)
{
    struct rs_client_mapping m[3];
    const grant_ref_t refs[] = { GREF, GREF + 1, GREF + 2 };

    (void)arg;
    connect_driver(f);
    CHECK(rs_client_map_grants(client, GUEST, refs, 3, false, m) == 3);
    for (int i = 0; i < 3; i++)
        CHECK(*(uint64_t *)m[i].addr == (i == 1 ? GFN + 1 : 0));
    CHECK(rs_client_unmap_grants(client, m, 3) == 0);
}

/* Frames that nobody ever touched are not in the file yet. */
static void test_untouched_frames(void **state)
{
    struct fixture *f = *state;
    struct domain *d = granter(f, 3);

    grant_seed(d, GREF, 1, GUEST_PAGES - 5);
    grant_seed(d, GREF + 2, 1, GUEST_PAGES - 6);
    assert_int_equal(run_client(f, map_hole, NULL), 0);
}

#define MANY 480u

static void map_many(struct fixture *f, void *arg)
{
    struct rs_client_mapping m[MANY];
    grant_ref_t refs[MANY];

    (void)arg;
    connect_driver(f);
    for (unsigned int i = 0; i < MANY; i++)
        refs[i] = GREF + i;
    CHECK(rs_client_map_grants(client, GUEST, refs, MANY, false, m) == MANY);
    for (unsigned int i = 0; i < MANY; i++) {
        CHECK(m[i].addr == (char *)m[0].addr + i * PAGE_SIZE);
        *(uint64_t *)m[i].addr = i;
    }
    CHECK(rs_client_unmap_grants(client, m, MANY) == 0);
}

static void test_many(void **state)
{
    struct fixture *f = *state;
    struct domain *d = granter(f, MANY);

    assert_int_equal(run_client(f, map_many, NULL), 0);
    for (unsigned int i = 0; i < MANY; i++)
        assert_int_equal(*guest_word(d, GFN + i), i);
    assert_int_equal(d->memory.pins, 0);
}

static void map_bad(struct fixture *f, void *arg)
{
    const grant_ref_t refs[] = { GREF + 1, GREF, GREF + 2, GREF + 3, 1 << 30 };
    struct rs_client_mapping m[5];

    (void)arg;
    connect_driver(f);
    /* A guest that granted nothing good shows nothing of itself. */
    CHECK(rs_client_map_grants(client, GUEST, refs, 1, false, m) == 0);
    CHECK(m[0].status == GNTST_general_error && !m[0].addr);
    CHECK(rs_client_map_grants(client, 77, refs, 1, false, m) == 0);
    CHECK(m[0].status == GNTST_bad_domain);
    CHECK(rs_client_map_grants(client, GUEST, refs, 5, false, m) == 1);
    CHECK(m[0].status == GNTST_general_error); /* another domain's */
    CHECK(m[1].status == GNTST_okay);
    CHECK(m[2].status == GNTST_bad_page);      /* below the first frame */
    CHECK(m[3].status == GNTST_general_error); /* read-only */
    CHECK(m[4].status == GNTST_bad_gntref);
    CHECK(rs_client_unmap_grants(client, m, 5) == 0);
    CHECK(rs_client_map_grants(client, GUEST, refs + 3, 1, true, m) == 1);
    CHECK(*(uint64_t *)m[0].addr == GFN + 3);
    CHECK(rs_client_unmap_grants(client, m, 1) == 0);
}

static void test_bad_grants(void **state)
{
    struct fixture *f = *state;
    struct domain *d = granter(f, 4);
    grant_entry_v1_t *e = memory_own_page(d, MEMORY_OWN_GRANT);

    grant_seed(d, GREF + 1, 9, GFN + 1);
    grant_seed(d, GREF + 2, 1, 17);
    e[GREF + 3].flags |= GTF_readonly;
    assert_int_equal(run_client(f, map_bad, NULL), 0);
    assert_int_equal(d->memory.pins, 0);
}

static void outlive(struct fixture *f, void *arg)
{
    struct rs_client_mapping m, n;
    uint64_t *p, *q;

    (void)arg;
    connect_driver(f);
    p = map_one(GUEST, GREF, false, &m);
    *p = 1;
    while (*(volatile uint64_t *)p != 2)
        usleep(1000);
    /* The first guest is gone; another has its number. */
    q = map_one(GUEST + 1, GREF, false, &n);
    CHECK(*q == GFN);
    *p = 3;
    CHECK(*q == GFN && p != q);
    CHECK(rs_client_unmap_grants(client, &m, 1) == 0);
    CHECK(*q == GFN);
    CHECK(rs_client_unmap_grants(client, &n, 1) == 0);
}

static void test_dead_granter_stays_readable(void **state)
{
    struct fixture *f = *state;
    struct domain *d = granter(f, 1), *next;
    pid_t pid = start_client(f, outlive, NULL);

    while (*(volatile uint64_t *)guest_word(d, GFN) != 1)
        serve_for(f, 1);
    next = make_guest(f, GUEST + 1, "next");
    grant_seed(next, GREF, 1, GFN);
    domain_destroy(d);
    assert_ptr_equal(host_domain(f->host, GUEST), d); /* dying */
    *(volatile uint64_t *)guest_word(d, GFN) = 2;
    assert_int_equal(finish_client(f, pid), 0);
    assert_null(host_domain(f->host, GUEST));
}

static void same_number(struct fixture *f, void *arg)
{
    struct rs_client_mapping m;
    uint64_t *p;

    (void)arg;
    connect_driver(f);
    for (int round = 0; round < 3; round++) {
        p = map_one(GUEST, GREF, false, &m);
        CHECK(*p == GFN);
        *p = 5;
        CHECK(rs_client_unmap_grants(client, &m, 1) == 0);
        usleep(20000); /* the guest is replaced meanwhile */
        while (rs_client_map_grants(client, GUEST, &(grant_ref_t){ GREF }, 1,
                                    true, &m) != 1 ||
               *(uint64_t *)m.addr != GFN) {
            rs_client_unmap_grants(client, &m, 1);
            usleep(1000);
        }
        CHECK(rs_client_unmap_grants(client, &m, 1) == 0);
    }
}

/* A domid comes back as another domain: its window is another too. */
static void test_domid_reused(void **state)
{
    struct fixture *f = *state;
    struct domain *d = granter(f, 1);
    pid_t pid = start_client(f, same_number, NULL);
    int status = 0;

    for (int i = 0; i < 3; i++) {
        while (*(volatile uint64_t *)guest_word(d, GFN) != 5 || d->memory.pins)
            serve_for(f, 1);
        domain_destroy(d);
        serve_for(f, 5);
        d = granter(f, 1);
    }
    status = finish_client(f, pid);
    assert_int_equal(status, 0);
}

static void go_rudely(struct fixture *f, void *arg)
{
    struct rs_client_mapping m;

    (void)arg;
    connect_driver(f);
    *map_one(GUEST, GREF, false, &m) = 1;
    close(rs_client_fd(client));
    pause(); /* and keep the page */
}

static void test_leaving_with_pages_is_deadly(void **state)
{
    struct fixture *f = *state;
    struct domain *d = granter(f, 1);
    int status = run_client(f, go_rudely, NULL);

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_null(host_domain(f->host, 1));
    assert_int_equal(d->memory.pins, 0);
    assert_int_equal(grant_use(d, GREF), 0);
}

static void die_at_once(struct fixture *f, void *arg)
{
    struct rs_client_mapping m;

    (void)arg;
    connect_driver(f);
    map_one(GUEST, GREF, false, &m);
    kill(getpid(), SIGKILL);
}

static void test_death_unpins(void **state)
{
    struct fixture *f = *state;
    struct domain *d = granter(f, 1);

    for (int i = 0; i < 20; i++) {
        int status = run_client(f, die_at_once, NULL);

        assert_true(WIFSIGNALED(status));
        assert_int_equal(d->memory.pins, 0);
        assert_null(host_domain(f->host, 1));
    }
}

static void come_and_go(struct fixture *f, void *arg)
{
    grant_ref_t refs[4] = { GREF, GREF + 1, GREF + 2, GREF + 3 };
    unsigned int before = open_descriptors();
    struct rs_client_mapping m[4];

    (void)arg;
    for (int i = 0; i < 100; i++) {
        evtchn_port_t port;

        connect_driver(f);
        CHECK(hypercall_evtchn_alloc_unbound(GUEST, &port) == 0);
        CHECK(rs_client_map_grants(client, GUEST, refs, 4, i & 1, m) == 4);
        if (i & 2) /* half of them leave it to the connection's end */
            CHECK(rs_client_unmap_grants(client, m, 4) == 0);
        leave();
    }
    CHECK(open_descriptors() == before);
}

static void test_nothing_leaks(void **state)
{
    struct fixture *f = *state;
    struct domain *d = granter(f, 4);
    unsigned int before = open_descriptors();

    assert_int_equal(run_client(f, come_and_go, NULL), 0);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(d->memory.pins, 0);
    assert_int_equal(f->host->nr_domains, 1);
}

/* ---- what only strict windows do ---- */

static void touch_around(struct fixture *f, void *arg)
{
    struct rs_client_mapping m;
    char *p;

    (void)arg;
    connect_driver(f);
    p = (char *)map_one(GUEST, GREF, false, &m);
    CHECK(!touch_faults(p, false) && !touch_faults(p, true));
    /* Present in the file, but not granted; and not touched by anyone. */
    CHECK(touch_faults(p + PAGE_SIZE, false));
    CHECK(touch_faults(p + PAGE_SIZE, true));
    CHECK(touch_faults(p - PAGE_SIZE, false));
    CHECK(touch_faults(p + (GUEST_PAGES - 1 - GFN) * PAGE_SIZE, false));
    /* Nor the hypervisor's own pages, which are in the file too. */
    CHECK(touch_faults(p + (GUEST_PAGES - GFN) * PAGE_SIZE, false));
    CHECK(touch_faults(p + (GUEST_PAGES + 1 - GFN) * PAGE_SIZE, true));
    CHECK(rs_client_unmap_grants(client, &m, 1) == 0);
}

static void test_ungranted_is_sigbus(void **state)
{
    struct fixture *f = *state;
    struct domain *d = granter(f, 1);

    assert_int_equal(run_client(f, touch_around, NULL), 0);
    assert_int_equal(*guest_word(d, GFN + 1), GFN + 1);
}

static void touch_after(struct fixture *f, void *arg)
{
    struct rs_client_mapping a, b;
    char *p;

    (void)arg;
    connect_driver(f);
    map_one(GUEST, GREF + 1, false, &b); /* keeps the window */
    for (int i = 0; i < 3; i++) {
        p = (char *)map_one(GUEST, GREF, i == 1, &a);
        CHECK(!touch_faults(p, false));
        CHECK(touch_faults(p, true) == (i == 1));
        CHECK(rs_client_unmap_grants(client, &a, 1) == 0);
        CHECK(touch_faults(p, false) && touch_faults(p, true));
    }
    CHECK(rs_client_unmap_grants(client, &b, 1) == 0);
}

static void test_unmapped_is_sigbus(void **state)
{
    struct fixture *f = *state;

    granter(f, 2);
    assert_int_equal(run_client(f, touch_after, NULL), 0);
}

static void up_and_down(struct fixture *f, void *arg)
{
    struct rs_client_mapping ro, rw;
    volatile char *p;

    (void)arg;
    connect_driver(f);
    p = (char *)map_one(GUEST, GREF, true, &ro);
    CHECK(*p == (char)GFN && touch_faults(p, true));
    CHECK((char *)map_one(GUEST, GREF, false, &rw) == p);
    CHECK(!touch_faults(p, true));
    CHECK(rs_client_unmap_grants(client, &rw, 1) == 0);
    CHECK(!touch_faults(p, false) && touch_faults(p, true));
    CHECK(rs_client_unmap_grants(client, &ro, 1) == 0);
}

static void test_readonly_is_readonly(void **state)
{
    struct fixture *f = *state;

    granter(f, 1);
    assert_int_equal(run_client(f, up_and_down, NULL), 0);
}

static void unmap_dishonestly(struct fixture *f, void *arg)
{
    struct gnttab_unmap_grant_ref op = { 0 };
    struct rs_client_mapping m;
    char *p;

    (void)arg;
    connect_driver(f);
    p = (char *)map_one(GUEST, GREF, false, &m);
    op.handle = m.handle;
    CHECK(hypercall_grant_unmap(&op, 1) == 0);
    CHECK(op.status == GNTST_general_error);
    CHECK(!touch_faults(p, true));
    CHECK(madvise(p, PAGE_SIZE, MADV_DONTNEED) == 0);
    CHECK(hypercall_grant_unmap(&op, 1) == 0);
    CHECK(op.status == GNTST_okay);
    CHECK(hypercall_grant_unmap(&op, 1) == 0);
    CHECK(op.status == GNTST_bad_handle);
    CHECK(touch_faults(p, true));
}

static void test_page_in_use_is_not_released(void **state)
{
    struct fixture *f = *state;
    struct domain *d = granter(f, 1);

    assert_int_equal(run_client(f, unmap_dishonestly, NULL), 0);
    assert_int_equal(grant_use(d, GREF), 0);
}

static void fork_off(struct fixture *f, void *arg)
{
    struct rs_client_mapping m;
    char *p;
    int status;
    pid_t pid;

    (void)arg;
    connect_driver(f);
    p = (char *)map_one(GUEST, GREF, false, &m);
    pid = fork();
    if (pid == 0) {
        unsigned char there;

        _exit(mincore(p, PAGE_SIZE, &there) == -1 && errno == ENOMEM ? 0 : 1);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(rs_client_unmap_grants(client, &m, 1) == 0);
}

static void test_fork_does_not_inherit(void **state)
{
    struct fixture *f = *state;

    granter(f, 1);
    assert_int_equal(run_client(f, fork_off, NULL), 0);
}

static void hold_page(struct fixture *f, void *arg)
{
    struct rs_client_mapping m;
    uint64_t *p;

    (void)arg;
    connect_driver(f);
    p = map_one(GUEST, GREF, false, &m);
    *p = 1;
    while (*(volatile uint64_t *)p == 1)
        usleep(1000);
    CHECK(rs_client_unmap_grants(client, &m, 1) == 0);
}

static unsigned long locked_kib(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    unsigned long kib = 0;
    char line[128];

    while (fgets(line, sizeof(line), status))
        sscanf(line, "VmLck: %lu", &kib);
    fclose(status);
    return kib;
}

/* Not by everyone, and sanitizers make mlock() do nothing. */
static bool can_lock(void)
{
    unsigned long before = locked_kib();
    void *page =
        mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool can = !mlock(page, PAGE_SIZE) && locked_kib() > before;

    munmap(page, PAGE_SIZE);
    return can;
}

/* With swap, a page that is mapped must not leave memory. */
static void test_mapped_pages_are_held(void **state)
{
    struct fixture *f = *state;
    volatile uint64_t *word = guest_word(granter(f, 1), GFN);
    unsigned long before = locked_kib();
    pid_t pid;

    if (!can_lock())
        skip();
    f->host->hold_pinned = true;
    pid = start_client(f, hold_page, NULL);
    while (*word != 1)
        serve_for(f, 1);
    assert_int_equal(locked_kib(), before + 4);
    *word = 2;
    assert_int_equal(finish_client(f, pid), 0);
    assert_int_equal(locked_kib(), before);
}

#define TEST(fn) \
    cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

static const struct CMUnitTest both[] = {
    TEST(test_read_and_write),
    TEST(test_untouched_frames),
    TEST(test_many),
    TEST(test_bad_grants),
    TEST(test_dead_granter_stays_readable),
    TEST(test_domid_reused),
    TEST(test_leaving_with_pages_is_deadly),
    TEST(test_death_unpins),
    TEST(test_nothing_leaks),
};

static const struct CMUnitTest strict[] = {
    TEST(test_ungranted_is_sigbus),   TEST(test_unmapped_is_sigbus),
    TEST(test_readonly_is_readonly),  TEST(test_page_in_use_is_not_released),
    TEST(test_fork_does_not_inherit), TEST(test_mapped_pages_are_held),
};

int main(void)
{
    int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    int failed;

    setenv("RINGSIDE_NO_USERFAULTFD", "1", 1);
    failed = cmocka_run_group_tests_name("window, weak", both, NULL, NULL);
    if (uffd < 0) {
        printf("# strict windows: skipped, no userfaultfd\n");
        return failed;
    }
    close(uffd);
    setenv("RINGSIDE_NO_USERFAULTFD", "0", 1);
    failed += cmocka_run_group_tests_name("window", both, NULL, NULL);
    return failed +
           cmocka_run_group_tests_name("window, strict", strict, NULL, NULL);
}
