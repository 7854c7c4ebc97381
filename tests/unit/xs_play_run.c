/* Whole plays, each in a process of its own; see xs_play.h. */
#include "xs_play.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLAY_SECONDS 300

static void *share(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        abort();
    return p;
}

struct play *play_new(void)
{
    return share(sizeof(struct play));
}

void play_free(struct play *p)
{
    munmap(p, sizeof(*p));
}

static void note_failure(struct outcome *o, uint32_t at, const char *why)
{
    if (why)
        snprintf(o->why, sizeof(o->why), "step %u: %.900s", at + 1, why);
    o->failed = why != NULL;
}

/* In the process: the steps, or as many as are to be made up. */
static void act(struct play *p, struct maker *k, uint32_t n, struct outcome *o)
{
    struct stage *s = stage_new();
    const struct model *m = stage_model(s);
    const char *why = NULL;

    for (uint32_t i = 0; i < n && !why; i++) {
        if (k) {
            p->step[i] = step_random(k, s);
            p->n = i + 1;
        }
        why = stage_step(s, &p->step[i]);
        note_failure(o, i, why);
    }
    o->commits = m->commits;
    o->merges = m->merges;
    o->conflicts = m->conflicts;
    o->maybes = m->maybes;
    o->refused = m->refused;
    why = stage_end(s);
    if (!o->failed)
        note_failure(o, n, why);
}

static const struct outcome *run(struct play *p, struct maker *k, uint32_t n)
{
    static struct outcome *o;
    int status = 0;
    pid_t pid;

    if (!o)
        o = share(sizeof(*o));
    memset(o, 0, sizeof(*o));
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0) {
        alarm(PLAY_SECONDS);
        act(p, k, n, o);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    if (status && !o->failed) {
        o->failed = true;
        snprintf(o->why, sizeof(o->why), "it ended with %s %d",
                 WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    return o;
}

const struct outcome *play_do(const struct play *p)
{
    return run((struct play *)p, NULL, p->n);
}

const struct outcome *play_make(struct play *p, uint64_t seed, uint32_t n)
{
    struct maker k;

    maker_init(&k, seed);
    p->n = 0;
    return run(p, &k, n);
}
