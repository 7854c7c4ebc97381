/*
 * The guest of `ringside bench`: does the job that its command line names and
 * says what it measured in lines "KEY VALUE" on the hypervisor's console, so
 * that no device is in the way.
 *
 *   idle            "main T" at once (T: system time), then nothing for ever
 *   devices         connects xvda and its network card, then nothing
 *   trap N          N hypercalls, "ns" for one
 *   send N          N event sends, "ns" for one
 *   pong            "ready P" (a port), then answers each event of the next
 *                   domain
 *   ping D P N      N round trips with port P of domain D, "ns" for one
 *   randread DEPTH  4 KiB reads of xvda, "iops"
 *   vecho           "ready 0", then sends back what the domain in data/peer
 *                   sends over a vchan
 *   vsink MIB       the same, but takes so much and sends one byte
 *   vping D 0 N     N round trips over the vchan of domain D, "ns" for one
 *   vsend D 0 MIB   so much into the vchan of domain D, "gbit" a second
 *   serve BYTES     sends as much to whoever connects to TCP port 5001
 */
#include <ringside/blk.h>
#include <ringside/guest.h>
#include <ringside/net.h>
#include <ringside/vchan.h>

#include <lwip/sockets.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libhypercall/hypercall.h"

#define BLOCK   4096
#define READ_NS 1000000000u /* for so long */

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
    char line[80];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    hypercall_console_write(line, (unsigned int)n);
}

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
    struct blk *disk;

    (void)argv;
    if (blk_open("xvda", &disk) || rs_net_up(RS_FOREVER))
        return 1;
    sleep_for_ever();
}

static int idle(char **argv)
{
    (void)argv;
    say_now("main");
    sleep_for_ever();
}

static int trap(char **argv)
{
    unsigned int n = (unsigned int)strtoul(argv[0], NULL, 10);
    uint64_t start = rs_now();

    for (unsigned int i = 0; i < n; i++)
        hypercall_xen_version(XENVER_version, NULL, 0);
    say("ns %.1f\n", (double)(rs_now() - start) / n);
    return 0;
}

/* To a port of our own: what is sent arrives nowhere else. */
static int send_events(char **argv)
{
    unsigned int n = (unsigned int)strtoul(argv[0], NULL, 10);
    evtchn_port_t there, here;
    uint64_t start;

    if (hypercall_evtchn_alloc_unbound(DOMID_SELF, &there) ||
        hypercall_evtchn_bind_interdomain(DOMID_SELF, there, &here))
        return 1;
    start = rs_now();
    for (unsigned int i = 0; i < n; i++)
        hypercall_evtchn_send(here);
    say("ns %.1f\n", (double)(rs_now() - start) / n);
    return 0;
}

static int own_domid(void)
{
    char *text;
    int domid;

    if (rs_store_read("domid", &text))
        return -1;
    domid = (int)strtol(text, NULL, 10);
    free(text);
    return domid;
}

static int pong(char **argv)
{
    struct rs_event *e;

    (void)argv;
    if (rs_event_listen((unsigned int)own_domid() + 1, &e))
        return 1;
    say("ready %u\n", rs_event_port(e));
    for (;;) {
        rs_event_wait(e, RS_FOREVER);
        rs_event_notify(e);
    }
}

static int ping(char **argv)
{
    unsigned int domid = (unsigned int)strtoul(argv[0], NULL, 10);
    unsigned int port = (unsigned int)strtoul(argv[1], NULL, 10);
    unsigned int n = (unsigned int)strtoul(argv[2], NULL, 10);
    struct rs_event *e;
    uint64_t start;

    if (rs_event_connect(domid, port, &e))
        return 1;
    rs_event_wait(e, 10000000); /* a bind raises the port once */
    start = rs_now();
    for (unsigned int i = 0; i < n; i++) {
        rs_event_notify(e);
        rs_event_wait(e, RS_FOREVER);
    }
    say("ns %.1f\n", (double)(rs_now() - start) / n);
    return 0;
}

/* ---- vchan ---- */

#define VCHAN      "data/vchan"
#define VCHAN_RING (256 * 1024)
#define MIB        (1ull << 20)

/* All n bytes. */
static bool vchan_read_all(struct rs_vchan *v, char *buf, size_t n)
{
    while (n) {
        long got = rs_vchan_read(v, buf, n);

        if (got <= 0)
            return false;
        buf += got;
        n -= (size_t)got;
    }
    return true;
}

static void peer_named(void *arg, const char *path)
{
    (void)path;
    rs_semaphore_up(arg);
}

/* Who comes: the harness writes it into data/peer. */
static unsigned int wait_for_peer(void)
{
    struct rs_semaphore *named = rs_semaphore_new(0);
    struct rs_watch *w;
    char *text;
    unsigned int domid;

    rs_store_watch("data/peer", peer_named, named, &w);
    do
        rs_semaphore_down(named, RS_FOREVER);
    while (rs_store_read("data/peer", &text));
    domid = (unsigned int)strtoul(text, NULL, 10);
    free(text);
    return domid;
}

static struct rs_vchan *vchan_for_peer(void)
{
    struct rs_vchan *v;

    say("ready 0\n");
    return rs_vchan_listen(wait_for_peer(), VCHAN, VCHAN_RING, VCHAN_RING,
                           &v) == 0
               ? v
               : NULL;
}

static int vecho(char **argv)
{
    static char buf[VCHAN_RING / 2];
    struct rs_vchan *v = vchan_for_peer();
    long n = 1;

    (void)argv;
    while (v && n > 0) {
        n = rs_vchan_read(v, buf, sizeof(buf));
        if (n > 0)
            n = rs_vchan_write(v, buf, (size_t)n);
    }
    sleep_for_ever();
}

static int vsink(char **argv)
{
    static char buf[VCHAN_RING / 2];
    uint64_t bytes = strtoul(argv[0], NULL, 10) * MIB;
    struct rs_vchan *v = vchan_for_peer();

    for (uint64_t done = 0; v && done < bytes; done += sizeof(buf))
        if (!vchan_read_all(v, buf, sizeof(buf)))
            return 1;
    if (v)
        rs_vchan_write(v, "", 1);
    sleep_for_ever();
}

static struct rs_vchan *vchan_to(const char *domid)
{
    struct rs_vchan *v;

    if (rs_vchan_connect((unsigned int)strtoul(domid, NULL, 10), VCHAN,
                         RS_FOREVER, &v))
        return NULL;
    return v;
}

static int vping(char **argv)
{
    unsigned int n = (unsigned int)strtoul(argv[2], NULL, 10);
    struct rs_vchan *v = vchan_to(argv[0]);
    uint64_t count = 0, start = rs_now();

    for (unsigned int i = 0; i < n; i++)
        if (!v || rs_vchan_write(v, &count, sizeof(count)) < 0 ||
            !vchan_read_all(v, (char *)&count, sizeof(count)))
            return 1;
    say("ns %.1f\n", (double)(rs_now() - start) / n);
    return 0;
}

static int vsend(char **argv)
{
    static char buf[VCHAN_RING / 2];
    uint64_t bytes = strtoul(argv[2], NULL, 10) * MIB;
    struct rs_vchan *v = vchan_to(argv[0]);
    uint64_t start = rs_now();

    for (uint64_t done = 0; v && done < bytes; done += sizeof(buf))
        if (rs_vchan_write(v, buf, sizeof(buf)) < 0)
            return 1;
    if (!v || !vchan_read_all(v, buf, 1))
        return 1;
    say("gbit %.2f\n", (double)bytes * 8 / (double)(rs_now() - start));
    return 0;
}

/* ---- block ---- */

struct reads {
    struct blk *disk;
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
    return reads.random % (blk_sectors(reads.disk) / (BLOCK / BLK_SECTOR)) *
           (BLOCK / BLK_SECTOR);
}

/* One request is over: the next one of the same slot. */
static void read_done(struct blk_io *io, int err)
{
    reads.done++;
    io->sector = random_sector();
    if ((err || rs_now() >= reads.until || blk_submit(reads.disk, io)) &&
        --reads.running == 0)
        rs_semaphore_up(reads.ended);
}

static void read_deep(unsigned int depth)
{
    struct blk_io *io = calloc(depth, sizeof(*io));

    reads.ended = rs_semaphore_new(0);
    reads.running = depth;
    for (unsigned int i = 0; i < depth; i++) {
        io[i] = (struct blk_io){ .op = BLK_READ,
                                 .sectors = BLOCK / BLK_SECTOR,
                                 .sector = random_sector(),
                                 .buf = blk_buffer_alloc(reads.disk, BLOCK),
                                 .done = read_done };
        blk_submit(reads.disk, &io[i]);
    }
    rs_semaphore_down(reads.ended, RS_FOREVER);
}

static void read_one_by_one(void)
{
    void *page = blk_buffer_alloc(reads.disk, BLOCK);

    while (rs_now() < reads.until &&
           blk_read(reads.disk, random_sector(), page, BLOCK / BLK_SECTOR) == 0)
        reads.done++;
}

static int randread(char **argv)
{
    unsigned int depth = (unsigned int)strtoul(argv[0], NULL, 10);
    uint64_t start;

    if (blk_open("xvda", &reads.disk))
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
    { "devices", 0, devices },   { "idle", 0, idle },   { "trap", 1, trap },
    { "send", 1, send_events },  { "pong", 0, pong },   { "ping", 3, ping },
    { "randread", 1, randread }, { "serve", 1, serve }, { "vecho", 0, vecho },
    { "vping", 3, vping },       { "vsend", 3, vsend }, { "vsink", 1, vsink },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(jobs) / sizeof(jobs[0]); i++)
        if (!strcmp(jobs[i].name, argv[1]) && argc == jobs[i].words + 2)
            return jobs[i].run(argv + 2);
    printf("this guest is for `ringside bench`\n");
    return 1;
}
