/*
 * Clients of the control socket as processes. See control_fixture.h.
 */
#include "control_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "control_wire.h"
#include "hypervisor/control/internal.h"
#include "libhypercall/hypercall.h"

/* The test's thread is the guest, and the only one that calls the core. */
__attribute__((constructor)) static void call_without_lock(void)
{
    host_need_no_lock();
}

#define CLIENT_LIFE_NS 20000000000ull

static unsigned int descriptors_before;

unsigned int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned int n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void log_line(void *data, enum rs_log_level level, const char *line)
{
    (void)data, (void)level;
    if (getenv("RINGSIDE_TEST_LOG"))
        fprintf(stderr, "# %s\n", line);
}

int fixture_setup(void **state)
{
    struct rs_host_config c = { .engine = "test", .log = log_line };
    struct fixture *f = calloc(1, sizeof(*f));

    descriptors_before = open_descriptors();
    signal(SIGPIPE, SIG_IGN);
    strcpy(f->dir, "/tmp/ringside-test-XXXXXX");
    if (!mkdtemp(f->dir) || rs_host_new(&c, &f->host))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/hypervisor.sock", f->dir);
    *state = f;
    return rs_host_listen(f->host, f->path);
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    unsigned int now;

    rs_host_free(f->host);
    rmdir(f->dir);
    free(f);
    now = open_descriptors();
    if (now != descriptors_before)
        fprintf(stderr, "descriptors: %u before, %u after\n",
                descriptors_before, now);
    return now == descriptors_before ? 0 : -1;
}

struct domain *make_guest(struct fixture *f, domid_t domid, const char *name)
{
    struct domain *d;

    assert_int_equal(domain_alloc(f->host, domid, name, &engine_test, &d), 0);
    assert_int_equal(memory_create(d, GUEST_PAGES, 1 + GRANT_MAX_FRAMES), 0);
    assert_int_equal(evtchn_init(d, EVTCHN_MAX_PORTS), 0);
    assert_int_equal(grant_init(d), 0);
    assert_int_equal(engine_test.domain_create(d), 0);
    for (xen_pfn_t gfn = MEMORY_FIRST_GFN; gfn < GUEST_PAGES / 2; gfn++)
        *guest_word(d, gfn) = gfn;
    return d;
}

uint64_t *guest_word(struct domain *d, xen_pfn_t gfn)
{
    return (uint64_t *)(void *)(d->memory.base + (gfn << PAGE_SHIFT));
}

uint16_t grant_use(struct domain *d, grant_ref_t ref)
{
    grant_entry_v1_t *e = memory_own_page(d, MEMORY_OWN_GRANT);

    return e[ref].flags & (GTF_reading | GTF_writing);
}

/* ---- clients ---- */

struct rs_client *client;

int connect_tool(struct fixture *f)
{
    int err = rs_client_connect(f->path, &client);

    if (!err)
        hypercall_carry_over(client);
    return err;
}

int join_as(struct fixture *f, const char *role)
{
    char identity[128];
    int err;

    snprintf(identity, sizeof(identity), "%s:%s", role, f->path);
    setenv(CONTROL_IDENTITY, identity, 1);
    err = rs_client_join(&client);
    if (!err)
        hypercall_carry_over(client);
    return err;
}

void leave(void)
{
    hypercall_carry_over(NULL);
    rs_client_disconnect(client);
    client = NULL;
}

pid_t start_client(struct fixture *f, client_fn *fn, void *arg)
{
    pid_t pid;

    fflush(NULL);
    f->live++;
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* A client has nothing of the host, as in real life. */
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
        fn(f, arg);
        _exit(0);
    }
    return pid;
}

/* Does the host know that those are gone that are? */
static bool ends_are_known(const struct fixture *f)
{
    return f->host->control->nr_clients <= f->live &&
           (f->live || !host_domain(f->host, 1));
}

/* On a busy machine it learns late; a test may leave it what does not end. */
static void await_end(struct fixture *f)
{
    f->live--;
    for (int i = 0; i < 1000 && !ends_are_known(f); i++)
        serve_for(f, 1);
    serve_for(f, 5);
}

int finish_client(struct fixture *f, pid_t pid)
{
    uint64_t deadline = host_now() + CLIENT_LIFE_NS;
    int status;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (host_now() > deadline)
            kill(pid, SIGABRT); /* not what a host would do */
        rs_host_dispatch(f->host, 5);
    }
    await_end(f);
    return status;
}

int run_client(struct fixture *f, client_fn *fn, void *arg)
{
    return finish_client(f, start_client(f, fn, arg));
}

void serve_for(struct fixture *f, unsigned int ms)
{
    uint64_t deadline = host_now() + ms * 1000000ull;

    do
        rs_host_dispatch(f->host, 1);
    while (host_now() < deadline);
}

/* ---- faults ---- */

static sigjmp_buf fault;

static void faulted(int sig)
{
    siglongjmp(fault, sig);
}

bool touch_faults(volatile void *addr, bool write)
{
    struct sigaction bus = { .sa_handler = faulted }, old;
    volatile uint8_t *p = addr;
    volatile bool faults = true;

    sigaction(SIGBUS, &bus, &old);
    if (!sigsetjmp(fault, 1)) {
        if (write)
            *p = *p;
        else
            (void)*p;
        faults = false;
    }
    sigaction(SIGBUS, &old, NULL);
    return faults;
}
