/*
 * Baselines: the same kind of work done by plain Linux processes.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/aio_abi.h>

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

/* A block's place in so many bytes; the next number of the sequence x. */
static off_t random_block(uint64_t *x, uint64_t bytes)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return (off_t)(*x % (bytes / BLOCK) * BLOCK);
}

#define SEED 88172645463325252u

double native_random_read(int fd, uint64_t bytes)
{
    static char buf[BLOCK];
    uint64_t start = bench_now(), x = SEED;

    for (int i = 0; i < READS; i++)
        if (pread(fd, buf, BLOCK, random_block(&x, bytes)) != BLOCK)
            return -1;
    return READS / ((double)(bench_now() - start) / 1e9);
}

#define DEPTH_MAX 64

/* Reads until READS are done; each that ends makes way for another. */
static int read_deep(aio_context_t ctx, int fd, uint64_t bytes, long depth)
{
    static char buf[DEPTH_MAX][BLOCK];
    static struct iocb cb[DEPTH_MAX];
    struct io_event done[DEPTH_MAX];
    struct iocb *list[DEPTH_MAX];
    long n = depth, left = READS;
    uint64_t x = SEED;

    for (long i = 0; i < depth; i++)
        done[i].data = (uint64_t)i;
    while (left > 0) {
        for (long i = 0; i < n; i++) {
            uint64_t k = done[i].data;

            cb[k] = (struct iocb){ .aio_data = k,
                                   .aio_lio_opcode = IOCB_CMD_PREAD,
                                   .aio_fildes = (uint32_t)fd,
                                   .aio_buf = (uintptr_t)buf[k],
                                   .aio_nbytes = BLOCK,
                                   .aio_offset = random_block(&x, bytes) };
            list[i] = &cb[k];
        }
        if (syscall(SYS_io_submit, ctx, n, list) != n)
            return -1;
        n = syscall(SYS_io_getevents, ctx, 1L, depth, done, NULL);
        for (long i = 0; i < n; i++)
            if (done[i].res != BLOCK)
                return -1;
        if (n < 1)
            return -1;
        left -= n;
    }
    return 0;
}

double native_random_read_deep(int fd, uint64_t bytes, unsigned int depth)
{
    aio_context_t ctx = 0;
    uint64_t start;
    int err;

    if (depth > DEPTH_MAX || syscall(SYS_io_setup, depth, &ctx))
        return -1;
    start = bench_now();
    err = read_deep(ctx, fd, bytes, depth);
    start = bench_now() - start;
    syscall(SYS_io_destroy, ctx);
    return err ? -1 : READS / ((double)start / 1e9);
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

double native_tcp(uint64_t bytes, int cpu)
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
    if (pid == 0) {
        native_pin(cpu);
        connect_and_send(at.sin_port, bytes);
    }
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
