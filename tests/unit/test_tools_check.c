/*
 * What is found to be wrong before a domain is created: images, disks, ports;
 * and the command line of `run` and `create`.
 */
#include <arpa/inet.h>
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <xen/elfnote.h>

#include "tools/check.h"
#include "tools/image.h"
#include "tools/options.h"
#include "tools/say.h"

static char dir[] = "/tmp/ringside-test-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[64];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

/* The smallest file that passes for a guest. */
struct image {
    Elf64_Ehdr eh;
    Elf64_Phdr load, note;
    Elf64_Nhdr nh;
    char name[4];
    uint64_t page;
};

static struct image good_image(void)
{
    struct image i = {
        .eh = { .e_type = ET_EXEC,
                .e_machine = EM_X86_64,
                .e_phoff = offsetof(struct image, load),
                .e_phentsize = sizeof(Elf64_Phdr),
                .e_phnum = 2 },
        .load = { .p_type = PT_LOAD, .p_vaddr = 0x100000, .p_memsz = 0x200000 },
        .note = { .p_type = PT_NOTE,
                  .p_offset = offsetof(struct image, nh),
                  .p_filesz = sizeof(Elf64_Nhdr) + 12 },
        .nh = { 4, 8, XEN_ELFNOTE_HYPERCALL_PAGE },
        .name = "Xen",
    };

    memcpy(i.eh.e_ident, ELFMAG, SELFMAG);
    i.eh.e_ident[EI_CLASS] = ELFCLASS64;
    return i;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(in_dir(name), "w");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void write_image(const struct image *i, size_t n)
{
    write_file("hello.elf", i, n);
}

static int check(struct guest_config *c, const char *says)
{
    int err = check_guest(c);

    if (says != NULL && (err == 0 || strstr(complaint(), says) == NULL))
        fail_msg("said '%s', not '%s'", err ? complaint() : "(fine)", says);
    if (says == NULL && err != 0)
        fail_msg("said '%s'", complaint());
    return err;
}

static void make_config(struct guest_config *c)
{
    struct image i = good_image();

    write_image(&i, sizeof(i));
    config_init(c);
    assert_int_equal(config_set(&c->kernel, in_dir("hello.elf")), 0);
}

static void kernels(void **state)
{
    struct guest_config c;
    struct image i = good_image();

    (void)state;
    make_config(&c);
    check(&c, NULL);
    assert_string_equal(c.name, "hello");
    assert_true(c.name_derived);

    write_image(&i, 10);
    check(&c, "not an ELF file");
    write_image(&i, sizeof(i.eh) + 20);
    check(&c, "cut off");
    i.note.p_filesz = UINT64_MAX;
    write_image(&i, sizeof(i));
    check(&c, "without Xen notes");
    i = good_image();
    i.nh.n_descsz = UINT32_MAX;
    write_image(&i, sizeof(i));
    check(&c, "without Xen notes");
    i = good_image();
    i.eh.e_machine = EM_AARCH64;
    write_image(&i, sizeof(i));
    check(&c, "not for x86-64");
    i = good_image();
    i.eh.e_type = ET_DYN;
    write_image(&i, sizeof(i));
    check(&c, "fixed-address");
    i = good_image();
    i.load.p_vaddr = UINT64_MAX - 4095;
    write_image(&i, sizeof(i));
    check(&c, "above 4 GiB");
    config_free(&c);
}

static void no_kernel(void **state)
{
    struct guest_config c;

    (void)state;
    config_init(&c);
    check(&c, "no kernel given");
    config_set(&c.kernel, in_dir("nothing.elf"));
    check(&c, "cannot open the kernel");
    config_set(&c.kernel, dir);
    check(&c, "is not a file");
    config_free(&c);
}

static void memory(void **state)
{
    struct guest_config c;

    (void)state;
    make_config(&c);
    c.memory_mib = 3; /* the image ends there; no room for boot pages */
    check(&c, "at least 4 MiB");
    c.memory_mib = 4;
    check(&c, NULL);
    config_free(&c);
}

static void long_command_line(void **state)
{
    struct guest_config c;
    char words[1025];

    (void)state;
    make_config(&c);
    memset(words, 'x', sizeof(words));
    words[1023] = '\0';
    config_add_words(&c, "--extra", words);
    check(&c, NULL);
    config_add_words(&c, "--extra", "");
    check(&c, "1023 fit");
    config_free(&c);
}

static void disks(void **state)
{
    struct guest_config c;
    char spec[96];

    (void)state;
    make_config(&c);
    snprintf(spec, sizeof(spec), "%s,raw,xvda,r", in_dir("disk"));
    assert_int_equal(config_add_disk(&c, "--disk", spec), 0);
    check(&c, "for disk xvda: No such file");
    write_file("disk", spec, 20);
    check(&c, "smaller than one sector");
    assert_int_equal(truncate(in_dir("disk"), 1 << 20), 0);
    check(&c, NULL);
    assert_int_equal(c.disks[0].bytes, 1 << 20);
    unlink(in_dir("disk"));
    assert_int_equal(mkdir(in_dir("disk"), 0700), 0);
    check(&c, "neither a file nor a block device");
    rmdir(in_dir("disk"));
    config_free(&c);
}

/* A listening socket on a port of the kernel's choice. */
static int taken_port(unsigned int *port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET };
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    inet_pton(AF_INET, "127.0.0.1", &sa.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

static void ports(void **state)
{
    struct guest_config c;
    unsigned int port;
    int fd = taken_port(&port);
    char spec[96];

    (void)state;
    make_config(&c);
    snprintf(spec, sizeof(spec), "forward=tcp:%u:80", port);
    config_add_vif(&c, "--vif", spec);
    check(&c, "is taken");
    c.nr_vifs = 0;
    snprintf(spec, sizeof(spec), "forward=tcp:0:80+udp:%u:80", port);
    config_add_vif(&c, "--vif", spec);
    check(&c, NULL);
    assert_int_not_equal(c.vifs[0].forwards[0].host_port, 0);
    config_add_vif(&c, "--vif", spec);
    check(&c, "forwarded twice");
    c.nr_vifs = 0;
    config_add_vif(&c, "--vif", "forward=udp:0:80");
    check(&c, NULL);
    snprintf(spec, sizeof(spec), "forward=udp:0.0.0.0:%u:80",
             c.vifs[0].forwards[0].host_port);
    config_add_vif(&c, "--vif", spec);
    check(&c, "forwarded twice");
    c.nr_vifs = 0;
    config_add_vif(&c, "--vif", "forward=tcp:192.0.2.1:8080:80");
    check(&c, "cannot use tcp port 8080 of 192.0.2.1");
    c.nr_vifs = 0;
    config_add_vif(&c, "--vif", "tap=no-such-dev");
    check(&c, "there is no TAP device no-such-dev");
    c.nr_vifs = 0;
    config_add_vif(&c, "--vif", "bridge=lo");
    check(&c, "there is no bridge lo");
    close(fd);
    config_free(&c);
}

/* ---- the command line ---- */

static int parse(struct guest_options *o, const char *line, bool is_create)
{
    static char copy[256];
    char *argv[20], *rest = copy;
    int argc = 0;

    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        argv[argc++] = word;
    argv[argc] = NULL;
    return options_guest(argc, argv, is_create, o);
}

static void command_lines(void **state)
{
    struct guest_options o;
    char line[256];

    (void)state;
    assert_int_equal(
        parse(&o,
              "run -q --kernel k.elf --name=n --memory 8 -e a "
              "--disk f,raw,xvda --vif type=nat -- --name -- x\\\"",
              false),
        0);
    assert_string_equal(o.config.kernel, "k.elf");
    assert_string_equal(o.config.name, "n");
    assert_int_equal(o.config.memory_mib, 8);
    assert_string_equal(o.config.cmdline, "a --name -- \"x\\\\\\\"\"");
    assert_int_equal(o.config.nr_disks, 1);
    assert_int_equal(o.config.nr_vifs, 1);
    assert_true(o.quiet);
    config_free(&o.config);

    snprintf(line, sizeof(line), "create %s -p", in_dir("hello.elf"));
    assert_int_equal(parse(&o, line, true), 0);
    assert_string_equal(o.config.kernel, in_dir("hello.elf"));
    assert_true(o.paused);
    config_free(&o.config);
}

/* A file speaks first, the command line overrules it wherever it stands. */
static void file_and_options(void **state)
{
    static const char text[] = "name='file'\nmemory=64\nextra='a'\n";
    struct guest_options o;
    char line[256];

    (void)state;
    write_file("cfg", text, sizeof(text) - 1);
    snprintf(line, sizeof(line), "run -m 8 %s -- b", in_dir("cfg"));
    assert_int_equal(parse(&o, line, false), 0);
    assert_string_equal(o.config.name, "file");
    assert_int_equal(o.config.memory_mib, 8);
    assert_string_equal(o.config.cmdline, "a b");
    config_free(&o.config);
}

static void wrong_command_lines(void **state)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        { "run --bogus", "unknown option --bogus" },
        { "run -p", "unknown option -p" },
        { "run -qZ", "unknown option -Z" },
        { "run --kernel", "option --kernel needs a value" },
        { "run -m", "option -m needs a value" },
        { "run -m x", "--memory: 'x' is not a number of MiB" },
        { "run -e 'x", "--extra: a quote (') is not closed in: 'x" },
        { "run -E test", "--engine: 'test' runs no guests" },
        { "run a b", "unexpected 'b'" },
        { "run /nonexistent", "cannot read the configuration" },
        { "run --disk x", "no vdev" },
        { "run --vif x", "not of the form" },
    };
    struct guest_options o;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_not_equal(parse(&o, cases[i].line, false), 0);
        if (strstr(complaint(), cases[i].says) == NULL)
            fail_msg("'%s' gave '%s'", cases[i].line, complaint());
    }
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(in_dir("hello.elf"));
    unlink(in_dir("disk"));
    unlink(in_dir("cfg"));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels),
        cmocka_unit_test(no_kernel),
        cmocka_unit_test(memory),
        cmocka_unit_test(long_command_line),
        cmocka_unit_test(disks),
        cmocka_unit_test(ports),
        cmocka_unit_test(command_lines),
        cmocka_unit_test(file_and_options),
        cmocka_unit_test(wrong_command_lines),
    };

    complain_silently(true);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
