/*
 * The ABI of the small hypercalls as tables: sched_op, console_io, xen_version,
 * sysctl, domctl. What is asked, what is answered, and who says so: a public
 * header, or the function of Xen 4.17 whose answer it is.
 */
#define __XEN_TOOLS__ 1
#include "xen_compat.h"

#include <xen/domctl.h>
#include <xen/sysctl.h>

#include "core.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "hypercalls/hypercall.h"

#define NOBODY 4711

static struct {
    struct rs_host *h;
    uint16_t d;
    struct domain *dom0;
} fx;

static int setup(void **state)
{
    (void)state;
    fx.h = core_host("test");
    fx.d = core_boot(fx.h);
    fx.dom0 = core_join(fx.h, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    domain_destroy(fx.dom0);
    rs_host_free(fx.h);
    return 0;
}

static long call(unsigned int nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    return core_call(fx.h, fx.d, nr, a0, a1, a2);
}

static long sched(unsigned int cmd, void *op, size_t size)
{
    return core_op(fx.h, fx.d, __HYPERVISOR_sched_op, cmd, op, size);
}

static struct rs_domain_info info(void)
{
    struct rs_domain_info i;

    assert_int_equal(rs_domain_info(fx.h, fx.d, &i), 0);
    return i;
}

/* ---- plain calls: registers only ---- */

static const struct {
    const char *what;
    unsigned int nr;
    uint64_t args[3];
    long ret, privileged; /* the same call by domain 0 */
    const char *says;
} calls[] = {
    { "yield",
      __HYPERVISOR_sched_op,
      { SCHEDOP_yield },
      0,
      0,
      "sched.h: always returns 0" },
    { "block",
      __HYPERVISOR_sched_op,
      { SCHEDOP_block },
      0,
      0,
      "sched.h: SCHEDOP_block" },
    { "shutdown, reason at nowhere",
      __HYPERVISOR_sched_op,
      { SCHEDOP_shutdown, 0 },
      -EFAULT,
      -EPERM,
      "do_sched_op()" },
    { "poll, at nowhere",
      __HYPERVISOR_sched_op,
      { SCHEDOP_poll, 0 },
      -EFAULT,
      -EFAULT,
      "do_sched_op()" },
    { "watchdog, at nowhere",
      __HYPERVISOR_sched_op,
      { SCHEDOP_watchdog, 0 },
      -EFAULT,
      -EPERM,
      "do_sched_op()" },
    { "pin_override",
      __HYPERVISOR_sched_op,
      { SCHEDOP_pin_override, CORE_ARG },
      -EPERM,
      -EPERM,
      "do_sched_op(): the hardware domain's" },
    { "the next sched_op",
      __HYPERVISOR_sched_op,
      { 8, CORE_ARG },
      -ENOSYS,
      -ENOSYS,
      "do_sched_op()" },
    { "write nothing",
      __HYPERVISOR_console_io,
      { CONSOLEIO_write, 0, 0 },
      0,
      0,
      "do_console_io()" },
    { "write from nowhere",
      __HYPERVISOR_console_io,
      { CONSOLEIO_write, 1, 0 },
      -EFAULT,
      -EFAULT,
      "do_console_io()" },
    { "write 2 GiB",
      __HYPERVISOR_console_io,
      { CONSOLEIO_write, 1u << 31, CORE_RAM },
      -E2BIG,
      -E2BIG,
      "ours: at once, not after 2 GiB" },
    { "read",
      __HYPERVISOR_console_io,
      { CONSOLEIO_read, 10, CORE_RAM },
      -EPERM,
      0,
      "xsm_console_io(): privileged" },
    { "read 2 GiB",
      __HYPERVISOR_console_io,
      { CONSOLEIO_read, 1u << 31, CORE_RAM },
      -EPERM,
      -E2BIG,
      "do_console_io(): a count is an int" },
    { "the next console_io",
      __HYPERVISOR_console_io,
      { 2, 0, 0 },
      -EPERM,
      -ENOSYS,
      "xsm_console_io(), then do_console_io()" },
    { "build_id",
      __HYPERVISOR_xen_version,
      { XENVER_build_id, CORE_RAM },
      -EPERM,
      -ENODATA,
      "xsm_xen_version(): privileged" },
    { "the next version",
      __HYPERVISOR_xen_version,
      { 11, CORE_RAM },
      -ENOSYS,
      -ENOSYS,
      "do_xen_version()" },
    { "sysctl from nowhere",
      __HYPERVISOR_sysctl,
      { 0 },
      -EFAULT,
      -EFAULT,
      "do_sysctl()" },
    { "domctl from nowhere",
      __HYPERVISOR_domctl,
      { 0 },
      -EFAULT,
      -EFAULT,
      "do_domctl()" },
    { "mmu_update",
      __HYPERVISOR_mmu_update,
      { CORE_ARG, 1, 0 },
      -ENOSYS,
      -ENOSYS,
      "hvm_hypercall(): of PV guests" },
    { "iret",
      __HYPERVISOR_iret,
      { 0 },
      -ENOSYS,
      -ENOSYS,
      "hvm_hypercall(): of PV guests" },
    { "the last number of the page",
      127,
      { 0 },
      -ENOSYS,
      -ENOSYS,
      "hvm_hypercall()" },
};

static void test_calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        const uint64_t *a = calls[i].args;
        uint64_t args[6] = { a[0], a[1], a[2] };

        print_message("%s (%s)\n", calls[i].what, calls[i].says);
        assert_int_equal(call(calls[i].nr, a[0], a[1], a[2]), calls[i].ret);
        assert_int_equal(
            hypercall_dispatch(&fx.dom0->vcpu[0], calls[i].nr, args),
            calls[i].privileged);
    }
    assert_int_equal(info().state, RS_DOMAIN_RUNNING);
}

/* ---- the toolstack's doors ---- */

static const struct {
    const char *what;
    unsigned int nr;
    uint32_t cmd, version;
    domid_t domain;
    long ret, privileged;
    const char *says;
} doors[] = {
    { "sysctl", __HYPERVISOR_sysctl, XEN_SYSCTL_physinfo,
      XEN_SYSCTL_INTERFACE_VERSION, 0, -EPERM, -ENOSYS, "xsm_sysctl()" },
    { "sysctl of another version", __HYPERVISOR_sysctl, XEN_SYSCTL_physinfo,
      XEN_SYSCTL_INTERFACE_VERSION + 1, 0, -EACCES, -EACCES,
      "do_sysctl(): interface_version" },
    { "domctl", __HYPERVISOR_domctl, XEN_DOMCTL_pausedomain,
      XEN_DOMCTL_INTERFACE_VERSION, 0, -EPERM, -ENOSYS, "xsm_domctl()" },
    { "domctl of another version", __HYPERVISOR_domctl, XEN_DOMCTL_pausedomain,
      0, 0, -EACCES, -EACCES, "do_domctl(): interface_version" },
    { "domctl about nobody", __HYPERVISOR_domctl, XEN_DOMCTL_pausedomain,
      XEN_DOMCTL_INTERFACE_VERSION, NOBODY, -ESRCH, -ESRCH,
      "do_domctl(): before privilege" },
    { "domctl about DOMID_SELF", __HYPERVISOR_domctl, XEN_DOMCTL_pausedomain,
      XEN_DOMCTL_INTERFACE_VERSION, DOMID_SELF, -ESRCH, -ESRCH,
      "rcu_lock_domain_by_id(): real ids only" },
    { "createdomain", __HYPERVISOR_domctl, XEN_DOMCTL_createdomain,
      XEN_DOMCTL_INTERFACE_VERSION, NOBODY, -EPERM, -ENOSYS,
      "do_domctl(): of no domain yet" },
    { "getdomaininfo of nobody", __HYPERVISOR_domctl, XEN_DOMCTL_getdomaininfo,
      XEN_DOMCTL_INTERFACE_VERSION, NOBODY, -EPERM, -ENOSYS,
      "do_domctl(): it may search" },
};

static void test_doors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
        struct {
            uint32_t cmd, version;
            domid_t domain;
        } *op = core_at(fx.h, fx.d, CORE_ARG), copy;
        uint64_t args[6] = { 0 };
        struct vcpu *v = &fx.dom0->vcpu[0];

        print_message("%s (%s)\n", doors[i].what, doors[i].says);
        op->cmd = doors[i].cmd;
        op->version = doors[i].version;
        op->domain = doors[i].domain;
        assert_int_equal(call(doors[i].nr, CORE_ARG, 0, 0), doors[i].ret);
        copy = *op;
        v->space = (uint8_t *)&copy;
        v->space_size = sizeof(copy);
        assert_int_equal(hypercall_dispatch(v, doors[i].nr, args),
                         doors[i].privileged);
        v->space = NULL;
        v->space_size = 0;
    }
}

/* What an unprivileged guest is not to know it is told so (xen_deny()). */
static void test_denied(void **state)
{
    (void)state;
    assert_int_equal(
        call(__HYPERVISOR_xen_version, XENVER_commandline, CORE_RAM, 0), 0);
    assert_string_equal((char *)core_at(fx.h, fx.d, CORE_RAM), "<denied>");
}

/* ---- poll ---- */

static const struct {
    const char *what;
    unsigned int n;
    uint64_t ports; /* where the list is */
    uint32_t second;
    long ret;
    const char *says;
} polls[] = {
    { "no port", 0, 0, 0, 0, "do_poll()" },
    { "two ports", 2, CORE_RAM, 5, 0, "sched.h: SCHEDOP_poll" },
    { "as many as there may be", 128, CORE_RAM, 5, 0, "do_poll()" },
    { "one more", 129, CORE_RAM, 5, -EINVAL, "do_poll(): fairly arbitrary" },
    { "2^32-1 ports", ~0u, CORE_RAM, 5, -EINVAL, "do_poll()" },
    { "ports at nowhere", 1, 0, 0, -EFAULT, "do_poll()" },
    { "a port out of range", 2, CORE_RAM, EVTCHN_MAX_PORTS, -EINVAL,
      "do_poll(): max_evtchns" },
    { "port -1", 2, CORE_RAM, ~0u, -EINVAL, "do_poll(): max_evtchns" },
};

static void test_poll(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(polls) / sizeof(polls[0]); i++) {
        struct sched_poll op = { .nr_ports = polls[i].n, .timeout = 1 };
        uint32_t *list = core_at(fx.h, fx.d, CORE_RAM);

        print_message("poll %s (%s)\n", polls[i].what, polls[i].says);
        list[1] = polls[i].second;
        op.ports.p = (void *)polls[i].ports;
        assert_int_equal(sched(SCHEDOP_poll, &op, sizeof(op)), polls[i].ret);
    }
}

/* ---- watchdogs ---- */

/* In this order on one domain, which has two; none of them fires. */
static const struct {
    const char *what;
    uint32_t id, seconds;
    long ret;
    const char *says;
} dogs[] = {
    { "set one that is not there", 1, 1000, -EINVAL, "domain_watchdog()" },
    { "the first", 0, 1000, 1, "sched.h: returns the id" },
    { "the second", 0, ~0u, 2, "sched.h: returns the id" },
    { "a third", 0, 1000, -ENOSPC, "domain_watchdog()" },
    { "set again", 2, 2000, 0, "sched.h: resets the timeout" },
    { "an id too high", 3, 1000, -EINVAL, "domain_watchdog()" },
    { "id -1", ~0u, 1000, -EINVAL, "domain_watchdog()" },
    { "end the first", 1, 0, 0, "sched.h: timeout 0 ends it" },
    { "end it twice", 1, 0, -EINVAL, "domain_watchdog()" },
    { "its id is free", 0, 1000, 1, "domain_watchdog()" },
};

static void test_watchdog(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(dogs) / sizeof(dogs[0]); i++) {
        struct sched_watchdog op = { .id = dogs[i].id,
                                     .timeout = dogs[i].seconds };

        print_message("watchdog: %s (%s)\n", dogs[i].what, dogs[i].says);
        assert_int_equal(sched(SCHEDOP_watchdog, &op, sizeof(op)), dogs[i].ret);
    }
    assert_int_equal(info().state, RS_DOMAIN_RUNNING);
    assert_int_equal(rs_domain_destroy(fx.h, fx.d), 0);
    assert_true(list_empty(&fx.h->timers));
}

/* One that is armed for now ends the domain now (sched.h: SHUTDOWN_watchdog).
 */
static void test_watchdog_fires(void **state)
{
    struct sched_watchdog op = { .id = 0, .timeout = 0 };
    uint64_t end = host_now() + 10000000000u;

    (void)state;
    assert_int_equal(sched(SCHEDOP_watchdog, &op, sizeof(op)), 1);
    while (info().state == RS_DOMAIN_RUNNING && host_now() < end)
        rs_host_dispatch(fx.h, 10);
    assert_int_equal(info().state, RS_DOMAIN_SHUTDOWN);
    assert_int_equal(info().shutdown_reason, SHUTDOWN_watchdog);
    assert_true(list_empty(&fx.h->timers));
}

/* ---- remote_shutdown ---- */

static const struct {
    const char *what;
    bool privileged;
    domid_t domain; /* 0: the guest */
    unsigned int reason;
    long ret;
    const char *says;
} remotes[] = {
    { "of oneself", false, 0, SHUTDOWN_crash, -EPERM,
      "xsm_schedop_shutdown()" },
    { "of DOMID_SELF", false, DOMID_SELF, SHUTDOWN_crash, -ESRCH,
      "rcu_lock_domain_by_id(): real ids only" },
    { "of nobody", false, NOBODY, SHUTDOWN_crash, -ESRCH, "do_sched_op()" },
    { "of nobody, privileged", true, NOBODY, SHUTDOWN_crash, -ESRCH,
      "do_sched_op()" },
    { "of a guest", true, 0, SHUTDOWN_suspend, 0,
      "sched.h: SCHEDOP_remote_shutdown" },
};

static void test_remote_shutdown(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(remotes) / sizeof(remotes[0]); i++) {
        struct sched_remote_shutdown op = {
            .domain_id = remotes[i].domain ? remotes[i].domain : fx.d,
            .reason = remotes[i].reason,
        };
        long ret =
            remotes[i].privileged
                ? core_process_op(fx.dom0, __HYPERVISOR_sched_op,
                                  SCHEDOP_remote_shutdown, &op, sizeof(op))
                : sched(SCHEDOP_remote_shutdown, &op, sizeof(op));

        print_message("remote_shutdown %s (%s)\n", remotes[i].what,
                      remotes[i].says);
        assert_int_equal(ret, remotes[i].ret);
        assert_int_equal(info().state,
                         ret ? RS_DOMAIN_RUNNING : RS_DOMAIN_SHUTDOWN);
    }
    assert_int_equal(info().shutdown_reason, SHUTDOWN_suspend);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_calls),           CASE(test_doors),
        CASE(test_denied),          CASE(test_poll),
        CASE(test_watchdog),        CASE(test_watchdog_fires),
        CASE(test_remote_shutdown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
