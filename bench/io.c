/*
 * The groups blk and net: data through the driver domain, beside the same on
 * the host alone. The guest is the far end, on the second processor. Disk
 * images are on tmpfs: the page cache of others would decide otherwise.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "session.h"
#include "tools/say.h"

#define DISK_BYTES (64u << 20)
#define TCP_BYTES  (256u << 20)

/* A file of DISK_BYTES that has all its pages. */
static int make_disk(char *path)
{
    int fd = mkstemp(path);
    char *block = calloc(1, 1 << 20);

    for (unsigned int i = 0; fd >= 0 && block && i < DISK_BYTES >> 20; i++) {
        memset(block, (int)i + 1, 1 << 20);
        if (write(fd, block, 1 << 20) != 1 << 20) {
            close(fd);
            unlink(path);
            fd = -1;
        }
    }
    free(block);
    return fd >= 0 ? fd : complain("cannot make a disk image on tmpfs");
}

#define DEPTH      32
#define SEQUENTIAL "pread, one at a time"

static int read_by_guest(struct bench_session *s, const struct bench_options *o,
                         const char *disk, unsigned int depth,
                         struct bench_series *iops)
{
    double value = 0;
    char job[64];
    int err;

    snprintf(job, sizeof(job), "randread %u", depth);
    err = session_measure(s, o, job, disk, "iops", &value);
    bench_add(iops, value);
    return err;
}

static int random_reads(struct bench_session *s, const struct bench_options *o,
                        int fd, const char *disk)
{
    struct bench_series one = { .n = 0 }, deep = { .n = 0 },
                        native_one = { .n = 0 }, native_deep = { .n = 0 };
    int err = 0;

    for (unsigned int i = 0; i < o->runs && !err; i++) {
        bench_add(&native_one, native_random_read(fd, DISK_BYTES));
        err = read_by_guest(s, o, disk, 1, &one);
        bench_add(&native_deep, native_random_read_deep(fd, DISK_BYTES, DEPTH));
        if (!err)
            err = read_by_guest(s, o, disk, DEPTH, &deep);
    }
    if (err)
        return err;
    bench_report(o, "blk.randread4k_qd1", &one, "1/s", &native_one, SEQUENTIAL);
    bench_report(o, "blk.randread4k_qd32", &deep, "1/s", &native_deep,
                 "io_submit, 32 at a time");
    /* What depth alone does, without a guest. */
    bench_report(o, "blk.native_randread4k_qd32", &native_deep, "1/s",
                 &native_one, SEQUENTIAL);
    return 0;
}

int bench_blk(const struct bench_options *o)
{
    char path[] = "/dev/shm/ringside-bench-XXXXXX", disk[64];
    struct bench_session s;
    int fd = make_disk(path), err;

    if (fd < 0)
        return fd;
    snprintf(disk, sizeof(disk), "%s,raw,xvda,w", path);
    err = session_open(&s, BENCH_ONE_CPU);
    s.guest_cpu = session_cpu(1);
    if (!err)
        err = random_reads(&s, o, fd, disk);
    session_close(&s);
    unlink(path);
    close(fd);
    return err;
}

/* Reads all that the guest's server sends; its bytes and time. */
static int download(uint16_t port, double *gbits)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static char buf[256 * 1024];
    uint64_t got = 0, start;
    ssize_t n;

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to))) {
        if (fd >= 0)
            close(fd);
        return complain("cannot connect to the bench guest: %s",
                        strerror(errno));
    }
    start = bench_now();
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        got += (uint64_t)n;
    *gbits = (double)got * 8 / (double)(bench_now() - start);
    close(fd);
    if (got != TCP_BYTES)
        return complain("the bench guest sent %llu bytes instead of %u",
                        (unsigned long long)got, TCP_BYTES);
    return 0;
}

int bench_net(const struct bench_options *o)
{
    struct bench_series ours = { .n = 0 }, native = { .n = 0 };
    struct bench_session s;
    struct bench_guest g;
    double gbits = 0, unused;
    char job[32];
    int err = session_open(&s, BENCH_ONE_CPU);

    s.guest_cpu = session_cpu(1);
    snprintf(job, sizeof(job), "serve %u", TCP_BYTES);
    if (!err)
        err =
            session_start(&s, o, &g, job, NULL, "type=nat,forward=tcp:0:5001");
    if (!err) {
        err = session_take(&g, "serving", &unused);
        for (unsigned int i = 0; i < o->runs && !err; i++) {
            bench_add(&native, native_tcp(TCP_BYTES, session_cpu(1)));
            err = download(g.config.vifs[0].forwards[0].host_port, &gbits);
            bench_add(&ours, gbits);
        }
        session_end(&g);
    }
    session_close(&s);
    if (!err)
        bench_report(o, "net.tcp_nat", &ours, "Gbit/s", &native,
                     "TCP over loopback");
    return err;
}
