/*
 * Guests' configurations: every key that is understood, and for every mistake
 * one complaint that names its place.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/cpus.h"
#include "tools/guest_config.h"
#include "tools/say.h"

static int read_cfg(struct guest_config *c, const char *text)
{
    char path[] = "/tmp/ringside-test-XXXXXX";
    int fd = mkstemp(path), err;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    config_init(c);
    err = config_read_file(c, path);
    unlink(path);
    return err;
}

/* "ring" is the older word. */
static void ways_of_hypercalls(void **state)
{
    static const struct {
        const char *text;
        bool polled;
    } cases[] = {
        { "hypercall = 'polled'\n", true },
        { "hypercall = 'ring'\n", true },
        { "hypercall = 'trap'\n", false },
        { "memory = 32\n", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guest_config c;

        assert_int_equal(read_cfg(&c, cases[i].text), 0);
        assert_int_equal(c.polled, cases[i].polled);
        config_free(&c);
    }
}

static void a_whole_file(void **state)
{
    struct guest_config c;

    (void)state;
    assert_int_equal(read_cfg(&c, "# a web server\n"
                                  "name = 'web'  # its name\n"
                                  "type = \"pvh\"\n"
                                  "kernel = \"/srv/web.elf\"; memory = 32\n"
                                  "vcpus = 2; maxvcpus = 4\n"
                                  "extra = \"root=xvda # not a comment\"\n"
                                  "disk = [ 'site.tar,raw,xvda,r',\n"
                                  "         '/dev/x, ,xvdb,w' ]\n"
                                  "vif = [ 'type=nat,forward=tcp:8080:80' ]\n"
                                  "on_poweroff = 'preserve'\n"
                                  "on_crash = 'restart'\n"),
                     0);
    assert_string_equal(c.name, "web");
    assert_int_equal(c.vcpus, 2);
    assert_int_equal(config_max_vcpus(&c), 4);
    assert_string_equal(c.kernel, "/srv/web.elf");
    assert_string_equal(c.cmdline, "root=xvda # not a comment");
    assert_int_equal(c.memory_mib, 32);
    assert_int_equal(c.nr_disks, 2);
    assert_int_equal(c.disks[0].path[0], '/');
    assert_non_null(strstr(c.disks[0].path, "/site.tar"));
    assert_true(c.disks[0].read_only);
    assert_int_equal(c.disks[0].devid, 51712);
    assert_string_equal(c.disks[1].path, "/dev/x");
    assert_false(c.disks[1].read_only);
    assert_int_equal(c.disks[1].devid, 51728);
    assert_int_equal(c.nr_vifs, 1);
    assert_int_equal(c.on_poweroff, END_PRESERVE);
    assert_int_equal(c.on_reboot, END_RESTART);
    assert_int_equal(c.on_crash, END_RESTART);
    config_free(&c);
}

/* However the last line ends. */
static void last_lines(void **state)
{
    static const char *const ends[] = {
        "", "\n", "\n\n", "\n#end", "\n#end\n", " # end", "\n#", "\n  ",
    };
    struct guest_config c;
    char text[60];

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        snprintf(text, sizeof(text), "kernel = '/x'\nextra = 'last'%s",
                 ends[i]);
        assert_int_equal(read_cfg(&c, text), 0);
        assert_string_equal(c.cmdline, "last");
        config_free(&c);
    }
}

static void wrong_files(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "name = 'a'\nmemmory = 4\n", ":2: unknown option 'memmory'" },
        { "disk = [\n'a,raw,xvda'\n]\nbios='x'\n",
          ":4: unknown option 'bios'" },
        { "name = 'a\n", ":1: config parsing error" },
        { "memory = 'lots'\n", ": memory: 'lots' is not a number of MiB" },
        { "memory = '-1'\n", ": memory: '-1' is not a number of MiB" },
        { "memory = '16M'\n", ": memory: '16M' is not a number of MiB" },
        { "memory = 65537\n", ": memory: 65537 MiB is more than a guest" },
        { "memory = '99999999999999999999'\n", "MiB is more than a guest can" },
        { "vcpus = 0\n", ": vcpus: '0' is not a number from 1 to 8" },
        { "vcpus = 9\n", ": vcpus: '9' is not a number from 1 to 8" },
        { "maxvcpus = 'x'\n", ": maxvcpus: 'x' is not a number from 1 to 8" },
        { "mode = 'x'\n", ": mode: 'x' is not pv, trap or trap-stub" },
        { "hypercall = 'x'\n", ": hypercall: 'x' is not trap or polled" },
        { "extra = 'say \"hi'\n",
          ": extra: a quote (\") is not closed in: say" },
        { "cmdline = \"it's\"\n",
          ": cmdline: a quote (') is not closed in: it" },
        { "type = 'hvm'\n", "runs paravirtual guests" },
        { "name = 'a b'\n", "'a b' cannot be a domain's name" },
        { "name = '12'\n", "a number would be taken" },
        { "name = '../x'\n", "cannot be a domain's name" },
        { "disk = 'a,raw,xvda'\n", "`disk' is a single value" },
        { "name = [ 'a' ]\n", "`name' is a list" },
        { "disk = [ 'a,raw,xvda,maybe' ]\n", "unknown value for access" },
        { "disk = [ 'a,raw' ]\n", "no vdev" },
        { "disk = [ 'a,raw,hda' ]\n", "must be xvda to xvdp" },
        { "disk = [ 'a,qcow2,xvda' ]\n", "only format raw" },
        { "disk = [ 'a,raw,xvda', 'b,raw,xvda' ]\n",
          "two disks are called xvda" },
        { "vif = [ [ 'a' ] ]\n", ": vif: an entry is not a string" },
        { "vif = [ 'mtu=9', 'mac=x' ]\n", ": vif: mtu=9: should be" },
        { "vif = [ 'mac=00:16:3e:00:00:01', 'mac=00:16:3e:00:00:01' ]\n",
          ": vif: mac=00:16:3e:00:00:01: another vif of this guest has it" },
        { "on_crash = 'weep'\n", ": on_crash: 'weep' is not destroy, restart" },
    };
    struct guest_config c;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_not_equal(read_cfg(&c, cases[i].text), 0);
        if (strstr(complaint(), cases[i].says) == NULL)
            fail_msg("'%s' gave '%s'", cases[i].text, complaint());
        config_free(&c);
    }
}

static void not_a_file(void **state)
{
    struct guest_config c;

    (void)state;
    config_init(&c);
    assert_int_not_equal(config_read_file(&c, "/nonexistent.cfg"), 0);
    assert_non_null(strstr(complaint(), "cannot read"));
    assert_int_not_equal(config_read_file(&c, "/tmp"), 0);
    assert_int_not_equal(config_read_file(&c, "/proc/self/exe"), 0);
    assert_non_null(strstr(complaint(), "is not a configuration file"));
    config_free(&c);
}

static void add_vif(struct guest_config *c, const char *spec)
{
    config_init(c);
    if (config_add_vif(c, "--vif", spec) != 0)
        fail_msg("'%s' gave '%s'", spec, complaint());
}

static void vif_specs(void **state)
{
    struct guest_config c;

    (void)state;
    add_vif(&c, "");
    assert_int_equal(c.vifs[0].type, VIF_NAT);
    assert_int_equal(strncmp(c.vifs[0].mac, "00:16:3e:", 9), 0);
    add_vif(&c, "mac=00:16:3E:aa:bb:cc, type=nat,"
                "forward=tcp:8080:80+udp:0.0.0.0:53:5353,forward=tcp:0:22");
    assert_string_equal(c.vifs[0].mac, "00:16:3e:aa:bb:cc");
    assert_int_equal(c.vifs[0].nr_forwards, 3);
    assert_int_equal(c.vifs[0].forwards[0].host_port, 8080);
    assert_int_equal(c.vifs[0].forwards[0].guest_port, 80);
    assert_string_equal(c.vifs[0].forwards[0].host_addr, "127.0.0.1");
    assert_true(c.vifs[0].forwards[1].udp);
    assert_string_equal(c.vifs[0].forwards[1].host_addr, "0.0.0.0");
    assert_int_equal(c.vifs[0].forwards[2].host_port, 0);
    add_vif(&c, "tap=tap0,mtu=9000,ip=10.1.2.3");
    assert_int_equal(c.vifs[0].type, VIF_TAP);
    assert_string_equal(c.vifs[0].dev, "tap0");
    assert_int_equal(c.vifs[0].mtu, 9000);
    add_vif(&c, "bridge=xenbr0,vifname=web0");
    assert_int_equal(c.vifs[0].type, VIF_BRIDGE);
    assert_string_equal(c.vifs[0].vifname, "web0");
}

static void wrong_vifs(void **state)
{
    static const struct {
        const char *spec, *says;
    } cases[] = {
        { "nat", "not of the form KEY=VALUE" },
        { "model=e1000", "unknown key 'model'" },
        { "antispoof=yes", "should be 0 or 1" },
        { "type=vif", "should be nat, tap or bridge" },
        { "type=tap", "needs tap=DEVICE" },
        { "type=bridge", "needs bridge=DEVICE" },
        { "tap=tap0,type=nat", "tap= goes with type=tap, not with type=nat" },
        { "type=nat,tap=tap0", "tap= goes with type=tap, not with type=nat" },
        { "type=nat,bridge=br0", "goes with type=bridge, not with type=nat" },
        { "type=tap,bridge=br0", "needs tap=DEVICE" },
        { "tap=tap0,bridge=br0", "goes with type=bridge, not with type=tap" },
        { "bridge=br0,tap=tap0", "goes with type=bridge, not with type=tap" },
        { "tap=tap0,forward=tcp:1:1", "goes with type=nat, not with" },
        { "bridge=br0,host-loopback=1", "goes with type=nat, not with" },
        { "tap=tap0,vifname=v0", "goes with type=bridge, not with" },
        { "vifname=v0", "goes with type=bridge, not with type=nat" },
        { "ip=10.0.0.1,ip=10.0.0.2", "ip= is given twice" },
        { "type=nat,type=nat", "type= is given twice" },
        { "mac=01:16:3e:00:00:00", "unicast" },
        { "mac=00:00:00:00:00:00", "unicast" },
        { "mac=00:16:3e:00:00:00:00", "unicast" },
        { "forward=tcp:8080", "HOSTPORT:GUESTPORT" },
        { "forward=sctp:1:1", "HOSTPORT:GUESTPORT" },
        { "forward=tcp:1:0", "HOSTPORT:GUESTPORT" },
        { "forward=tcp:65536:80", "HOSTPORT:GUESTPORT" },
        { "forward=tcp:1.2.3:80:80", "HOSTPORT:GUESTPORT" },
        { "forward=tcp:127.0.0.1:80:80:80", "HOSTPORT:GUESTPORT" },
        { "forward=tcp:-1:80", "HOSTPORT:GUESTPORT" },
        { "forward=", "HOSTPORT:GUESTPORT" },
        { "tap=../../x", "TAP device" },
        { "tap=sixteen-letters-x", "TAP device" },
        { "mtu=12", "68 to 65520" },
        { "mtu=65521", "68 to 65520" },
        { "ip=300.1.1.1", "IPv4" },
    };
    struct guest_config c;

    (void)state;
    config_init(&c);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_not_equal(config_add_vif(&c, "--vif", cases[i].spec), 0);
        if (strstr(complaint(), cases[i].says) == NULL)
            fail_msg("'%s' gave '%s'", cases[i].spec, complaint());
    }
    assert_int_equal(c.nr_vifs, 0);
}

/* Cards of one guest differ, however the address is written. */
static void same_macs(void **state)
{
    struct guest_config c;

    (void)state;
    config_init(&c);
    assert_int_equal(config_add_vif(&c, "--vif", "mac=00:16:3e:aa:bb:cc"), 0);
    assert_int_not_equal(config_add_vif(&c, "--vif", "mac=00:16:3E:AA:BB:CC"),
                         0);
    assert_string_equal(complaint(), "--vif: mac=00:16:3e:aa:bb:cc: another "
                                     "vif of this guest has it");
    assert_int_equal(config_add_vif(&c, "--vif", "mac=00:16:3e:aa:bb:cd"), 0);
    assert_int_equal(c.nr_vifs, 2);
    config_free(&c);
}

/* Access w!, which libxlutil does not know. */
static void shared_disks(void **state)
{
    static const struct {
        const char *spec, *path;
        bool shared;
    } cases[] = {
        { "/d,raw,xvda,w!", "/d", true },
        { "/d,raw,xvda,rw!", "/d", true },
        { "/d, vdev=xvda, access=w!", "/d", true },
        { "access=w!,vdev=xvda,target=/d,w!", "/d,w!", true },
        { "access=w,vdev=xvda,target=/d,w!", "/d,w!", false },
        { "/w!,raw,xvda,w", "/w!", false },
    };
    struct guest_config c;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        config_init(&c);
        assert_int_equal(config_add_disk(&c, "--disk", cases[i].spec), 0);
        assert_string_equal(c.disks[0].path, cases[i].path);
        assert_int_equal(c.disks[0].shared, cases[i].shared);
        assert_false(c.disks[0].read_only);
        config_free(&c);
    }
    config_init(&c);
    assert_int_not_equal(config_add_disk(&c, "--disk", "/d,raw,xvda,r!"), 0);
    assert_int_not_equal(config_add_disk(&c, "--disk", "/d,raw,xvda,w!!"), 0);
    config_free(&c);
}

static void limits(void **state)
{
    struct guest_config c;
    char spec[32];

    (void)state;
    config_init(&c);
    for (int i = 0; i < CONFIG_MAX_DISKS; i++) {
        snprintf(spec, sizeof(spec), "f,raw,xvd%c,w", 'a' + i);
        assert_int_equal(config_add_disk(&c, "--disk", spec), 0);
    }
    assert_int_not_equal(config_add_disk(&c, "--disk", "f,raw,xvda1"), 0);
    for (int i = 0; i < CONFIG_MAX_VIFS; i++)
        assert_int_equal(config_add_vif(&c, "--vif", "type=nat"), 0);
    assert_int_not_equal(config_add_vif(&c, "--vif", "type=nat"), 0);
    config_free(&c);
}

static void device_numbers(void **state)
{
    (void)state;
    assert_int_equal(vdev_to_devid("xvda"), 51712);
    assert_int_equal(vdev_to_devid("xvda15"), 51727);
    assert_int_equal(vdev_to_devid("xvdp"), 51952);
    assert_int_equal(vdev_to_devid("xvda16"), 0);
    assert_int_equal(vdev_to_devid("xvda01"), 0);
    assert_int_equal(vdev_to_devid("xvda99999999999"), 0);
    assert_int_equal(vdev_to_devid("xvdq"), 0);
    assert_int_equal(vdev_to_devid("xvd"), 0);
    assert_int_equal(vdev_to_devid("sda"), 0);
}

static bool only_name(const char *key)
{
    return strcmp(key, "name") == 0;
}

static unsigned int unknown_at(const char *text)
{
    char key[8];

    return config_find_unknown(text, only_name, key, sizeof(key));
}

static void unknown_keys(void **state)
{
    (void)state;
    assert_int_equal(unknown_at("name='a'\nname = \"x=1\"\n"), 0);
    assert_int_equal(unknown_at("name='it\\'s'\n#x=1\nb+=1"), 3);
    assert_int_equal(unknown_at("name=[\n'x=1', # y=2\n 'z' ]; q\t=3"), 3);
    assert_int_equal(unknown_at("averyverylongname=1"), 1);
    assert_int_equal(unknown_at("name='open"), 0);
    assert_int_equal(unknown_at("name='open\\"), 0);
    assert_int_equal(unknown_at("]]] x = 1"), 0 + 1);
}

static void processors(void **state)
{
    static const struct {
        const char *text;
        uint64_t cpus;
        const char *back; /* NULL: wrong */
    } cases[] = {
        { "all", ~0ull, "all" },
        { "0", 1, "0" },
        { "0-3,5", 0x2f, "0-3,5" },
        { "1,0", 3, "0-1" },
        { "63", 1ull << 63, "63" },
        { "0-62", ~0ull >> 1, "0-62" },
        { "", 0, NULL },
        { "64", 0, NULL },
        { "3-1", 0, NULL },
        { "1,", 0, NULL },
        { "-1", 0, NULL },
        { "1 2", 0, NULL },
        { "all,1", 0, NULL },
        { "99999999999999999999", 0, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char back[64];
        uint64_t cpus;
        int err = cpus_parse(cases[i].text, &cpus);

        assert_int_equal(err, cases[i].back ? 0 : -EINVAL);
        if (!cases[i].back)
            continue;
        assert_true(cpus == cases[i].cpus);
        cpus_format(cpus, back, sizeof(back));
        assert_string_equal(back, cases[i].back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file),   cmocka_unit_test(ways_of_hypercalls),
        cmocka_unit_test(last_lines),     cmocka_unit_test(wrong_files),
        cmocka_unit_test(not_a_file),     cmocka_unit_test(vif_specs),
        cmocka_unit_test(wrong_vifs),     cmocka_unit_test(limits),
        cmocka_unit_test(device_numbers), cmocka_unit_test(unknown_keys),
        cmocka_unit_test(processors),     cmocka_unit_test(same_macs),
        cmocka_unit_test(shared_disks),
    };

    complain_silently(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
