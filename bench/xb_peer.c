/* The daemons of the group xenstore, and where who runs; see xb.h. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/say.h"
#include "xb.h"

#define READY_MS 10000

/* ---- placement ---- */

/* The n-th processor that this process may use, or the last of them. */
static int nth_cpu(const cpu_set_t *set, int n)
{
    int found = 0;

    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, set))
            continue;
        found = cpu;
        if (n-- == 0)
            break;
    }
    return found;
}

static cpu_set_t all_cpus;

static void place_on(int n)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(nth_cpu(&all_cpus, n), &one);
    sched_setaffinity(0, sizeof(one), &one);
}

static int old_policy;
static struct sched_param old_priority;

void xb_place_clients(void)
{
    struct sched_param real_time = { .sched_priority = 1 };

    sched_getaffinity(0, sizeof(all_cpus), &all_cpus);
    place_on(1);
    old_policy = sched_getscheduler(0);
    (void)sched_getparam(0, &old_priority);
    (void)sched_setscheduler(0, SCHED_FIFO, &real_time); /* if permitted */
    if (CPU_COUNT(&all_cpus) < 2)
        fprintf(stderr, "ringside: there is one processor: the store and its "
                        "clients share it\n");
}

void xb_place_back(void)
{
    (void)sched_setscheduler(0, old_policy, &old_priority);
    sched_setaffinity(0, sizeof(all_cpus), &all_cpus);
}

/* ---- daemons ---- */

/* Beside this command in a build tree, else where it was installed. */
static int find_store(char *path, size_t size)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n > 0) {
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        snprintf(path, size, "%s/ringside-xenstored", self);
        if (access(path, X_OK) == 0)
            return 0;
    }
    snprintf(path, size, "%s", BENCH_XENSTORED);
    if (access(path, X_OK) == 0)
        return 0;
    return complain("ringside-xenstored is neither next to this command nor at "
                    "%s",
                    path);
}

/* In the child. */
static _Noreturn void exec_store(const char *program, const char *socket,
                                 int ready)
{
    char fd[16];

    snprintf(fd, sizeof(fd), "%d", ready);
    execl(program, program, "--hypervisor", "none", "--socket", socket,
          "--ready-fd", fd, "--log", "/dev/null", (char *)NULL);
    _exit(127);
}

static _Noreturn void serve_echo(const char *path, int ready)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(addr.sun_path, path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        listen(fd, 128) || write(ready, "\n", 1) != 1)
        _exit(1);
    xb_echo_serve(fd);
}

static void start_child(const struct xb_peer *p, const char *program, int ready)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    place_on(0);
    if (p->echo)
        serve_echo(p->socket, ready);
    exec_store(program, p->socket, ready);
}

static int wait_ready(const struct xb_peer *p, int ready)
{
    struct pollfd pfd = { .fd = ready, .events = POLLIN };
    char c;

    if (poll(&pfd, 1, READY_MS) == 1 && read(ready, &c, 1) == 1)
        return 0;
    return complain("%s does not start",
                    p->echo ? "the baseline's daemon" : "ringside-xenstored");
}

int xb_peer_start(struct xb_peer *p, bool echo)
{
    char program[4200];
    int ready[2], err = find_store(program, sizeof(program));

    *p = (struct xb_peer){ .echo = echo, .pid = -1 };
    if (err)
        return err;
    strcpy(p->dir, "/tmp/ringside-bench-XXXXXX");
    if (!mkdtemp(p->dir) || pipe(ready)) {
        p->dir[0] = '\0';
        return complain("cannot make a directory in /tmp: %s", strerror(errno));
    }
    snprintf(p->socket, sizeof(p->socket), "%s/socket", p->dir);
    p->pid = fork();
    if (p->pid == 0)
        start_child(p, program, ready[1]);
    close(ready[1]);
    err = p->pid < 0 ? complain("cannot start a process: %s", strerror(errno))
                     : wait_ready(p, ready[0]);
    close(ready[0]);
    if (err)
        xb_peer_end(p);
    return err;
}

void xb_peer_end(struct xb_peer *p)
{
    if (p->pid > 0) {
        kill(p->pid, p->echo ? SIGKILL : SIGTERM);
        waitpid(p->pid, NULL, 0);
    }
    p->pid = -1;
    if (p->dir[0]) {
        unlink(p->socket);
        rmdir(p->dir);
    }
}

/* ---- what it has used ---- */

double xb_peer_cpu(const struct xb_peer *p)
{
    char path[64];
    double ns = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/schedstat", p->pid);
    f = fopen(path, "r");
    if (f && fscanf(f, "%lf", &ns) != 1)
        ns = 0;
    if (f)
        fclose(f);
    return ns;
}

double xb_peer_memory(const struct xb_peer *p)
{
    char path[64], line[128];
    double kib = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", p->pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "RssAnon: %lf", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib * 1024;
}
