/*
 * What a guest's process looks like from outside, compared with a written
 * list; and that nothing remains of it.
 */
#include "confine.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

static uint16_t boot_sleeper(struct confined *c)
{
    uint16_t d = confine_boot(c, "sleep");

    confine_wait_for(c, &confine_shared(c, d)->count, 1);
    return d;
}

/* ---- maps ---- */

/* What may stand in /proc/PID/maps; `page` 0: at any address. */
static const struct {
    const char *perms, *name;
    unsigned int max; /* mappings of that kind */
} allowed_maps[] = {
    { "r-xs", "/memfd:ringside-guest (deleted)", 1 }, /* its text */
    { "rw-s", "/memfd:ringside-guest (deleted)", 3 }, /* RAM and shared_info,
                                       the engine's stack, the engine's page */
    { "r--s", "/memfd:ringside-boot (deleted)", 1 },  /* the filters */
    { "r--p", "/memfd:ringside-stub (deleted)", 2 },
    { "r-xp", "/memfd:ringside-stub (deleted)", 1 },
    { "rw-p", "/memfd:ringside-stub (deleted)", 1 },
    { "rw-p", "", 1 }, /* the stub's variables */
    { "rw-p", "[stack]", 1 },
    { "r--p", "[vvar]", 1 },
    { "r--p", "[vvar_vclock]", 1 },
    { "r-xp", "[vdso]", 1 },
    { "--xp", "[vsyscall]", 1 },
    { "r-xp", "[vsyscall]", 1 },
};
#define ALLOWED_MAPS (sizeof(allowed_maps) / sizeof(allowed_maps[0]))

static size_t kind_of(const char *perms, const char *name)
{
    for (size_t i = 0; i < ALLOWED_MAPS; i++)
        if (!strcmp(allowed_maps[i].perms, perms) &&
            !strcmp(allowed_maps[i].name, name))
            return i;
    fail_msg("a mapping that is not on the list: %s '%s'", perms, name);
    return 0;
}

static void test_maps(void **state)
{
    struct confined *c = *state;
    unsigned int seen[ALLOWED_MAPS] = { 0 };
    char *line, *save, *text;

    text = strdup(confine_proc(confine_info(c, boot_sleeper(c)).pid, "maps"));
    for (line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        unsigned long start, end;
        char perms[8], name[128] = "";
        size_t kind;

        assert_true(sscanf(line, "%lx-%lx %7s %*s %*s %*s %127[^\n]", &start,
                           &end, perms, name) >= 3);
        kind = kind_of(perms, name);
        assert_true(++seen[kind] <= allowed_maps[kind].max);
        assert_true(start >= 1 << 20);
        assert_false(perms[1] == 'w' && perms[2] == 'x');
        if (!strcmp(name, "[stack]"))
            assert_true(end - start <= 160 * 1024);
    }
    free(text);
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 3);
}

/* ---- descriptors ---- */

static void test_descriptors(void **state)
{
    struct confined *c = *state;
    uint16_t d = boot_sleeper(c);
    char path[64], link[512], to[128];
    struct dirent *e;
    unsigned int n = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", confine_info(c, d).pid);
    dir = opendir(path);
    assert_non_null(dir);
    while ((e = readdir(dir)) != NULL) {
        ssize_t len;

        if (e->d_name[0] == '.')
            continue;
        snprintf(link, sizeof(link), "%s/%s", path, e->d_name);
        len = readlink(link, to, sizeof(to) - 1);
        assert_true(len > 0);
        to[len] = '\0';
        n++;
        if (atoi(e->d_name) == SANDBOX_FD_EPOLL)
            assert_string_equal(to, "anon_inode:[eventpoll]");
        else if (atoi(e->d_name) == SANDBOX_FD_RAM)
            assert_string_equal(to, "/memfd:ringside-guest (deleted)");
        else
            fail_msg("descriptor %s: %s", e->d_name, to);
    }
    closedir(dir);
    assert_int_equal(n, 2);
}

/* ---- status ---- */

/* The rest of the line `name:` of /proc/PID/status, without blanks. */
static const char *status_of(int pid, const char *name)
{
    static char value[128];
    const char *s = confine_proc(pid, "status");
    char key[64];

    snprintf(key, sizeof(key), "\n%s:", name);
    s = strstr(s, key);
    if (!s || sscanf(s + strlen(key), "%*[ \t]%127[^\n]", value) != 1)
        strcpy(value, "");
    return value;
}

static void test_status(void **state)
{
    struct confined *c = *state;
    int pid = confine_info(c, boot_sleeper(c)).pid;
    unsigned int uid, euid, suid, fsuid, want = geteuid();

    if (want == 0 && confine_can_be_nobody())
        want = 65534;
    assert_int_equal(sscanf(status_of(pid, "Uid"), "%u %u %u %u", &uid, &euid,
                            &suid, &fsuid),
                     4);
    assert_true(uid == want && euid == want && suid == want && fsuid == want);
    assert_int_equal(sscanf(status_of(pid, "Gid"), "%u %u %u %u", &uid, &euid,
                            &suid, &fsuid),
                     4);
    assert_true(uid == euid && uid == suid && uid == fsuid);
    assert_true(uid != 0 || want == 0);
    if (want == 65534)
        assert_string_equal(status_of(pid, "Groups"), "");
    assert_string_equal(status_of(pid, "CapInh"), "0000000000000000");
    assert_string_equal(status_of(pid, "CapPrm"), "0000000000000000");
    assert_string_equal(status_of(pid, "CapEff"), "0000000000000000");
    assert_string_equal(status_of(pid, "CapAmb"), "0000000000000000");
    assert_string_equal(status_of(pid, "NoNewPrivs"), "1");
    assert_string_equal(status_of(pid, "Seccomp"), "2");
    assert_true(atoi(status_of(pid, "Seccomp_filters")) >= 2);
    assert_string_equal(status_of(pid, "Threads"), "1");
    assert_string_equal(status_of(pid, "TracerPid"), "0");
    assert_string_equal(status_of(pid, "SigBlk"), "0000000000000000");
    assert_string_equal(status_of(pid, "SigIgn"), "0000000000000000");
    /* ILL TRAP BUS FPE SEGV ALRM URG */
    assert_string_equal(status_of(pid, "SigCgt"), "00000000004024d8");
}

static void test_limits(void **state)
{
    struct confined *c = *state;
    const char *s =
        confine_proc(confine_info(c, boot_sleeper(c)).pid, "limits");

    assert_non_null(strstr(s, "Max core file size        0  "));
    assert_non_null(strstr(s, "Max open files            1024 "));
    assert_non_null(strstr(s, "Max stack size            131072 "));
    assert_non_null(strstr(s, "Max locked memory         0 "));
}

/* It has no terminal, and a terminal's Ctrl-C is not for it; but the scheduler
 * takes it and its host for one group (zygote.c). */
static void test_group(void **state)
{
    struct confined *c = *state;
    int pid = confine_info(c, boot_sleeper(c)).pid, tty = -1;
    const char *s = confine_proc(pid, "stat");

    assert_int_equal(getsid(pid), getsid(0));
    assert_true(getpgid(pid) != getpgid(0));
    s = strrchr(s, ')');
    assert_non_null(s);
    assert_int_equal(sscanf(s, ") %*c %*d %*d %*d %d", &tty), 1);
    assert_int_equal(tty, 0);
}

/* ---- namespaces ---- */

static void namespace_of(int pid, const char *name, char out[64])
{
    char path[64];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
    n = readlink(path, out, 63);
    assert_true(n > 0);
    out[n] = '\0';
}

/* May this user have namespaces here? */
static bool namespaces_work(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534))
            errno = 0; /* the root of a container: it stays what it is */
        _exit(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC |
                      CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP) != 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

static void test_namespaces(void **state)
{
    static const char *const names[] = { "user", "mnt", "ipc",
                                         "uts",  "net", "cgroup" };
    struct confined *c = *state;
    int pid = confine_info(c, boot_sleeper(c)).pid;
    bool own = !(confine_flags & RS_HOST_NO_NAMESPACES) && namespaces_work();
    char theirs[64], ours[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        namespace_of(pid, names[i], theirs);
        namespace_of(getpid(), names[i], ours);
        assert_true(own == (strcmp(theirs, ours) != 0));
    }
}

/* ---- nothing remains ---- */

static void test_100_rounds(void **state)
{
    struct confined *c = *state;
    unsigned int fds, processes;

    assert_int_equal(rs_domain_destroy(c->h, boot_sleeper(c)), 0);
    confine_dispatch(c, 5);
    fds = confine_count_fds();
    processes = confine_count_processes(c);
    assert_int_equal(processes, 0);
    for (int i = 0; i < 100; i++) {
        uint16_t g, m;

        switch (i % 4) {
        case 0: /* ends by itself, in several ways */
            confine_run(c, i % 8 ? "fault null" : "call 5011 0");
            break;
        case 1: /* never started */
            g = confine_create(c, PROBE_KIB, "spin");
            assert_int_equal(rs_domain_destroy(c->h, g), 0);
            break;
        case 2: /* killed by its filter */
            confine_run(c, "call %x", i);
            break;
        default: /* with grants mapped and ports bound */
            g = confine_boot(c, "grant %x", (c->h->next_domid + 1) & 0xffff);
            confine_wait_for(c, &confine_shared(c, g)->count, 1);
            m = confine_boot(c, "map %x 0", g);
            confine_wait_for(c, &confine_shared(c, m)->count, 2);
            assert_int_equal(rs_domain_destroy(c->h, i & 4 ? g : m), 0);
            assert_int_equal(rs_domain_destroy(c->h, i & 4 ? m : g), 0);
        }
    }
    confine_dispatch(c, 20);
    assert_int_equal(confine_count_fds(), fds);
    assert_int_equal(confine_count_processes(c), 0);
    assert_int_equal(c->h->used_pages, 0);
    assert_int_equal(c->h->nr_domains, 0);
    assert_null(strstr(confine_proc(getpid(), "maps"), "ringside-guest"));
}

/* ---- everybody dies ---- */

static bool is_alive(int pid)
{
    char path[64], state = 'X';
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "r");
    if (!f)
        return false;
    if (fscanf(f, "%*d %*s %c", &state) != 1)
        state = 'X';
    fclose(f);
    return state != 'Z' && state != 'X';
}

static bool dies(int pid)
{
    for (int i = 0; i < 2000; i++) {
        if (!is_alive(pid))
            return true;
        usleep(1000);
    }
    return false;
}

/* In a process of its own: a host with three guests, one of which sleeps, one
 * spins, one is paused; tells their pids. */
static void hold_guests(int out)
{
    static const char *const modes[] = { "sleep", "spin", "spin" };
    void *state;
    int pids[4] = { 0 };

    confine_setup(&state);
    for (int i = 0; i < 3; i++) {
        struct confined *c = state;
        uint16_t d = confine_boot(c, "%s", modes[i]);

        confine_wait_for(c, &confine_shared(c, d)->count, 1);
        pids[i] = confine_info(c, d).pid;
        if (i == 2)
            rs_domain_pause(c->h, d);
        pids[3] = ((struct sandbox_host *)c->h->engine_host)->zygote_pid;
    }
    if (write(out, pids, sizeof(pids)) != sizeof(pids))
        _exit(1);
    pause();
    _exit(0);
}

static void test_hypervisor_dies(void **state)
{
    int pids[4], p[2];
    pid_t hypervisor;

    (void)state;
    assert_int_equal(pipe(p), 0);
    hypervisor = fork();
    if (hypervisor == 0)
        hold_guests(p[1]);
    close(p[1]);
    assert_int_equal(read(p[0], pids, sizeof(pids)), sizeof(pids));
    close(p[0]);
    for (int i = 0; i < 4; i++)
        assert_true(is_alive(pids[i]));
    assert_int_equal(kill(hypervisor, SIGKILL), 0);
    assert_int_equal(waitpid(hypervisor, NULL, 0), hypervisor);
    for (int i = 0; i < 4; i++)
        assert_true(dies(pids[i]));
}

static void test_zygote_dies(void **state)
{
    struct confined *c = *state;
    uint16_t a = boot_sleeper(c), b = confine_boot(c, "spin");
    int zygote = ((struct sandbox_host *)c->h->engine_host)->zygote_pid;
    int pid = confine_info(c, a).pid;
    struct rs_domain_config dc = {
        .memory_kib = PROBE_KIB,
        .kernel = probe_image,
        .kernel_size = (size_t)(probe_image_end - probe_image),
    };

    /* The log says so as an error: that is not for this test's output. */
    c->h->log = NULL;
    assert_int_equal(rs_domain_pause(c->h, b), 0);
    assert_int_equal(kill(zygote, SIGKILL), 0);
    assert_int_equal(confine_wait(c, a).shutdown_reason, SHUTDOWN_crash);
    assert_int_equal(confine_wait(c, b).shutdown_reason, SHUTDOWN_crash);
    assert_true(dies(pid));
    assert_int_equal(rs_domain_create(c->h, &dc), -EPIPE);
    assert_non_null(strstr(rs_error(), "cannot start a domain"));
    assert_int_equal(rs_domain_destroy(c->h, a), 0);
}

/* ---- */

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, confine_setup, confine_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_maps),        CASE(test_descriptors),
        CASE(test_status),      CASE(test_limits),
        CASE(test_group),       CASE(test_namespaces),
        CASE(test_100_rounds),  cmocka_unit_test(test_hypervisor_dies),
        CASE(test_zygote_dies),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    confine_flags = RS_HOST_NO_NAMESPACES;
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return confine_main(argc, argv, run);
}
