/*
 * Baselines of two processes: round trips over what Linux has for it. The
 * other end is a child, on this processor or on another one.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "figures.h"
#include "tools/say.h"

#define STREAM_BYTES (512ull << 20)
#define NOT_AWAY     "there is one processor only"

static struct samples samples;

struct ends {
    int out, in;
};

/* Until the parent ends us. */
static _Noreturn void echo(struct ends e)
{
    uint64_t n;

    while (read(e.in, &n, sizeof(n)) == (ssize_t)sizeof(n) &&
           write(e.out, &n, sizeof(n)) == (ssize_t)sizeof(n))
        ;
    _exit(0);
}

static void round_trip(void *ends)
{
    const struct ends *e = ends;
    uint64_t n = 1;

    if (write(e->out, &n, sizeof(n)) != (ssize_t)sizeof(n) ||
        read(e->in, &n, sizeof(n)) != (ssize_t)sizeof(n))
        return;
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void close_ends(struct ends e)
{
    close(e.out);
    if (e.in != e.out)
        close(e.in);
}

/* cpu: the child's, -1: as ours. Closes all of them. */
static int measure(const char *name, struct ends ours, struct ends theirs,
                   int cpu)
{
    pid_t pid = fork();

    if (pid == 0) {
        native_pin(cpu);
        echo(theirs);
    }
    if (pid > 0) {
        samples_take(&samples, round_trip, &ours, 1);
        figure_add_samples(name, &samples);
        end_child(pid);
    }
    close_ends(ours);
    if (theirs.in != ours.out)
        close_ends(theirs);
    return pid > 0 ? 0 : complain("fork: no process for '%s'", name);
}

static int measure_pipes(const char *name, int cpu)
{
    int there[2], back[2];

    if (pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
        return complain("no pipe");
    return measure(name, (struct ends){ there[1], back[0] },
                   (struct ends){ back[1], there[0] }, cpu);
}

static int measure_eventfds(const char *name, int cpu)
{
    int there = eventfd(0, EFD_CLOEXEC), back = eventfd(0, EFD_CLOEXEC);

    if (there < 0 || back < 0)
        return complain("no eventfd");
    return measure(name, (struct ends){ there, back },
                   (struct ends){ back, there }, cpu);
}

static int measure_sockets(const char *name, int cpu)
{
    int fd[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
        return complain("no socket");
    return measure(name, (struct ends){ fd[0], fd[0] },
                   (struct ends){ fd[1], fd[1] }, cpu);
}

/* ---- a word, watched by both ---- */

struct words {
    uint64_t there __attribute__((aligned(64)));
    uint64_t back __attribute__((aligned(64)));
};

static _Noreturn void watch_word(struct words *w)
{
    for (;;)
        __atomic_store_n(&w->back, __atomic_load_n(&w->there, __ATOMIC_ACQUIRE),
                         __ATOMIC_RELEASE);
}

static void word_round_trip(void *arg)
{
    struct words *w = arg;
    uint64_t next = w->there + 1;

    __atomic_store_n(&w->there, next, __ATOMIC_RELEASE);
    while (__atomic_load_n(&w->back, __ATOMIC_ACQUIRE) != next)
        ;
}

/* A child on the other processor that gives each word back; -1: none. */
static pid_t start_words(int cpu, struct words **words)
{
    struct words *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = w == MAP_FAILED ? -1 : fork();

    if (pid == 0) {
        native_pin(cpu);
        watch_word(w);
    }
    *words = w;
    if (pid < 0)
        return pid;
    __atomic_store_n(&w->there, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&w->back, __ATOMIC_ACQUIRE) != 1)
        usleep(100); /* it may need our processor to get to its own */
    return pid;
}

static void end_words(pid_t pid, struct words *w)
{
    if (pid > 0)
        end_child(pid);
    if (w != MAP_FAILED)
        munmap(w, sizeof(*w));
}

static int measure_word(int cpu)
{
    struct words *w;
    pid_t pid = start_words(cpu, &w);

    if (pid > 0) {
        samples_take(&samples, word_round_trip, w, 100);
        figure_add_samples("native.word_pingpong", &samples);
    }
    end_words(pid, w);
    return pid > 0 ? 0
                   : complain("no memory for a word that two processes watch");
}

#define TRIPS 10000

double native_distance_ns(int cpu)
{
    struct words *w;
    double ns = 0;
    uint64_t start;
    pid_t pid;

    if (cpu < 0)
        return 0;
    pid = start_words(cpu, &w);
    start = bench_now();
    for (unsigned int i = 0; i < TRIPS && pid > 0; i++)
        word_round_trip(w);
    if (pid > 0)
        ns = (double)(bench_now() - start) / TRIPS;
    end_words(pid, w);
    return ns;
}

/* ---- all ---- */

static int measure_across(int cpu)
{
    int err = measure_pipes("native.pipe_pingpong_across", cpu);

    if (!err)
        err = measure_eventfds("native.eventfd_pingpong_across", cpu);
    if (!err)
        err = measure_sockets("native.socket_pingpong_across", cpu);
    if (!err)
        err = measure_word(cpu);
    if (!err)
        figure_add_value("native.socket_stream",
                         native_socket_stream(STREAM_BYTES, cpu));
    return err;
}

static void leave_out_across(void)
{
    static const char *const names[] = {
        "native.pipe_pingpong_across",   "native.eventfd_pingpong_across",
        "native.socket_pingpong_across", "native.word_pingpong",
        "native.socket_stream",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        figure_leave_out(names[i], NOT_AWAY);
}

int native_peers(int away)
{
    int err = measure_pipes("native.pipe_pingpong", -1);

    if (!err)
        err = measure_eventfds("native.eventfd_pingpong", -1);
    if (err)
        return err;
    if (away >= 0)
        return measure_across(away);
    leave_out_across();
    return 0;
}
