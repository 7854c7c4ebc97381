/*
 * The hypervisor's descriptors: of each domain a share, some for those that
 * come later, some for the control socket (host.h).
 */
#include "core.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hypercalls/hypercall.h"

#define LIMIT 400u
#define HOGS  4

#define SMALL_KIB 1152 /* as small as a guest can be */

static struct rs_host *host;
static struct rlimit before;

static int setup(void **state)
{
    struct rlimit low;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = LIMIT;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    host = core_host("test");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rs_host_free(host);
    return setrlimit(RLIMIT_NOFILE, &before);
}

static long evtchn(uint16_t d, uint64_t cmd, void *op, size_t size)
{
    return core_op(host, d, __HYPERVISOR_event_channel_op, cmd, op, size);
}

static long unbound(uint16_t d, uint16_t remote, uint32_t *port)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF,
                                       .remote_dom = remote };
    long err = evtchn(d, EVTCHNOP_alloc_unbound, &op, sizeof(op));

    *port = op.port;
    return err;
}

static long ipi(uint16_t d)
{
    struct evtchn_bind_ipi op = { .vcpu = 0 };

    return evtchn(d, EVTCHNOP_bind_ipi, &op, sizeof(op));
}

static void close_port(uint16_t d, uint32_t port)
{
    struct evtchn_close op = { port };

    assert_int_equal(evtchn(d, EVTCHNOP_close, &op, sizeof(op)), 0);
}

/* All ports that it can get, of both kinds; how many. */
static unsigned int take_all(uint16_t d)
{
    unsigned int n = 0;
    uint32_t port;

    while (unbound(d, DOMID_SELF, &port) == 0)
        n++;
    assert_int_equal(unbound(d, DOMID_SELF, &port), -ENOSPC);
    while (ipi(d) == 0)
        n++;
    assert_int_equal(ipi(d), -ENOSPC);
    return n;
}

/* However many take all that they can get, one that needs little has it, a new
 * guest can be made, and descriptors are left. */
static void test_hogs(void **state)
{
    uint16_t hog[HOGS], honest = core_boot(host), late;
    uint32_t port;

    (void)state;
    for (int i = 0; i < HOGS; i++)
        hog[i] = core_boot(host);
    for (int i = 0; i < HOGS; i++) {
        assert_true(take_all(hog[i]) > 0);
        assert_int_equal(unbound(honest, hog[i], &port), 0);
        close_port(honest, port);
    }
    for (int i = 0; i < 8; i++)
        assert_int_equal(unbound(honest, hog[0], &port), 0);
    late = core_boot(host);
    assert_int_equal(unbound(late, honest, &port), 0);
    assert_true(core_count_fds() < LIMIT - 40);
    for (int i = 0; i < HOGS; i++)
        assert_int_equal(rs_domain_destroy(host, hog[i]), 0);
    assert_true(take_all(late) > 5);
}

/* A hog gets as many as are left; and again those that it gives back. */
static void test_share(void **state)
{
    uint16_t hog = core_boot(host), other = core_boot(host);
    unsigned int n = take_all(hog), m;
    uint32_t port;

    (void)state;
    close_port(hog, 1);
    assert_int_equal(ipi(hog), 0);
    assert_int_equal(ipi(hog), 0);
    assert_int_equal(ipi(hog), -ENOSPC);
    m = take_all(other);
    assert_true(n >= m && m > 0);
    assert_int_equal(unbound(hog, other, &port), -ENOSPC);
}

/* What is charged is what there is, whichever end closes first. */
static void test_accounts(void **state)
{
    uint16_t a = core_boot(host), b = core_boot(host);
    uint32_t used = host->files_used, port;
    unsigned int fds = core_count_fds();

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct evtchn_bind_interdomain bind = { .remote_dom = a };

        assert_int_equal(unbound(a, b, &port), 0);
        assert_int_equal(host->files_used - used, core_count_fds() - fds);
        bind.remote_port = port;
        assert_int_equal(
            evtchn(b, EVTCHNOP_bind_interdomain, &bind, sizeof(bind)), 0);
        assert_int_equal(core_domain(host, a)->evtchn.files, 1);
        assert_int_equal(core_domain(host, b)->evtchn.files, 1);
        close_port(i ? a : b, i ? port : bind.local_port);
        assert_int_equal(host->files_used - used, 2);
        assert_int_equal(core_domain(host, i ? b : a)->evtchn.files, 2);
        assert_int_equal(core_domain(host, i ? a : b)->evtchn.files, 0);
        close_port(i ? b : a, i ? bind.local_port : port);
        assert_int_equal(host->files_used, used);
        assert_int_equal(core_count_fds(), fds);
    }
    assert_int_equal(unbound(a, b, &port), 0);
    assert_int_equal(rs_domain_destroy(host, a), 0);
    assert_int_equal(rs_domain_destroy(host, b), 0);
    assert_int_equal(host->files_used, 0);
}

/* A guest with eight vCPUs: its domain, or why there is none. */
static int create(uint64_t memory_kib)
{
    uint8_t image[CORE_IMAGE_SIZE];
    struct rs_domain_config c = { .memory_kib = memory_kib,
                                  .vcpus = 8,
                                  .kernel = image,
                                  .kernel_size = sizeof(image) };

    core_image(image);
    return rs_domain_create(host, &c);
}

/* Where there is no room for another guest, creation says so. */
static void test_no_room(void **state)
{
    unsigned int made = 0;
    int ret;

    (void)state;
    while ((ret = create(SMALL_KIB)) > 0)
        made++;
    assert_int_equal(ret, -EMFILE);
    assert_non_null(strstr(rs_error(), "limit of open files"));
    assert_true(made > 10);
    assert_true(core_count_fds() < LIMIT - 20);
}

/* However many there are: ports do not touch the reserve, and new guests no
 * more than a quarter of it. */
static void test_reserve(void **state)
{
    unsigned int own = core_count_fds();
    int ret;

    (void)state;
    while ((ret = create(CORE_KIB)) > 0) {
        take_all((uint16_t)ret);
        assert_in_range(core_count_fds() - own, 1,
                        LIMIT - host->files_reserve * 3 / 4);
    }
    assert_int_equal(ret, -EMFILE);
    assert_true(host->files_used >
                LIMIT - host->files_reserve * 3 / 4 - 4 - 8 - 1);
}

/* Descriptors that are no domain's count as well when a guest is made. */
static void test_of_others(void **state)
{
    int first, fd, half;

    (void)state;
    assert_int_equal(rs_domain_destroy(host, core_boot(host)), 0);
    half = (int)(LIMIT - host->files_reserve / 2);
    first = fd = dup(STDIN_FILENO);
    while (fd < half)
        fd = dup(STDIN_FILENO);
    assert_int_equal(create(SMALL_KIB), -EMFILE);
    assert_non_null(strstr(rs_error(), "limit of open files"));
    for (; fd >= first; fd--)
        close(fd);
    assert_true(create(SMALL_KIB) > 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_hogs),    CASE(test_share),   CASE(test_accounts),
        CASE(test_no_room), CASE(test_reserve), CASE(test_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
