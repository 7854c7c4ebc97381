/*
 * A hostile block backend: the input is what it writes to the ring and the pool
 * of a disk, and what the guest does meanwhile. Every slot and every pool page
 * is in one place, and every request ends once.
 *
 * Input: records, each begun by a byte:
 *   0..63     a request: operation and size (1), place (1); 63: forty of them
 *   64..95    a response: id (1), status (1)
 *   96..127   a proper response to the oldest request that is open
 *   128..159  offset (2), 8 bytes into the ring's page
 *   160..175  rsp_prod (1: add, signed)
 *   176..191  page (1), offset (2), 8 bytes into the pool
 *   192..223  an event; 224..239: poll, arm
 *   240..255  the connection is lost; if it broke, or now, there is a new one
 */
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"
#include "frontends/blkfront.h"
#include "guest-kernel/pages.h"
#include "tests/fuzz/input.h"

#define IOS 100

static struct rs_blk disk;
static struct rs_blk_io io[IOS];
static bool open[IOS];
static char buffers[4][RS_BLK_IO_SECTORS * RS_BLK_SECTOR];
static char *shared; /* of rs_blk_buffer_alloc() */

static void io_done(struct rs_blk_io *done, int err)
{
    size_t i = (size_t)(done - io);

    demand(i < IOS && open[i]);
    demand(err <= 0);
    open[i] = false;
}

static void submit(void)
{
    unsigned int how = take(1), place = take(1), i = 0;

    while (i < IOS && open[i])
        i++;
    if (i == IOS)
        return;
    io[i] = (struct rs_blk_io){
        .op = (enum rs_blk_op)(how & 3),
        .sector = place,
        .sectors = how >> 2 == 63 ? UINT64_MAX : (how >> 2) * 2,
        .buf = place & 1 ? buffers[place >> 1 & 3] : shared + place * 64,
        .done = io_done,
    };
    open[i] = true;
    if (rs_blk_submit(&disk, &io[i]))
        open[i] = false;
}

static void check(void)
{
    unsigned int slots = disk.n_free_slots, pages = disk.n_free_pages;
    unsigned char seen[BLKFRONT_POOL] = { 0 };

    for (unsigned int i = 0; i < disk.n_free_pages; i++)
        seen[disk.free_page[i]]++;
    for (unsigned int i = 0; i < BLKFRONT_SLOTS; i++) {
        const struct blkfront_slot *s = &disk.slot[i];

        if (!s->io)
            continue;
        demand(open[s->io - io]);
        slots++;
        pages += s->n_pages;
        for (unsigned int p = 0; p < s->n_pages; p++)
            seen[s->page[p]]++;
    }
    demand(slots == BLKFRONT_SLOTS && pages == BLKFRONT_POOL);
    for (unsigned int i = 0; i < BLKFRONT_POOL; i++)
        demand(seen[i] == 1);
}

static void connect(void)
{
    blkif_sring_t *sring = disk.ring.sring;

    disk.phase = BLKFRONT_IDLE;
    blkfront_requeue(&disk);
    XEN_FRONT_RING_INIT(&disk.ring, sring, PAGE_SIZE);
    disk.phase = BLKFRONT_CONNECTED;
    blkfront_pump(&disk);
}

static void poke(void *page)
{
    unsigned int at = take(2) % PAGE_SIZE;

    for (unsigned int i = 0; i < 8 && at + i < PAGE_SIZE; i++)
        ((unsigned char *)page)[at + i] = (unsigned char)take(1);
}

static void respond(uint64_t id, int16_t status)
{
    RING_IDX i = disk.ring.sring->rsp_prod++;

    *RING_GET_RESPONSE(&disk.ring, i) =
        (struct blkif_response){ .id = id, .status = status };
}

static void respond_properly(void)
{
    for (unsigned int i = 0; i < BLKFRONT_SLOTS; i++)
        if (disk.slot[i].io) {
            respond(i, BLKIF_RSP_OKAY);
            return;
        }
}

static void step(void)
{
    unsigned int what = take(1), id;

    switch (what / 16) {
    case 0 ... 3:
        for (id = what == 63 ? 40 : 1; id; id--)
            submit();
        break;
    case 4 ... 5:
        id = take(1);
        respond(id, (int8_t)take(1));
        break;
    case 6 ... 7:
        respond_properly();
        break;
    case 8 ... 9:
        poke(disk.ring.sring);
        break;
    case 10:
        disk.ring.sring->rsp_prod += (RING_IDX)(int8_t)take(1);
        break;
    case 11:
        poke(disk.pool + take(1) % BLKFRONT_POOL * PAGE_SIZE);
        break;
    case 12 ... 13:
        blkfront_event(1, &disk);
        break;
    case 14:
        if (!blkfront_poll(&disk))
            blkfront_arm(&disk);
        break;
    default:
        connect();
    }
    check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_begin(data, size < 20000 ? size : 20000);
    fake_guest_reset(false);
    memset(&disk, 0, sizeof(disk));
    memset(open, 0, sizeof(open));
    wait_queue_init(&disk.changed);
    blkfront_reset_slots(&disk);
    disk.sectors = 256;
    disk.can_flush = disk.can_discard = true;
    disk.pool = pages_alloc_zeroed(BLKFRONT_POOL);
    disk.ring.sring = pages_alloc_zeroed(1);
    shared = rs_blk_buffer_alloc(&disk, 16 * PAGE_SIZE);
    demand(disk.pool && disk.ring.sring && shared);
    connect();
    while (input_left)
        step();
    blkfront_fail_all(&disk, -1);
    for (unsigned int i = 0; i < IOS; i++)
        demand(!open[i]);
    blkfront_free_buffers(&disk);
    return 0;
}
