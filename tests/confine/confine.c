/*
 * Hosts with engine sandbox and guests that misbehave. See confine.h.
 */
#include "confine.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox.h"
#include "test/engine_test.h"

unsigned int confine_flags;
unsigned int confine_vcpus = 1;
bool confine_native;
unsigned int confine_domain_flags;

/* ---- hosts ---- */

static void on_log(void *data, enum rs_log_level level, const char *line)
{
    (void)data;
    if (getenv("CONFINE_LOG") || level == RS_LOG_ERROR)
        fprintf(stderr, "# %s\n", line);
}

int confine_setup(void **state)
{
    struct confined *c = calloc(1, sizeof(*c));
    const struct rs_host_config hc = { .engine = "sandbox",
                                       .memory_kib = 1024 * 1024,
                                       .flags = confine_flags,
                                       .log = on_log };

    if (rs_host_new(&hc, &c->h))
        fail_msg("no host: %s", rs_error());
    *state = c;
    return 0;
}

int confine_teardown(void **state)
{
    struct confined *c = *state;

    rs_host_free(c->h);
    free(c);
    return 0;
}

/* ---- probes ---- */

static void on_console(void *data, const char *bytes, size_t n)
{
    struct confined *c = data;

    if (n > sizeof(c->console) - 1 - c->console_n)
        n = sizeof(c->console) - 1 - c->console_n;
    memcpy(c->console + c->console_n, bytes, n);
    c->console_n += n;
    c->console[c->console_n] = '\0';
}

/* The probe with the note of a native kernel; the caller frees it. */
static uint8_t *native_image(size_t n)
{
    uint8_t *image = malloc(n), *name;

    memcpy(image, probe_image, n);
    name = memmem(image, n, "Ringsid_", 8);
    assert_non_null(name);
    name[7] = 'e';
    return image;
}

static uint16_t create(struct confined *c, uint64_t kib, const char *fmt,
                       va_list ap)
{
    size_t n = (size_t)(probe_image_end - probe_image);
    uint8_t *native = confine_native ? native_image(n) : NULL;
    char cmdline[512];
    struct rs_domain_config dc = {
        .cmdline = cmdline,
        .memory_kib = kib,
        .vcpus = confine_vcpus,
        .flags = confine_domain_flags | (native ? RS_DOMAIN_TRAP : 0),
        .kernel = native ? native : probe_image,
        .kernel_size = n,
        .console = on_console,
        .data = c,
    };
    int domid;

    vsnprintf(cmdline, sizeof(cmdline), fmt, ap);
    domid = rs_domain_create(c->h, &dc);
    free(native);
    if (domid < 0)
        fail_msg("no domain: %s", rs_error());
    c->console_n = 0;
    c->console[0] = '\0';
    return (uint16_t)domid;
}

uint16_t confine_create(struct confined *c, uint64_t kib, const char *fmt, ...)
{
    uint16_t domid;
    va_list ap;

    va_start(ap, fmt);
    domid = create(c, kib, fmt, ap);
    va_end(ap);
    return domid;
}

static uint16_t boot(struct confined *c, const char *fmt, va_list ap)
{
    uint16_t domid = create(c, PROBE_KIB, fmt, ap);

    assert_int_equal(rs_domain_unpause(c->h, domid), 0);
    return domid;
}

uint16_t confine_boot(struct confined *c, const char *fmt, ...)
{
    uint16_t domid;
    va_list ap;

    va_start(ap, fmt);
    domid = boot(c, fmt, ap);
    va_end(ap);
    return domid;
}

struct rs_domain_info confine_info(struct confined *c, uint16_t domid)
{
    struct rs_domain_info info;

    assert_int_equal(rs_domain_info(c->h, domid, &info), 0);
    return info;
}

struct rs_domain_info confine_wait(struct confined *c, uint16_t domid)
{
    uint64_t end = confine_deadline();
    struct rs_domain_info info = confine_info(c, domid);

    while (info.state != RS_DOMAIN_SHUTDOWN) {
        if (host_now() > end)
            fail_msg("domain %u does not end; it said: %s", domid, c->console);
        rs_host_dispatch(c->h, 100);
        info = confine_info(c, domid);
    }
    return info;
}

void confine_wait_for(struct confined *c, volatile uint64_t *word,
                      uint64_t value)
{
    uint64_t end = confine_deadline();

    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) < value) {
        if (host_now() > end)
            fail_msg("the guest does not get on; it said: %s", c->console);
        rs_host_dispatch(c->h, 1);
    }
}

void confine_dispatch(struct confined *c, int ms)
{
    uint64_t now = host_now(), end = now + (uint64_t)ms * 1000000u;

    for (; now < end; now = host_now())
        rs_host_dispatch(c->h, (int)((end - now) / 1000000u) + 1);
}

uint64_t confine_deadline(void)
{
    const char *patience = getenv("RINGSIDE_TEST_PATIENCE");
    unsigned long times = patience ? strtoul(patience, NULL, 10) : 1;

    return host_now() + times * 20000000000ull;
}

static void *dispatch(void *arg)
{
    struct confine_loop *l = arg;

    while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED))
        rs_host_dispatch(l->c->h, 5);
    return NULL;
}

void confine_loop_start(struct confine_loop *l, struct confined *c)
{
    l->c = c;
    l->stop = 0;
    assert_int_equal(pthread_create(&l->thread, NULL, dispatch, l), 0);
}

void confine_loop_end(struct confine_loop *l)
{
    __atomic_store_n(&l->stop, 1, __ATOMIC_RELAXED);
    pthread_join(l->thread, NULL);
}

struct rs_domain_info confine_run(struct confined *c, const char *fmt, ...)
{
    struct rs_domain_info info;
    uint16_t domid;
    va_list ap;

    va_start(ap, fmt);
    domid = boot(c, fmt, ap);
    va_end(ap);
    info = confine_wait(c, domid);
    assert_int_equal(rs_domain_destroy(c->h, domid), 0);
    return info;
}

void *confine_at(struct confined *c, uint16_t domid, uint64_t addr)
{
    void *p = rs_test_memory(c->h, domid, addr);

    assert_non_null(p);
    return p;
}

struct probe_shared *confine_shared(struct confined *c, uint16_t domid)
{
    return confine_at(c, domid, PROBE_SHARED);
}

/* ---- processes ---- */

const char *confine_proc(int pid, const char *name)
{
    static char text[65536];
    char path[64];
    size_t at = 0;
    ssize_t n = 0;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    while (at < sizeof(text) - 1 &&
           (n = read(fd, text + at, sizeof(text) - 1 - at)) > 0)
        at += (size_t)n;
    close(fd);
    text[at] = '\0';
    return text;
}

/* A process that has ended stays a child until the zygote has time for it. */
static bool runs(int pid)
{
    char path[64], state = 'Z';
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "r");
    if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    if (f)
        fclose(f);
    return state != 'Z' && state != 'X';
}

unsigned int confine_count_processes(struct confined *c)
{
    int zygote = ((struct sandbox_host *)c->h->engine_host)->zygote_pid;
    unsigned int n = 0;
    char name[64], *end;
    const char *at;

    snprintf(name, sizeof(name), "task/%d/children", zygote);
    for (at = confine_proc(zygote, name); *at && *at != '\n'; at = end + 1) {
        long pid = strtol(at, &end, 10);

        if (end == at)
            break;
        n += runs((int)pid);
        if (!*end)
            break;
    }
    return n;
}

unsigned int confine_count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned int n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* ---- as whom ---- */

#define NOBODY 65534

static void become_nobody(void)
{
    if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
        setresuid(NOBODY, NOBODY, NOBODY) || prctl(PR_SET_DUMPABLE, 1))
        _exit(98);
}

bool confine_can_be_nobody(void)
{
    int status;
    pid_t pid;

    if (geteuid() != 0)
        return false;
    pid = fork();
    if (pid == 0) {
        become_nobody();
        _exit(0);
    }
    return waitpid(pid, &status, 0) == pid && status == 0;
}

/* What it printed matters only if it failed. */
static void test_as_ordinary_user(void **state)
{
    char text[16384];
    int fd = memfd_create("output", MFD_CLOEXEC), status;
    char name[] = "confine", arg[] = "--nobody";
    char *argv[] = { name, arg, NULL };
    ssize_t n;
    pid_t pid;

    (void)state;
    pid = fork();
    if (pid == 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        setenv("CMOCKA_MESSAGE_OUTPUT", "STDOUT", 1);
        execv("/proc/self/exe", argv);
        _exit(97);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    n = pread(fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(fd);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        fail_msg("status %#x:\n%s", (unsigned int)status, text);
}

int confine_main(int argc, char **argv, int (*run)(void))
{
    const struct CMUnitTest as_nobody[] = {
        cmocka_unit_test(test_as_ordinary_user),
    };
    int failed;

    if (argc > 1 && !strcmp(argv[1], "--nobody")) {
        become_nobody();
        return run();
    }
    failed = run();
    if (confine_can_be_nobody())
        failed += cmocka_run_group_tests(as_nobody, NULL, NULL);
    return failed;
}
