/*
 * A hostile end of the console's ring: the input is what it writes to the page,
 * and what the guest writes and reads meanwhile. All that the guest writes
 * goes to the ring or to the log, whole and in order where the other end lets
 * it; a thread that writes comes back unless the ring is full in all honesty.
 *
 * Input: records, each begun by a byte:
 *   0..63     out_cons: 1: add, signed; 64..79: 4 bytes, absolute
 *   80..95    in_prod: 1: add, signed; 96..111: 4 bytes, absolute
 *   112..127  offset (2), 4 bytes into the page
 *   128..143  the other end takes all there is; 144..159: leaves, or comes
 *   160..207  the guest writes: length (1, times 16)
 *   208..239  the guest reads, if there is something
 *   240..255  the guest flushes
 * While the guest sleeps, the first three lines go on.
 */
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"
#include "guest-kernel/console.h"
#include "guest-kernel/console_ring.h"
#include "guest-kernel/pages.h"
#include "tests/fuzz/input.h"

static struct xencons_interface *ring;
static const struct consfront *const front = &console_primary.front;
static jmp_buf stuck;

static void poke(void)
{
    unsigned int at = take(2) % (PAGE_SIZE - 4);

    for (unsigned int i = 0; i < 4; i++)
        ((unsigned char *)ring)[at + i] = (unsigned char)take(1);
}

/* One record of the other end; false: it is the guest's. */
static bool other_end(unsigned int what)
{
    switch (what / 16) {
    case 0 ... 3:
        ring->out_cons += (XENCONS_RING_IDX)(int8_t)take(1);
        return true;
    case 4:
        ring->out_cons = take(4);
        return true;
    case 5:
        ring->in_prod += (XENCONS_RING_IDX)(int8_t)take(1);
        return true;
    case 6:
        ring->in_prod = take(4);
        return true;
    case 7:
        poke();
        return true;
    case 8:
        ring->out_cons = ring->out_prod;
        return true;
    case 9:
        fake_guest.peer_bound = !fake_guest.peer_bound;
        return true;
    default:
        return false;
    }
}

static bool while_asleep(void)
{
    return input_left && *input < 160 && other_end(take(1));
}

static void check(void)
{
    demand(consfront_room(front) <= sizeof(ring->out));
    demand(consfront_unread(front) <= sizeof(ring->out));
    demand(consfront_available(front) <= sizeof(ring->in));
}

static void guest(unsigned int what)
{
    static char text[16 * 256];
    char buf[300];
    size_t n;

    switch (what / 16) {
    case 10 ... 12:
        if (!setjmp(stuck))
            console_write(text, take(1) * 16);
        else /* it may wait for who is there and does not read */
            demand(fake_guest.peer_bound && !consfront_out_broken(front));
        break;
    case 13 ... 14:
        if (!consfront_available(front) || setjmp(stuck))
            break;
        n = console_read(buf, 1 + take(1) % sizeof(buf));
        demand(n <= sizeof(buf));
        break;
    default:
        console_flush();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct start_info si = { 0 };

    input_begin(data, size < 4000 ? size : 4000);
    fake_guest_reset(false);
    fake_guest.other_side = while_asleep;
    fake_guest.stuck = &stuck;
    ring = pages_alloc(1);
    memset(ring, 0, PAGE_SIZE);
    si.console.domU.mfn = (uintptr_t)ring >> PAGE_SHIFT;
    si.console.domU.evtchn = 2;
    console_init(&si);
    while (input_left) {
        unsigned int what = take(1);

        fake_guest.sleeps = 0;
        fake_guest.sleeps_max = 300;
        if (!other_end(what))
            guest(what);
        check();
    }
    return 0;
}
