/*
 * The core ends its process, with a line that names the domain, where what must
 * hold does not, and where a thread enters it without the host's lock.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core.h"

static struct {
    struct rs_host *h;
    uint16_t id;
    int log; /* of the process that breaks something */
} fx;

static void to_parent(void *data, enum rs_log_level level, const char *line)
{
    (void)data;
    if (level == RS_LOG_ERROR && write(fx.log, line, strlen(line)) < 0)
        _exit(2);
}

/* What it says that ends by SIGABRT when it does `wrong`. */
static void ends(void (*wrong)(struct domain *), const char *said)
{
    char text[512] = "";
    int status, pipe_fds[2];
    pid_t pid;

    assert_int_equal(pipe(pipe_fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fx.log = pipe_fds[1];
        fx.h->log = to_parent;
        signal(SIGSEGV, SIG_DFL);
        wrong(core_domain(fx.h, fx.id));
        _exit(0);
    }
    close(pipe_fds[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(read(pipe_fds[0], text, sizeof(text) - 1) >= 0);
    close(pipe_fds[0]);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, said));
}

static void unpin_what_is_not_pinned(struct domain *d)
{
    memory_unpin(d, MEMORY_FIRST_GFN);
}

#define REF 20u

static void release_what_is_not_used(struct domain *d)
{
    grant_release(d, REF, false);
}

static void give_back_too_much(struct domain *d)
{
    host_uncharge(d->host, d->host->used_pages + 1);
}

static void end_twice(struct domain *d)
{
    domain_end(d);
    domain_killed(d);
}

static void *pause_it(void *d)
{
    domain_pause(d);
    return NULL;
}

/* The test's own thread is taken to have the lock (core.c). */
static void pause_without_the_lock(struct domain *d)
{
    pthread_t t;

    if (!pthread_create(&t, NULL, pause_it, d))
        pthread_join(t, NULL);
}

static void test_state(void **state)
{
    char who[32];

    struct domain *d = core_domain(fx.h, fx.id);
    xen_pfn_t gfn;

    (void)state;
    /* A forked process has no memory of guests. */
    grant_grow(d, 1);
    grant_seed(d, REF, 0, MEMORY_FIRST_GFN);
    assert_int_equal(grant_acquire(d, REF, 0, false, &gfn), GNTST_okay);
    grant_release(d, REF, false);
    snprintf(who, sizeof(who), "domain %u (", fx.id);
    ends(unpin_what_is_not_pinned, who);
    ends(release_what_is_not_used, who);
    ends(end_twice, who);
    ends(give_back_too_much, "used_pages");
}

static void test_lock(void **state)
{
    (void)state;
    ends(pause_without_the_lock, "host_is_locked_by_us");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_lock),
    };
    int failed;

#ifdef NDEBUG
    print_message("1..0 # SKIP built without assertions\n");
    return 0;
#endif
    fx.h = core_host("test");
    fx.id = core_boot(fx.h);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rs_host_free(fx.h);
    return failed;
}
