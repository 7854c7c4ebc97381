/*
 * Baselines: the same kind of work done by plain Linux processes.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define READS 200000
#define BLOCK 4096

uint64_t bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void native_pin(int cpu)
{
    cpu_set_t one;

    if (cpu < 0)
        return;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
}

double native_random_read(int fd, uint64_t bytes)
{
    static char buf[BLOCK];
    uint64_t start, x = 88172645463325252u;

    start = bench_now();
    for (int i = 0; i < READS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        if (pread(fd, buf, BLOCK, (off_t)(x % (bytes / BLOCK) * BLOCK)) !=
            BLOCK)
            return -1;
    }
    return READS / ((double)(bench_now() - start) / 1e9);
}

double native_fork(void)
{
    uint64_t start = bench_now();
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    if (pid < 0 || waitpid(pid, NULL, 0) != pid)
        return -1;
    return (double)(bench_now() - start) / 1e3;
}

#define CHUNK (256 * 1024)

static _Noreturn void send_all(int fd, uint64_t bytes)
{
    static char buf[CHUNK];

    while (bytes) {
        ssize_t n = write(fd, buf, bytes < CHUNK ? bytes : CHUNK);

        if (n <= 0)
            _exit(1);
        bytes -= (uint64_t)n;
    }
    _exit(0);
}

static _Noreturn void connect_and_send(int port, uint64_t bytes)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = (in_port_t)port,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
        _exit(1);
    send_all(fd, bytes);
}

/* Until the other end closes; closes the socket. */
static uint64_t receive_all(int fd)
{
    static char buf[CHUNK];
    uint64_t got = 0;
    ssize_t n;

    while (fd >= 0 && (n = read(fd, buf, CHUNK)) > 0)
        got += (uint64_t)n;
    close(fd);
    return got;
}

double native_tcp(uint64_t bytes)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    uint64_t start = 0, got = 0;
    pid_t pid = -1;

    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 1) ||
        getsockname(fd, (struct sockaddr *)&at, &len))
        goto out;
    start = bench_now();
    pid = fork();
    if (pid == 0)
        connect_and_send(at.sin_port, bytes);
    if (pid > 0)
        got = receive_all(accept(fd, NULL, NULL));
    start = bench_now() - start;
out:
    close(fd);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return got == bytes ? (double)bytes * 8 / (double)start : -1;
}

double native_socket_stream(uint64_t bytes, int cpu)
{
    uint64_t start = bench_now(), got = 0;
    pid_t pid;
    int fd[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
        return -1;
    pid = fork();
    if (pid == 0) {
        native_pin(cpu);
        send_all(fd[1], bytes);
    }
    close(fd[1]);
    got = receive_all(fd[0]);
    start = bench_now() - start;
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return got == bytes ? (double)bytes * 8 / (double)start : -1;
}
