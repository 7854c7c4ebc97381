/*
 * A store that replaces its program (execve) and keeps its connection to the
 * hypervisor. The new program is this one, with descriptors as arguments.
 */
#include "control_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "libhypercall/hypercall.h"

#define GUEST 2
#define GFN   300
#define GREF  8

static void map_one(struct rs_client_mapping *m)
{
    const grant_ref_t ref = GREF;

    CHECK(rs_client_map_grants(client, GUEST, &ref, 1, false, m) == 1);
    CHECK(*(uint64_t *)m->addr == GFN);
}

static void survive(int fd)
{
    CHECK(fcntl(fd, F_SETFD, 0) == 0);
}

/* What the new program is to find. */
static void exec_self(const char *what, evtchn_port_t port)
{
    char number[4][16];
    int fd[3] = { rs_client_fd(client) };

    CHECK(rs_client_port_fds(client, port, &fd[1], &fd[2]) == 0);
    for (int i = 0; i < 3; i++) {
        survive(fd[i]);
        snprintf(number[i], sizeof(number[i]), "%d", fd[i]);
    }
    snprintf(number[3], sizeof(number[3]), "%u", port);
    execl("/proc/self/exe", what, number[0], number[1], number[2], number[3],
          NULL);
    CHECK(!"exec");
}

static evtchn_port_t begin(struct fixture *f, evtchn_port_t remote,
                           struct rs_client_mapping *m)
{
    evtchn_port_t port;

    CHECK(join_as(f, "store") == 0);
    CHECK(hypercall_evtchn_bind_interdomain(GUEST, remote, &port) == 0);
    map_one(m);
    return port;
}

static void renew(struct fixture *f, void *arg)
{
    struct rs_client_mapping m;
    evtchn_port_t port = begin(f, *(evtchn_port_t *)arg, &m);

    CHECK(rs_client_unmap_grants(client, &m, 1) == 0);
    exec_self("renewed", port);
}

static void renew_with_pages(struct fixture *f, void *arg)
{
    struct rs_client_mapping m;

    exec_self("refused", begin(f, *(evtchn_port_t *)arg, &m));
}

/* ---- the new program ---- */

static int renewed(char **argv)
{
    evtchn_port_t port = (evtchn_port_t)atoi(argv[4]);
    struct rs_client_mapping m;
    struct pollfd p;
    int rx, tx;

    CHECK(rs_client_adopt(atoi(argv[1]), &client) == 0);
    hypercall_carry_over(client);
    CHECK(rs_client_domid(client) == 0);
    CHECK(rs_client_port_adopt(client, port, atoi(argv[2]), atoi(argv[3])) ==
          0);
    CHECK(rs_client_port_adopt(client, port + 1, -1, -1) == -EPROTO);
    CHECK(rs_client_port_fds(client, port, &rx, &tx) == 0);
    CHECK(rs_client_notify(client, port) == 0);
    p = (struct pollfd){ .fd = rx, .events = POLLIN };
    CHECK(poll(&p, 1, 5000) == 1);
    map_one(&m);
    *(uint64_t *)m.addr = 4711;
    CHECK(rs_client_unmap_grants(client, &m, 1) == 0);
    CHECK(hypercall_evtchn_close(port) == 0);
    leave();
    return 0;
}

static int refused(char **argv)
{
    CHECK(rs_client_adopt(atoi(argv[1]), &client) == -EBUSY);
    CHECK(fcntl(atoi(argv[1]), F_GETFD) >= 0);
    return 0;
}

/* ---- tests ---- */

static struct domain *guest(struct fixture *f, evtchn_port_t *port)
{
    struct domain *d = make_guest(f, GUEST, "guest");

    grant_seed(d, GREF, 0, GFN);
    assert_int_equal(evtchn_alloc_unbound(d, 0, port), 0);
    return d;
}

static void test_goes_on(void **state)
{
    struct fixture *f = *state;
    evtchn_port_t port;
    struct domain *d = guest(f, &port);
    int rx, tx;

    assert_int_equal(evtchn_fds(d, port, &rx, &tx), 0);
    assert_int_equal(run_client(f, renew, &port), 0);
    assert_int_equal(*guest_word(d, GFN), 4711);
    assert_int_equal(d->memory.pins, 0);
    assert_int_equal(grant_use(d, GREF), 0);
    assert_null(host_domain(f->host, 0));
}

/* It must not lose sight of what the old program had. */
static void test_pages_must_go_first(void **state)
{
    struct fixture *f = *state;
    evtchn_port_t port;
    struct domain *d = guest(f, &port);

    assert_int_equal(run_client(f, renew_with_pages, &port), 0);
    assert_int_equal(d->memory.pins, 0);
    assert_int_equal(grant_use(d, GREF), 0);
    assert_null(host_domain(f->host, 0));
}

static void be_driver(struct fixture *f, void *arg)
{
    int fd;

    (void)arg;
    CHECK(join_as(f, "driver") == 0);
    fd = dup(rs_client_fd(client));
    leave();
    CHECK(rs_client_adopt(fd, &client) == -EPIPE);
}

static void test_only_the_store(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run_client(f, be_driver, NULL), 0);
}

#define TEST(fn) \
    cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_goes_on),
        TEST(test_pages_must_go_first),
        TEST(test_only_the_store),
    };

    if (argc == 5)
        return strcmp(argv[0], "renewed") ? refused(argv) : renewed(argv);
    return cmocka_run_group_tests_name("renew", tests, NULL, NULL);
}
