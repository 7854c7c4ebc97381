/*
 * The guest of `ringside bench`: does the job that its command line names and
 * says what it measured in lines "KEY VALUE" on the hypervisor's console, so
 * that no device is in the way.
 *
 *   idle            "main T" at once (T: system time), then nothing for ever
 *   member          "main T", connects xvda and its network card, "up T" when
 *                   that has an address, then nothing
 *   devices         connects xvda and its network card, then nothing
 *   randread DEPTH  4 KiB reads of xvda, "iops"
 *   serve BYTES     sends as much to whoever connects to TCP port 5001
 */
#include <ringside/blk.h>
#include <ringside/guest.h>
#include <ringside/net.h>

#include <lwip/sockets.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/guest_say.h"

#define BLOCK   4096
#define READ_NS 1000000000u /* for so long */

static void say_now(const char *key)
{
    say("%s %llu\n", key, (unsigned long long)rs_now());
}

static _Noreturn void sleep_for_ever(void)
{
    for (;;)
        rs_sleep(RS_FOREVER);
}

/* Each connects as soon as it is opened. */
static int devices(char **argv)
{
    struct rs_blk *disk;

    (void)argv;
    if (rs_blk_open("xvda", &disk) || rs_net_up(RS_FOREVER))
        return 1;
    sleep_for_ever();
}

static int member(char **argv)
{
    struct rs_blk *disk;

    (void)argv;
    say_now("main");
    if (rs_blk_open("xvda", &disk) || rs_net_up(RS_FOREVER))
        return 1;
    say_now("up");
    sleep_for_ever();
}

static int idle(char **argv)
{
    (void)argv;
    say_now("main");
    sleep_for_ever();
}

/* ---- block ---- */

struct reads {
    struct rs_blk *disk;
    uint64_t until, random, done;
    unsigned int running;
    struct rs_semaphore *ended;
};

static struct reads reads;

static uint64_t random_sector(void)
{
    reads.random ^= reads.random << 13;
    reads.random ^= reads.random >> 7;
    reads.random ^= reads.random << 17;
    return reads.random %
           (rs_blk_sectors(reads.disk) / (BLOCK / RS_BLK_SECTOR)) *
           (BLOCK / RS_BLK_SECTOR);
}

/* One request is over: the next one of the same slot. */
static void read_done(struct rs_blk_io *io, int err)
{
    reads.done++;
    io->sector = random_sector();
    if ((err || rs_now() >= reads.until || rs_blk_submit(reads.disk, io)) &&
        --reads.running == 0)
        rs_semaphore_up(reads.ended);
}

static void read_deep(unsigned int depth)
{
    struct rs_blk_io *io = calloc(depth, sizeof(*io));

    reads.ended = rs_semaphore_new(0);
    reads.running = depth;
    for (unsigned int i = 0; i < depth; i++) {
        io[i] =
            (struct rs_blk_io){ .op = RS_BLK_READ,
                                .sectors = BLOCK / RS_BLK_SECTOR,
                                .sector = random_sector(),
                                .buf = rs_blk_buffer_alloc(reads.disk, BLOCK),
                                .done = read_done };
        rs_blk_submit(reads.disk, &io[i]);
    }
    rs_semaphore_down(reads.ended, RS_FOREVER);
}

static void read_one_by_one(void)
{
    void *page = rs_blk_buffer_alloc(reads.disk, BLOCK);

    while (rs_now() < reads.until &&
           rs_blk_read(reads.disk, random_sector(), page,
                       BLOCK / RS_BLK_SECTOR) == 0)
        reads.done++;
}

static int randread(char **argv)
{
    unsigned int depth = (unsigned int)strtoul(argv[0], NULL, 10);
    uint64_t start;

    if (rs_blk_open("xvda", &reads.disk))
        return 1;
    reads.random = 88172645463325252u;
    start = rs_now();
    reads.until = start + READ_NS;
    if (depth > 1)
        read_deep(depth);
    else
        read_one_by_one();
    say("iops %.0f\n", (double)reads.done / ((double)(rs_now() - start) / 1e9));
    return 0;
}

/* ---- net ---- */

static void send_all(int fd, uint64_t bytes)
{
    static char buf[256 * 1024];

    while (bytes) {
        ssize_t n = send(fd, buf, bytes < sizeof(buf) ? bytes : sizeof(buf), 0);

        if (n <= 0)
            return;
        bytes -= (uint64_t)n;
    }
}

static int serve(char **argv)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(5001) };
    uint64_t bytes = strtoul(argv[0], NULL, 10);
    int listener, fd;

    if (rs_net_up(RS_FOREVER))
        return 1;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) ||
        listen(listener, 4))
        return 1;
    say_now("serving");
    for (;;) {
        fd = accept(listener, NULL, NULL);
        if (fd >= 0)
            send_all(fd, bytes);
        close(fd);
    }
}

static const struct {
    const char *name;
    int words;
    int (*run)(char **argv);
} jobs[] = {
    { "devices", 0, devices },   { "idle", 0, idle },   { "member", 0, member },
    { "randread", 1, randread }, { "serve", 1, serve },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(jobs) / sizeof(jobs[0]); i++)
        if (!strcmp(jobs[i].name, argv[1]) && argc == jobs[i].words + 2)
            return jobs[i].run(argv + 2);
    printf("this guest is for `ringside bench`\n");
    return 1;
}
