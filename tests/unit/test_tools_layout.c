/*
 * The store's nodes of a domain: what is written, for whom, and that nothing
 * stays behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_xs.h"
#include "ringside/client.h"
#include "tools/layout.h"
#include "tools/log_tail.h"
#include "tools/say.h"

#define HOME    "/local/domain/7/"
#define BACKEND "/local/domain/1/backend/"

static const struct rs_client_created created = {
    .domid = 7,
    .store_gfn = 300,
    .store_port = 1,
    .console_gfn = 299,
    .console_port = 2,
};

static const struct log_mark log_start = { .inode = 12345, .offset = 678 };

static void make_config(struct guest_config *c)
{
    config_init(c);
    assert_int_equal(config_set(&c->name, "web"), 0);
    c->memory_mib = 32;
    assert_int_equal(config_add_disk(c, "t", "/srv/site.tar,raw,xvda,r"), 0);
    assert_int_equal(config_add_disk(c, "t", "/dev/sdx,raw,xvdb,w"), 0);
    assert_int_equal(config_add_disk(c, "t", "/dev/sdy,raw,xvdc,w!"), 0);
    c->disks[1].block_device = true;
    assert_int_equal(config_add_vif(c, "t",
                                    "mac=00:16:3e:01:02:03,"
                                    "forward=tcp:8080:80+udp:0.0.0.0:53:5353"),
                     0);
    assert_int_equal(config_add_vif(c, "t",
                                    "bridge=br0,vifname=v0,mtu=9000,"
                                    "ip=10.7.0.2,antispoof=0"),
                     0);
}

static void is(struct xs_pipeline *xs, const char *path, const char *value)
{
    const char *found = fake_xs_value(xs, path);

    if (found == NULL || strcmp(found, value) != 0)
        fail_msg("%s is '%s', not '%s'", path, found ? found : "(absent)",
                 value);
}

static void allows(struct xs_pipeline *xs, const char *path, const char *perms)
{
    const char *found = fake_xs_perms(xs, path);

    if (found == NULL || strcmp(found, perms) != 0)
        fail_msg("%s allows '%s', not '%s'", path, found ? found : "(absent)",
                 perms);
}

static void domain_nodes(struct xs_pipeline *xs)
{
    char vm[80];

    is(xs, HOME "name", "web");
    is(xs, HOME "domid", "7");
    is(xs, HOME "memory/target", "32768");
    is(xs, HOME "memory/static-max", "32768");
    is(xs, HOME "cpu/0/availability", "online");
    allows(xs, HOME "name", "n0 r7");
    allows(xs, HOME "control/shutdown", "n7");
    allows(xs, HOME "data", "n7");
    snprintf(vm, sizeof(vm), "%s/name", fake_xs_value(xs, HOME "vm"));
    is(xs, vm, "web");
    allows(xs, vm, "n0 r7");
    is(xs, HOME "console/ring-ref", "299");
    is(xs, HOME "console/port", "2");
    is(xs, HOME "console/backend", BACKEND "console/7/0");
    allows(xs, HOME "console/tty", "n0 r7");
    is(xs, HOME "console/log-start", "12345:678");
    allows(xs, HOME "console/log-start", "n0");
    allows(xs, HOME "keeper", "n0"); /* the number of a process of ours */
    is(xs, BACKEND "console/7/0/frontend", HOME "console");
}

static void disk_nodes(struct xs_pipeline *xs)
{
    is(xs, HOME "device/vbd/51712/backend", BACKEND "vbd/7/51712");
    is(xs, HOME "device/vbd/51712/backend-id", "1");
    is(xs, HOME "device/vbd/51712/state", "1");
    is(xs, HOME "device/vbd/51712/virtual-device", "51712");
    allows(xs, HOME "device/vbd/51712/state", "n7 r1");
    is(xs, BACKEND "vbd/7/51712/frontend", HOME "device/vbd/51712");
    is(xs, BACKEND "vbd/7/51712/frontend-id", "7");
    is(xs, BACKEND "vbd/7/51712/params", "/srv/site.tar");
    is(xs, BACKEND "vbd/7/51712/type", "file");
    is(xs, BACKEND "vbd/7/51712/mode", "r");
    is(xs, BACKEND "vbd/7/51728/type", "phy");
    is(xs, BACKEND "vbd/7/51728/mode", "w");
    is(xs, BACKEND "vbd/7/51744/mode", "w!");
    allows(xs, BACKEND "vbd/7/51712/state", "n1 r7");
}

static void vif_nodes(struct xs_pipeline *xs)
{
    is(xs, HOME "device/vif/0/mac", "00:16:3e:01:02:03");
    is(xs, BACKEND "vif/7/0/type", "nat");
    is(xs, BACKEND "vif/7/0/forward",
       "tcp:127.0.0.1:8080:80 udp:0.0.0.0:53:5353");
    is(xs, BACKEND "vif/7/1/type", "bridge");
    is(xs, BACKEND "vif/7/1/bridge", "br0");
    is(xs, BACKEND "vif/7/1/vifname", "v0");
    is(xs, BACKEND "vif/7/1/mtu", "9000");
    is(xs, BACKEND "vif/7/1/ip", "10.7.0.2");
    is(xs, BACKEND "vif/7/1/antispoof", "0");
    assert_null(fake_xs_value(xs, BACKEND "vif/7/0/antispoof"));
    is(xs, HOME "device/vif/1/mtu", "9000");
    allows(xs, HOME "device/vif/1/handle", "n7 r1");
}

static void all_nodes(void **state)
{
    struct xs_pipeline *xs = fake_xs_new();
    struct guest_config c;

    (void)state;
    make_config(&c);
    assert_int_equal(layout_create(xs, &c, &created, &log_start), 0);
    assert_int_equal(fake_xs_introduced, 7);
    domain_nodes(xs);
    disk_nodes(xs);
    vif_nodes(xs);
    config_free(&c);
    fake_xs_free(xs);
}

/* Only the directories that all domains share may stay. */
static void is_clean(struct xs_pipeline *xs)
{
    assert_null(fake_xs_value(xs, "/local/domain/7"));
    assert_null(fake_xs_value(xs, BACKEND "vbd/7"));
    assert_null(fake_xs_value(xs, BACKEND "vif/7"));
    assert_null(fake_xs_value(xs, BACKEND "console/7"));
    assert_int_equal(fake_xs_introduced, 0);
    /* /local /local/domain /local/domain/1 …/backend …/{console,vbd,vif} /vm */
    assert_in_range(fake_xs_count(xs), 0, 8);
}

static void removal(void **state)
{
    struct xs_pipeline *xs = fake_xs_new();
    struct guest_config c;

    (void)state;
    make_config(&c);
    assert_int_equal(layout_create(xs, &c, &created, &log_start), 0);
    layout_remove(xs, 7);
    is_clean(xs);
    layout_remove(xs, 7);
    config_free(&c);
    fake_xs_free(xs);
}

static void conflicts_are_retried(void **state)
{
    struct xs_pipeline *xs = fake_xs_new();
    struct guest_config c;

    (void)state;
    make_config(&c);
    fake_xs_conflicts = 3;
    assert_int_equal(layout_create(xs, &c, &created, &log_start), 0);
    domain_nodes(xs);
    layout_remove(xs, 7);
    fake_xs_conflicts = 1000000;
    assert_int_not_equal(layout_create(xs, &c, &created, &log_start), 0);
    is_clean(xs);
    config_free(&c);
    fake_xs_free(xs);
}

static void failures_undo(void **state)
{
    struct guest_config c;

    (void)state;
    make_config(&c);
    for (int i = 1; i < 60; i += 7) {
        struct xs_pipeline *xs = fake_xs_new();

        fake_xs_failing_write = i;
        assert_int_not_equal(layout_create(xs, &c, &created, &log_start), 0);
        assert_int_equal(fake_xs_count(xs), 0);
        assert_int_equal(fake_xs_introduced, 0);
        fake_xs_free(xs);
    }
    config_free(&c);
}

static void refused_introduction(void **state)
{
    struct xs_pipeline *xs = fake_xs_new();
    struct guest_config c;

    (void)state;
    make_config(&c);
    fake_xs_refuse_introduction = true;
    assert_int_not_equal(layout_create(xs, &c, &created, &log_start), 0);
    assert_non_null(strstr(complaint(), "cannot reach"));
    is_clean(xs);
    config_free(&c);
    fake_xs_free(xs);
}

static void closing(void **state)
{
    struct xs_pipeline *xs = fake_xs_new();
    struct guest_config c;

    (void)state;
    make_config(&c);
    assert_int_equal(layout_create(xs, &c, &created, &log_start), 0);
    fake_xs_write(xs, BACKEND "vif/7/0/state", "6"); /* by a tool before us */
    fake_xs_write(xs, BACKEND "vif/7/0/online", "0");
    fake_xs_write(xs, BACKEND "vif/7/1/state", "6"); /* by itself */
    assert_false(layout_backends_closed(xs, 7));
    layout_close_backends(xs, 7);
    is(xs, BACKEND "vif/7/1/state", "5");
    is(xs, BACKEND "vif/7/1/online", "0");
    is(xs, BACKEND "vbd/7/51712/state", "5");
    is(xs, BACKEND "vbd/7/51712/online", "0");
    is(xs, BACKEND "vif/7/0/state", "6");
    assert_false(layout_backends_closed(xs, 7));
    fake_xs_write(xs, BACKEND "vbd/7/51712/state", "6");
    fake_xs_write(xs, BACKEND "vbd/7/51728/state", "6");
    fake_xs_write(xs, BACKEND "vbd/7/51744/state", "6");
    fake_xs_write(xs, BACKEND "vif/7/1/state", "6");
    fake_xs_write(xs, BACKEND "console/7/0/state", "6");
    assert_true(layout_backends_closed(xs, 7));
    config_free(&c);
    fake_xs_free(xs);
}

/* Two tools take a guest away: what one has removed the other makes not anew.
 */
static void closing_what_is_gone(void **state)
{
    struct xs_pipeline *xs = fake_xs_new();

    (void)state;
    fake_xs_write(xs, BACKEND "vbd/7/51712", "");
    layout_close_backends(xs, 7);
    assert_null(fake_xs_value(xs, BACKEND "vbd/7/51712/state"));
    assert_null(fake_xs_value(xs, BACKEND "vbd/7/51712/online"));
    assert_true(layout_backends_closed(xs, 7));
    fake_xs_free(xs);
}

static void where_the_log_begins(void **state)
{
    struct xs_pipeline *xs = fake_xs_new();
    struct log_mark mark;
    struct guest_config c;

    (void)state;
    assert_false(layout_log_start(xs, 7, &mark));
    make_config(&c);
    assert_int_equal(layout_create(xs, &c, &created, &log_start), 0);
    assert_true(layout_log_start(xs, 7, &mark));
    assert_int_equal(mark.inode, 12345);
    assert_int_equal(mark.offset, 678);
    fake_xs_write(xs, HOME "console/log-start", "12345");
    assert_false(layout_log_start(xs, 7, &mark));
    config_free(&c);
    fake_xs_free(xs);
}

/* A backend has no privilege: what it wrote is not trusted. */
static void strange_values(void **state)
{
    struct xs_pipeline *xs = fake_xs_new();
    char text[16];

    (void)state;
    fake_xs_write(xs, "/x/state", "99");
    assert_int_equal(layout_state(xs, "/x"), 0);
    fake_xs_write(xs, "/x/state", "-1");
    assert_int_equal(layout_state(xs, "/x"), 0);
    fake_xs_write(xs, "/x/state", "4 ");
    assert_int_equal(layout_state(xs, "/x"), 0);
    fake_xs_write(xs, "/x/t", "a\033[2Jb, and very long");
    assert_true(layout_read(xs, "/x", "t", text, sizeof(text)));
    assert_string_equal(text, "a\033[2Jb, and ver");
    assert_false(layout_read(xs, "/x", "u", text, sizeof(text)));
    fake_xs_free(xs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_nodes),
        cmocka_unit_test(removal),
        cmocka_unit_test(conflicts_are_retried),
        cmocka_unit_test(failures_undo),
        cmocka_unit_test(refused_introduction),
        cmocka_unit_test(closing),
        cmocka_unit_test(closing_what_is_gone),
        cmocka_unit_test(strange_values),
        cmocka_unit_test(where_the_log_begins),
    };

    complain_silently(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
