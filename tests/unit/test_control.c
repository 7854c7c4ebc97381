/*
 * The control socket: roles, hypercalls by value, ports as descriptors, and
 * what the toolstack may ask. (Windows: test_control_window.c; clients that
 * mean harm: test_control_hostile.c.)
 */
#include "control_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "hypervisor/test/engine_test.h"
#include "libhypercall/hypercall.h"

static bool readable(int fd, int ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, ms) == 1;
}

/* ---- roles ---- */

static void say_roles(struct fixture *f, void *arg)
{
    struct rs_client *other;

    (void)arg;
    CHECK(rs_client_connect("/nonexistent/socket", &client) == -ENOENT);
    CHECK(rs_client_join(&client) == -ENOKEY);
    CHECK(connect_tool(f) == 0);
    CHECK(rs_client_domid(client) == DOMID_INVALID);
    leave();
    CHECK(join_as(f, "store") == 0);
    CHECK(rs_client_domid(client) == 0);
    CHECK(rs_client_join(&other) == -EBUSY);
    leave();
    CHECK(join_as(f, "driver") == 0);
    CHECK(rs_client_domid(client) == RS_DOMID_DRIVER);
    leave();
    CHECK(join_as(f, "tool") == -EINVAL);
    CHECK(join_as(f, "") == -EINVAL);
    CHECK(join_as(f, "drive") == -EINVAL);
    setenv("RINGSIDE_IDENTITY", "driver", 1);
    CHECK(rs_client_join(&client) == -EINVAL);
    CHECK(hypercall_xen_version(XENVER_version, NULL, 0) == -ENOTCONN);
}

/* Each has its own ports and its own answers. */
static void say_twice(struct fixture *f, void *arg)
{
    struct rs_client *driver, *tool;
    struct rs_domain_info info;
    evtchn_port_t port;
    int rx, tx;

    (void)arg;
    CHECK(join_as(f, "driver") == 0);
    driver = client;
    CHECK(connect_tool(f) == 0);
    tool = client;
    hypercall_carry_over(driver);
    CHECK(hypercall_evtchn_alloc_unbound(2, &port) == 0);
    CHECK(rs_client_port_fds(driver, port, &rx, &tx) == 0);
    CHECK(rs_client_port_fds(tool, port, &rx, &tx) == -ENOENT);
    CHECK(rs_client_domain_info(tool, 1, &info) == 0 && info.ports == 1);
    rs_client_disconnect(tool);
    CHECK(rs_client_notify(driver, port) == 0);
    hypercall_carry_over(NULL);
    rs_client_disconnect(driver);
    rs_client_disconnect(NULL);
}

static void test_two_connections(void **state)
{
    struct fixture *f = *state;

    make_guest(f, 2, "guest");
    assert_int_equal(run_client(f, say_twice, NULL), 0);
    assert_null(host_domain(f->host, 1));
}

static void test_roles(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run_client(f, say_roles, NULL), 0);
    assert_null(host_domain(f->host, 0));
    assert_null(host_domain(f->host, 1));
}

static void hold_driver(struct fixture *f, void *arg)
{
    (void)arg;
    CHECK(join_as(f, "driver") == 0);
    pause();
}

static void want_driver(struct fixture *f, void *arg)
{
    CHECK(join_as(f, "driver") == *(int *)arg);
}

static void test_one_driver_at_a_time(void **state)
{
    struct fixture *f = *state;
    int busy = -EBUSY, fine = 0;
    pid_t holder = start_client(f, hold_driver, NULL);

    while (!host_domain(f->host, 1))
        serve_for(f, 1);
    assert_int_equal(run_client(f, want_driver, &busy), 0);
    /* A dead holder's role is free at once, whatever the loop saw first. */
    kill(holder, SIGKILL);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    assert_int_equal(run_client(f, want_driver, &fine), 0);
}

static void call_as_tool(struct fixture *f, void *arg)
{
    evtchn_port_t port;

    (void)arg;
    CHECK(connect_tool(f) == 0);
    /* No domain, no hypercalls: this client is shown the door. */
    CHECK(hypercall_evtchn_alloc_unbound(0, &port) == -EPIPE);
}

static void test_tools_do_no_hypercalls(void **state)
{
    assert_int_equal(run_client(*state, call_as_tool, NULL), 0);
}

static void control_as_driver(struct fixture *f, void *arg)
{
    (void)arg;
    CHECK(join_as(f, "driver") == 0);
    CHECK(rs_client_domain_destroy(client, 2) == -EPIPE);
}

static void test_driver_does_no_control(void **state)
{
    struct fixture *f = *state;

    make_guest(f, 2, "guest");
    assert_int_equal(run_client(f, control_as_driver, NULL), 0);
    assert_non_null(host_domain(f->host, 2));
}

/* ---- hypercalls and ports ---- */

static void call(struct fixture *f, void *arg)
{
    struct evtchn_status st = { .dom = DOMID_SELF };
    xen_extraversion_t extra;
    evtchn_port_t port;
    int rx, tx;

    (void)arg;
    CHECK(join_as(f, "driver") == 0);
    CHECK(hypercall_xen_version(XENVER_version, NULL, 0) > 0);
    CHECK(hypercall_xen_version(XENVER_extraversion, extra, sizeof(extra)) ==
          0);
    CHECK(hypercall_xen_version(XENVER_extraversion, extra, 1) == -EFAULT);
    CHECK(hypercall_op(63, 0, NULL, 0) == -ENOSYS);
    CHECK(hypercall_op(4000000000u, 0, NULL, 0) == -ENOSYS);
    /* Not for processes, whatever a guest may do. */
    CHECK(hypercall_sched_op(SCHEDOP_shutdown, &port, sizeof(port)) == -ENOSYS);
    CHECK(hypercall_evtchn_alloc_unbound(2, &port) == 0);
    CHECK(rs_client_port_fds(client, port, &rx, &tx) == 0 && rx >= 0 &&
          tx >= 0);
    st.port = port;
    CHECK(hypercall_evtchn_status(&st) == 0);
    CHECK(st.status == EVTCHNSTAT_unbound && st.u.unbound.dom == 2);
    CHECK(hypercall_evtchn_close(port) == 0);
    CHECK(rs_client_port_fds(client, port, &rx, &tx) == -ENOENT);
    CHECK(fcntl(rx, F_GETFD) == -1);
    CHECK(rs_client_notify(client, port) == -ENOENT);
    CHECK(hypercall_evtchn_close(port) == -EINVAL);
    /* Other domains are not the driver domain's to act for. */
    struct evtchn_alloc_unbound other = { .dom = 2, .remote_dom = 1 };
    CHECK(hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
                       &other, sizeof(other)) == -EPERM);
}

static void test_hypercalls(void **state)
{
    struct fixture *f = *state;

    make_guest(f, 2, "guest");
    assert_int_equal(run_client(f, call, NULL), 0);
}

static void talk(struct fixture *f, void *arg)
{
    evtchn_port_t port, remote = *(evtchn_port_t *)arg;
    uint64_t n;
    int rx, tx;

    CHECK(join_as(f, "driver") == 0);
    CHECK(hypercall_evtchn_bind_interdomain(2, remote + 1, &port) == -EINVAL);
    CHECK(hypercall_evtchn_bind_interdomain(2, remote, &port) == 0);
    CHECK(rs_client_port_fds(client, port, &rx, &tx) == 0);
    CHECK(readable(rx, 1000) && read(rx, &n, sizeof(n)) == sizeof(n));
    CHECK(!readable(rx, 0));
    for (int i = 0; i < 3; i++)
        CHECK(rs_client_notify(client, port) == 0);
    /* The guest answers when it has seen all three. */
    CHECK(readable(rx, 5000));
}

static void test_events(void **state)
{
    struct fixture *f = *state;
    struct domain *guest = make_guest(f, 2, "guest");
    evtchn_port_t port;
    int rx, tx, status;
    uint64_t n = 0, sum = 0;
    pid_t pid;

    assert_int_equal(evtchn_alloc_unbound(guest, 1, &port), 0);
    assert_int_equal(evtchn_fds(guest, port, &rx, &tx), 0);
    pid = start_client(f, talk, &port);
    for (int i = 0; sum < 3 && i < 5000; i++) {
        serve_for(f, 1);
        if (read(rx, &n, sizeof(n)) == sizeof(n))
            sum += n;
    }
    assert_int_equal(sum, 3);
    assert_int_equal(evtchn_send(guest, port), 0);
    status = finish_client(f, pid);
    assert_int_equal(status, 0);
    /* The peer has gone: the port is unbound again, for the next driver. */
    assert_int_equal(guest->evtchn.ports[port].state, EVTCHNSTAT_unbound);
    assert_int_equal(guest->evtchn.ports[port].remote, 1);
}

static void await_death(struct fixture *f, void *arg)
{
    struct rs_domain_info info;
    evtchn_port_t port;
    int rx, tx;

    (void)arg;
    CHECK(join_as(f, "store") == 0);
    CHECK(hypercall_evtchn_bind_virq(VIRQ_DOM_EXC, 0, &port) == 0);
    CHECK(rs_client_port_fds(client, port, &rx, &tx) == 0 && tx == -1);
    CHECK(rs_client_notify(client, port) == -ENOENT);
    CHECK(rs_client_domain_unpause(client, 2) == 0);
    CHECK(rs_client_domain_pause(client, 2) == 0);
    CHECK(!readable(rx, 0));
    CHECK(rs_client_domain_destroy(client, 2) == 0);
    CHECK(readable(rx, 1000));
    CHECK(rs_client_domain_info(client, 2, &info) == -ESRCH);
}

static void test_death_is_told_to_the_store(void **state)
{
    struct fixture *f = *state;

    make_guest(f, 2, "guest");
    assert_int_equal(run_client(f, await_death, NULL), 0);
}

/* ---- the toolstack ---- */

static void look(struct fixture *f, void *arg)
{
    struct rs_vcpu_info vcpus[RS_VCPUS_MAX];
    struct rs_domain_info info[100], one;
    struct rs_host_info host;

    (void)arg;
    CHECK(connect_tool(f) == 0);
    CHECK(rs_client_host_info(client, &host) == 0);
    CHECK(strcmp(host.engine, "test") == 0 && host.domains == 90);
    CHECK(rs_client_domain_list(client, info, 100) == 90);
    for (int i = 0; i < 90; i++) {
        char name[16];

        snprintf(name, sizeof(name), "guest%u", info[i].domid);
        CHECK(info[i].domid == 2u + i && strcmp(info[i].name, name) == 0);
        CHECK(info[i].state == RS_DOMAIN_PAUSED);
    }
    CHECK(rs_client_domain_list(client, info, 60) == 60 &&
          info[59].domid == 61);
    CHECK(rs_client_domain_info(client, 50, &one) == 0 && one.domid == 50);
    CHECK(rs_client_domain_info(client, 500, &one) == -ESRCH);
    CHECK(rs_client_vcpu_list(client, 50, vcpus) == 1 && vcpus[0].id == 0 &&
          vcpus[0].cpus == ~0ull);
    CHECK(rs_client_vcpu_pin(client, 50, 0, 2) == 0);
    CHECK(rs_client_vcpu_list(client, 50, vcpus) == 1 && vcpus[0].cpus == 2);
    CHECK(rs_client_vcpu_pin(client, 50, 1, 2) == -ENOENT);
    CHECK(rs_client_vcpu_pin(client, 50, 0, 0) == -EINVAL);
    CHECK(rs_client_vcpu_pin(client, 500, 0, 2) == -ESRCH);
    CHECK(rs_client_vcpu_list(client, 500, vcpus) == -ESRCH);
    CHECK(rs_client_domain_unpause(client, 50) == 0);
    CHECK(rs_client_domain_info(client, 50, &one) == 0 &&
          one.state == RS_DOMAIN_RUNNING);
    CHECK(rs_client_domain_destroy(client, 50) == 0);
    CHECK(rs_client_domain_destroy(client, 50) == -ESRCH);
    CHECK(rs_client_domain_list(client, info, 100) == 89);
}

static void test_list(void **state)
{
    struct fixture *f = *state;
    char name[16];

    for (domid_t id = 2; id < 92; id++) {
        snprintf(name, sizeof(name), "guest%u", id);
        make_guest(f, id, name);
    }
    assert_int_equal(run_client(f, look, NULL), 0);
}

/* The guest's are made by the engine's test; a process's by this very client.
 */
static void read_stats(struct fixture *f, void *arg)
{
    struct rs_client_stats s;
    evtchn_port_t port;

    (void)arg;
    CHECK(join_as(f, "store") == 0);
    CHECK(rs_client_domain_stats(client, 0, &s) == 0 && s.nr_calls == 0);
    CHECK(hypercall_evtchn_alloc_unbound(2, &port) == 0);
    CHECK(hypercall_evtchn_bind_interdomain(4711, 1, &port) == -ESRCH);
    CHECK(hypercall_xen_version(XENVER_version, NULL, 0) > 0);
    CHECK(rs_client_domain_stats(client, 0, &s) == 0 && s.nr_calls == 2);
    CHECK(strcmp(s.calls[0].name, "xen_version") == 0);
    CHECK(s.calls[0].calls == 1 && s.calls[0].failed == 0);
    CHECK(strcmp(s.calls[1].name, "event_channel_op") == 0);
    CHECK(s.calls[1].calls == 2 && s.calls[1].failed == 1);
    CHECK(s.calls[1].batched == 0 && s.calls[1].total_ns > 0);
    CHECK(s.guest.sends == 0 && s.guest.ticks == 0);
    CHECK(rs_client_domain_stats(client, 2, &s) == 0 && s.nr_calls == 1);
    CHECK(strcmp(s.calls[0].name, "other") == 0 && s.calls[0].calls == 3);
    CHECK(rs_client_domain_stats(client, 500, &s) == -ESRCH);
    CHECK(rs_client_domain_stats(client, DOMID_SELF, &s) == -ESRCH);
}

static void test_stats(void **state)
{
    const uint64_t args[6] = { 0 };
    struct fixture *f = *state;

    make_guest(f, 2, "guest");
    for (int i = 0; i < 3; i++)
        assert_int_equal(rs_test_hypercall(f->host, 2, 63, args), -ENOSYS);
    assert_int_equal(run_client(f, read_stats, NULL), 0);
}

static int file_of(const void *bytes, size_t n)
{
    int fd = memfd_create("image", MFD_CLOEXEC);

    CHECK(write(fd, bytes, n) == (ssize_t)n);
    return fd;
}

static void create_badly(struct fixture *f, void *arg)
{
    struct rs_client_create c = { .name = "x", .memory_kib = 8192, .vcpus = 1 };
    struct rs_client_created out;
    char why[256] = "";
    int dir = open("/", O_RDONLY), junk;

    (void)arg;
    junk = file_of("not an image", 12);
    CHECK(connect_tool(f) == 0);
    CHECK(rs_client_domain_create(client, &c, junk, -1, -1, &out, why,
                                  sizeof(why)) == -ENOEXEC);
    CHECK(why[0] && !strchr(why, '\n'));
    why[0] = '\0';
    CHECK(rs_client_domain_create(client, &c, dir, -1, -1, &out, why,
                                  sizeof(why)) == -EISDIR);
    CHECK(strstr(why, "kernel"));
    CHECK(rs_client_domain_create(client, &c, -1, -1, -1, &out, why,
                                  sizeof(why)) == -EBADF);
    junk = file_of("", 0);
    CHECK(rs_client_domain_create(client, &c, junk, junk, 1, &out, why,
                                  sizeof(why)) == -ENOEXEC);
}

static void test_bad_images_are_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run_client(f, create_badly, NULL), 0);
    assert_int_equal(f->host->nr_domains, 0);
}

static void await_end(struct fixture *f, void *arg)
{
    struct pollfd p;

    (void)arg;
    CHECK(join_as(f, "store") == 0);
    p = (struct pollfd){ .fd = rs_client_fd(client), .events = POLLIN };
    CHECK(poll(&p, 1, 10000) == 1 && p.revents & POLLHUP);
    CHECK(rs_client_domain_pause(client, 2) == -EPIPE);
}

static void test_the_end_is_seen(void **state)
{
    struct fixture *f = *state;
    pid_t pid = start_client(f, await_end, NULL);
    int status;

    while (!host_domain(f->host, 0))
        serve_for(f, 1);
    rs_host_free(f->host);
    f->host = NULL;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(access(f->path, F_OK), -1);
}

static void test_socket_is_private(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    assert_int_equal(stat(f->path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
}

#define TEST(fn) \
    cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_roles),
        TEST(test_two_connections),
        TEST(test_one_driver_at_a_time),
        TEST(test_tools_do_no_hypercalls),
        TEST(test_driver_does_no_control),
        TEST(test_hypercalls),
        TEST(test_events),
        TEST(test_death_is_told_to_the_store),
        TEST(test_list),
        TEST(test_stats),
        TEST(test_bad_images_are_refused),
        TEST(test_the_end_is_seen),
        TEST(test_socket_is_private),
    };

    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
