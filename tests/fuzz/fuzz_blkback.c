/*
 * A hostile block frontend: the input is what it writes to its ring and to its
 * pages, and when. The disk checks that every access is inside it and that
 * every piece lies in a granted page; at the end nothing may stay mapped.
 *
 * Input: one byte of options, then records. A record begins with a byte:
 *   0..111    a slot (this number modulo the ring's size), 112 bytes follow
 *   112..119  all slots, with the same 112 bytes that follow; the producer
 *             index advances as far as it may, then service
 *   120..127  what is added to the producer index, as a signed byte that
 *             follows, in the middle of the next service: when its first
 *             request reaches the disk, or a page is mapped for it
 *   128..191  the start of a page, 64 bytes follow
 *   192..223  the producer index advances by the low bits, then service
 *   224..231  the producer index is set to the 4 bytes that follow, then
 *             service
 *   232..239  the producer index goes back by 1 to 8, then service
 *   240..255  held disk requests complete (odd: all, even: up to 8), then
 *             service
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "blk_request.h"
#include "blkback.h"
#include "fake_host.h"
#include "ring_poll.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DISK_SECTORS   64
#define RING_REF       1
#define FIRST_DATA_REF 8

static struct ring_poll *poller;
static struct disk_io *held[64];
static unsigned int n_held, n_slots;
static bool hold, failed;
static int8_t meddle; /* see records 120..127 */

static void guest_meddles(void)
{
    blkif_sring_t *sring = fake_page(RING_REF);

    sring->req_prod += (RING_IDX)(int)meddle;
    meddle = 0;
}

/* ---- what blkback_ring.c sees of the rest ---- */

void ring_poll_init(struct poll_room *room, struct ring_poll *p)
{
    (void)room;
    poller = p;
    p->active = false;
}

int ring_poll_bind(struct ring_poll *p, int fd)
{
    (void)p;
    (void)fd;
    return 0;
}

void ring_poll_kick(struct ring_poll *p)
{
    p->active = true;
}

void ring_poll_remove(struct ring_poll *p)
{
    p->active = false;
}

void dev_fail(struct xenbus_device *d, const char *fmt, ...)
{
    (void)d;
    (void)fmt;
    failed = true;
}

void dev_log(struct xenbus_device *d, const char *fmt, ...)
{
    (void)d;
    (void)fmt;
}

void xenbus_backend_disconnected(struct xenbus_device *d)
{
    (void)d;
    poller = NULL;
}

/* ---- the disk ---- */

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static void check_io(const struct disk_io *io)
{
    uint64_t sum = 0;

    if (io->op == DISK_FLUSH)
        return;
    demand(io->offset <= DISK_SECTORS * 512);
    demand(io->length <= DISK_SECTORS * 512 - io->offset);
    if (io->op == DISK_DISCARD)
        return;
    for (unsigned int i = 0; i < io->n_iov; i++) {
        char *at = io->iov[i].iov_base;

        demand(at >= fake.memory);
        demand(at + io->iov[i].iov_len <= fake.memory + FAKE_PAGES * 4096);
        demand(fake.mapped[(at - fake.memory) / 4096] > 0);
        sum += io->iov[i].iov_len;
    }
    demand(sum == io->length);
}

static void disk_submit(struct disk *disk, struct disk_io *io)
{
    (void)disk;
    guest_meddles();
    check_io(io);
    if (hold) {
        demand(n_held < 64); /* more than the ring has slots */
        held[n_held++] = io;
    } else
        io->done(io, io->offset & 512 ? -5 : 0);
}

static void disk_kick(struct disk *disk)
{
    (void)disk;
}

/* The first `max` of the requests that are held now. */
static void disk_release(unsigned int max)
{
    struct disk_io *now[64];
    unsigned int n = n_held < max ? n_held : max;

    memcpy(now, held, n * sizeof(now[0]));
    n_held -= n;
    memmove(held, held + n, n_held * sizeof(held[0]));
    for (unsigned int i = 0; i < n; i++)
        now[i]->done(now[i], 0);
}

/* A disk whose held requests are done by the loop, one in each turn. */
static void disk_work(struct disk *disk, unsigned int budget)
{
    if (n_held)
        disk->loop_pages += 32;
    disk_release(budget == UINT_MAX ? 64 : 1);
}

/* ---- the frontend ---- */

static void service(void)
{
    for (int turns = 0; turns < 64; turns++) {
        if (!poller->active)
            return;
        if (!poller->service(poller, RING_POLL_QUANTUM) && poller->active &&
            !poller->arm(poller))
            poller->active = false;
    }
}

static size_t take(const uint8_t **data, size_t *left, void *out, size_t n)
{
    if (n > *left)
        n = *left;
    memcpy(out, *data, n);
    *data += n;
    *left -= n;
    return n;
}

static void record(const uint8_t **data, size_t *left)
{
    blkif_sring_t *sring = fake_page(RING_REF);
    uint8_t what;
    uint32_t prod;

    take(data, left, &what, 1);
    if (what < 112) {
        take(data, left, &sring->ring[what % n_slots], 112);
    } else if (what < 120) {
        take(data, left, &sring->ring[0], 112);
        for (unsigned int i = 1; i < n_slots; i++)
            sring->ring[i] = sring->ring[0];
        sring->req_prod = sring->rsp_prod + n_slots;
        poller->active = !failed;
        service();
    } else if (what < 128) {
        take(data, left, &meddle, 1);
    } else if (what < 192) {
        take(data, left, fake_page(FIRST_DATA_REF + what % 8), 64);
    } else if (what < 240) {
        prod = sring->req_prod + (what & 31);
        if (what >= 232)
            prod = sring->req_prod - (what & 7) - 1;
        else if (what >= 224)
            take(data, left, &prod, 4);
        sring->req_prod = prod;
        poller->active = !failed;
        service();
    } else {
        disk_release(what & 1 ? 64 : what / 2 % 8 + 1);
        service();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct disk_ops ops = { .submit = disk_submit,
                                         .kick = disk_kick };
    static const struct disk_ops sliced = { .submit = disk_submit,
                                            .kick = disk_kick,
                                            .work = disk_work };
    struct disk disk = { .ops = size && data[0] & 64 ? &sliced : &ops,
                         .sectors = DISK_SECTORS };
    struct xenbus_device dev = { .frontend_id = 7 };
    struct driver driver = { 0 };
    struct blk_ring_config config = { .refs = { RING_REF, RING_REF + 1 } };
    struct blk_ring *ring;

    if (size < 1)
        return 0;
    fake_host_reset();
    n_held = 0;
    failed = false;
    meddle = 0;
    hold = data[0] & 1;
    config.persistent = data[0] & 2;
    disk.read_only = data[0] & 4;
    disk.can_discard = data[0] & 8;
    config.n_refs = data[0] & 32 ? 2 : 1;
    n_slots = data[0] & 32 ? 64 : 32;
    fake.denied[FIRST_DATA_REF + 7] = true;
    dev.driver = &driver;
    demand(blk_ring_connect(&dev, &disk, data[0] & 16 ? 1024 : 16, &config,
                            &ring) == 0);
    data++;
    size--;
    while (size)
        record(&data, &size);
    if (blk_ring_disconnect(ring)) {
        while (n_held)
            disk_release(64);
        demand(poller == NULL);
    }
    demand(fake.maps == 0 && fake.bound == 0);
    return 0;
}
