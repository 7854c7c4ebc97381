/*
 * vCPUs as threads: raised, lowered, looked at, chosen processors for. Each is
 * accounted by its files in /proc/PID/task/TID.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox.h"

/* ---- /proc ---- */

/* A file of a vCPU in /proc, as text; "" if it cannot be read. */
static void read_proc(const struct sandbox_vcpu *sv, const char *name,
                      char *buf, size_t size)
{
    char path[64];
    ssize_t n = -1;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", sv->vcpu->domain->pid,
             sv->tid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, buf, size - 1);
        close(fd);
    }
    buf[n > 0 ? n : 0] = '\0';
}

static int send_signal(const struct sandbox_vcpu *sv, int sig)
{
    return (int)syscall(SYS_tgkill, sv->vcpu->domain->pid, sv->tid, sig);
}

/*
 * The state letter of a thread in its stat: behind the last parenthesis, which
 * *after tells. A zombie is a process's first thread that ended; of others
 * there is no stat. (Nor is there if we have no descriptor left.)
 */
static char thread_state(const struct sandbox_vcpu *sv, char *buf, size_t size,
                         const char **after)
{
    char state = 'X';

    read_proc(sv, "stat", buf, size);
    *after = strrchr(buf, ')');
    if (*after && (*after)[1] == ' ')
        state = (*after)[2];
    if (state == 'Z' || (state == 'X' && send_signal(sv, 0) && errno == ESRCH))
        sandbox_vcpu_lost(sv);
    return state;
}

/* ---- up and down ---- */

/* The calling vCPU is blocked in our notification: count it as running. */
static bool is_asking(const struct sandbox_vcpu *sv)
{
    const struct sandbox_domain *sd = sv->vcpu->domain->engine;

    return sd->in_call && sd->caller == sv;
}

/*
 * A stopped thread runs no guest code; neither does one in a call that we
 * have not answered (it ignores SIGSTOP until then, and stops right after).
 */
bool sandbox_vcpu_stopped(const struct sandbox_vcpu *sv)
{
    const char *after;
    char buf[256], state;

    if (!sv->tid || sv->held.waits || is_asking(sv))
        return true;
    state = thread_state(sv, buf, sizeof(buf), &after);
    return state == 'T' || state == 't' || state == 'Z' || state == 'X';
}

void sandbox_fill_entry(struct vcpu *v)
{
    struct sandbox_page *p = sandbox_page_of(v);

    _Static_assert(sizeof(p->entry) == sizeof(v->entry), "the same registers");
    memcpy(&p->entry, &v->entry, sizeof(p->entry));
}

/* A vCPU's first time ends its start call; later ones the call in which it was
 * found to be down. */
void sandbox_vcpu_up(struct vcpu *v)
{
    struct sandbox_vcpu *sv = v->engine;

    if (!sv->held.waits)
        return; /* it has not noticed that it was down */
    sandbox_fill_entry(v);
    notify_release(sv);
}

/* Its next call will wait; the signal sees to it that there is one. */
void sandbox_vcpu_down(struct vcpu *v)
{
    struct sandbox_domain *sd = v->domain->engine;
    struct sandbox_vcpu *sv = v->engine;

    if (sd->caller != sv && sv->tid && !sd->dead && send_signal(sv, SIGURG) &&
        errno == ESRCH)
        sandbox_vcpu_lost(sv);
}

/* ---- what it does, and where ---- */

/* Behind the name in stat: the state, and 36 fields on the processor. */
static void read_place(const struct sandbox_vcpu *sv, struct vcpu_times *out)
{
    const char *p;
    char buf[512], state = thread_state(sv, buf, sizeof(buf), &p);

    out->blocked = (state == 'S' || state == 'D') && !is_asking(sv);
    for (int i = 0; i < 37 && p; i++)
        p = strchr(p + 1, ' ');
    if (p)
        out->cpu = atoi(p + 1);
}

/* Fields of schedstat: ran, waited for a processor (ns), how often. */
void sandbox_vcpu_times(struct vcpu *v, struct vcpu_times *out)
{
    const struct sandbox_vcpu *sv = v->engine;
    unsigned long long ran = 0, waited = 0;
    char buf[96];

    if (!sv || !sv->tid || v->domain->pid <= 0)
        return;
    read_proc(sv, "schedstat", buf, sizeof(buf));
    if (sscanf(buf, "%llu %llu", &ran, &waited) == 2) {
        out->running_ns = ran;
        out->runnable_ns = waited;
    }
    read_place(sv, out);
}

/* A thread that has not introduced itself yet is pinned when it does. */
int sandbox_vcpu_pin(struct vcpu *v, uint64_t cpus)
{
    const struct sandbox_vcpu *sv = v->engine;

    if (!sv || !sv->tid)
        return 0;
    return syscall(SYS_sched_setaffinity, sv->tid, sizeof(cpus), &cpus) < 0
               ? -errno
               : 0;
}
