/*
 * Plays frames to a guest (frames_guest.c) on a TAP device, in a network
 * namespace without a route.
 *
 *   DEVICE served            nothing more than the last line below
 *   DEVICE mss               an MSS option without SYN, while data waits
 *   DEVICE gaps              single bytes with gaps, on three connections
 *   DEVICE syns              a flood of SYNs from made-up addresses
 *   DEVICE play SEED COUNT   so many frames of tests/fuzz/net_play.c
 *
 * Afterwards the guest must accept a connection and repeat what is sent on it;
 * if not, the status is 1. Frames go in bursts that the driver domain's buffer
 * takes whole, each after the guest has had the one before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/net_play.h"
#include "tests/system/frames_wire.h"
#include "tests/unit/net_frame.h"

#define BURST        96
#define GAPS         40000
#define CHECK_EVERY  4096
#define SERVED_TRIES 60

static uint64_t sent, refused, seen, seen_data;
static const char *device;

/* An MSS of 1,460; windows that are scaled. */
static const unsigned char options[] = { 2, 4, 5, 0xb4, 1, 3, 3, 7 };

static bool flush(void)
{
    if (wire_flush())
        return true;
    fprintf(stderr, "the guest does not answer ARP\n");
    return false;
}

static bool served(void)
{
    for (int i = 0; i < SERVED_TRIES; i++)
        if (wire_served())
            return true;
    fprintf(stderr, "the guest serves nobody\n");
    return false;
}

static bool connected(struct wire_connection *c, uint16_t window,
                      size_t options_n)
{
    for (int i = 0; i < SERVED_TRIES; i++)
        if (wire_connect(c, window, options, options_n))
            return true;
    fprintf(stderr, "the guest accepts no connection\n");
    return false;
}

/* ---- known cases ---- */

/*
 * The guest repeats 2,800 bytes, of which the window takes 1,000; they are not
 * acknowledged.
 */
static bool play_mss(void)
{
    static const unsigned char small[] = { 2, 4, 0, 1 };
    static const unsigned char data[1400];
    const uint8_t flags = FRAME_ACK | FRAME_PSH;
    struct wire_connection c;

    if (!connected(&c, 1000, 4))
        return false;
    for (int i = 0; i < 2; i++) {
        wire_send_segment(&c, flags, 0, NULL, 0, data, sizeof(data));
        c.seq += sizeof(data);
        if (!wire_await(&c, 1000, 5000) || !flush())
            return false;
    }
    for (int i = 0; i < 2; i++) {
        wire_send_segment(&c, flags, 0, small, i ? 0 : sizeof(small), data, 10);
        c.seq += 10;
        if (!flush())
            return false;
    }
    return true;
}

static bool play_gaps(void)
{
    struct wire_connection c;

    for (int i = 0; i < 3; i++) {
        if (!connected(&c, 65535, sizeof(options)))
            return false;
        for (uint32_t n = 0; n < GAPS; n++) {
            if (n % 256 == 0 && !flush())
                return false;
            wire_send_segment(&c, FRAME_ACK, 1 + 2 * n, NULL, 0, "z", 1);
        }
    }
    return flush();
}

static void send_syn(uint32_t number)
{
    static unsigned char frame[FRAME_BYTES];
    uint32_t random = number * 2654435761u;
    struct frame_tcp t = {
        .src = 0x0a090100u + random % 60000,
        .dst = WIRE_GUEST,
        .sport = (uint16_t)(1024 + random % 60001),
        .dport = 80,
        .seq = random,
        .flags = FRAME_SYN,
        .window = 65535,
    };

    wire_send(frame, frame_make_tcp(&t, frame));
}

/* A real connection is accepted, although the flood goes on. */
static bool play_syns(void)
{
    static uint32_t number;

    for (int i = 0; i < SERVED_TRIES; i++) {
        for (int k = 0; k < 200; k++)
            send_syn(number++);
        if (!flush())
            return false;
        if (wire_served())
            return true;
    }
    fprintf(stderr, "the guest accepts no connection\n");
    return false;
}

/* ---- random ones ---- */

static void give(const void *frame, size_t n)
{
    if (wire_send(frame, n))
        sent++;
    else
        refused++;
}

static struct net_play play = { .guest = WIRE_GUEST,
                                .server = WIRE_SERVER,
                                .give = give };

static void see(const unsigned char *frame, size_t n)
{
    struct frame_tcp t;

    seen++;
    seen_data += frame_read_tcp(frame, n, &t) && t.n > 0;
    net_play_saw(&play, frame, n);
}

/* SplitMix64. */
static uint64_t next(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void step(uint64_t *state)
{
    uint8_t bytes[256]; /* no step reads more */
    struct net_bytes b = { bytes, bytes + sizeof(bytes) };

    for (size_t i = 0; i < sizeof(bytes); i += 8) {
        uint64_t v = next(state);

        memcpy(bytes + i, &v, 8);
    }
    net_play_step(&play, &b);
}

/* A counter of the device, as /sys has it. */
static uint64_t counter(const char *name)
{
    char path[200];
    unsigned long long n = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s", device,
             name);
    f = fopen(path, "r");
    if (!f)
        return 0;
    if (fscanf(f, "%llu", &n) != 1)
        n = 0;
    fclose(f);
    return n;
}

static void tell(const char *what)
{
    printf("%s %llu frames, %llu refused by the device, %llu lost before the "
           "driver domain; seen of the guest: %llu, %llu with TCP data\n",
           what, (unsigned long long)sent, (unsigned long long)refused,
           (unsigned long long)counter("tx_dropped"), (unsigned long long)seen,
           (unsigned long long)seen_data);
    fflush(stdout);
}

/*
 * Mostly a few frames, so that peers know the numbers of the guest's answers;
 * sometimes all that may be on their way.
 */
static void burst(uint64_t *state, uint64_t count)
{
    uint64_t n = next(state) % 16;
    uint64_t end = sent + (n == 0 ? BURST : n);

    while (sent < end && sent < count)
        step(state);
}

static bool play_random(uint64_t seed, uint64_t count)
{
    uint64_t check = CHECK_EVERY, progress = 0;

    net_play_reset(&play);
    while (sent < count) {
        burst(&seed, count);
        if (!flush())
            return false;
        if (sent < check)
            continue;
        check = sent + CHECK_EVERY;
        if (!served())
            return false;
        if (++progress % 32 == 0)
            tell("so far");
    }
    return true;
}

static bool run(int argc, char **argv)
{
    const char *what = argv[2];

    if (strcmp(what, "served") == 0)
        return true;
    if (strcmp(what, "mss") == 0)
        return play_mss();
    if (strcmp(what, "gaps") == 0)
        return play_gaps();
    if (strcmp(what, "syns") == 0)
        return play_syns();
    if (argc == 5 && strcmp(what, "play") == 0)
        return play_random(strtoull(argv[3], NULL, 0),
                           strtoull(argv[4], NULL, 0));
    fprintf(stderr, "what is %s?\n", what);
    exit(2);
}

int main(int argc, char **argv)
{
    bool good;

    if (argc < 3) {
        fprintf(stderr, "usage: %s DEVICE WHAT\n", argv[0]);
        return 2;
    }
    device = argv[1];
    wire_open(device, see);
    good = run(argc, argv) && served();
    if (sent)
        tell(good ? "sent" : "failed after");
    return good ? 0 : 1;
}
