/*
 * A hostile end of a vchan: the input is what it writes to the shared page
 * while the other end reads and writes. Nothing outside of the rings is touched
 * (the sanitizer sees that), and what an end that makes no sense breaks stays
 * broken.
 *
 * Input: which end we are and the orders of the rings (1 byte each), then
 * records, each begun by a byte:
 *   0..63     which index (1), 1: add, signed; 64..79: which (1), 4 bytes
 *   80..111   offset (2), 4 bytes into the page
 *   112..175  we read: length (2); 176..239: we write
 *   240..255  we ask to be told, and tell
 */
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/vchan_ring.h"
#include "tests/fuzz/input.h"

static struct vchan_interface *page;
static struct vchan_end e;

static uint32_t *index_of(unsigned int which)
{
    uint32_t *all[] = { &page->left.cons, &page->left.prod, &page->right.cons,
                        &page->right.prod };

    return all[which & 3];
}

static void poke(void)
{
    unsigned int at = take(2) % (PAGE_SIZE - 4);

    for (unsigned int i = 0; i < 4; i++)
        ((unsigned char *)page)[at + i] = (unsigned char)take(1);
}

static void move(bool in)
{
    static char buf[65536];
    size_t n = take(2), before = in ? e.in.mine : e.out.mine;
    bool broken = e.broken;
    size_t done = in ? vchan_get(&e, buf, n) : vchan_put(&e, buf, n);

    demand(done <= n && done <= (in ? e.in.size : e.out.size));
    demand((uint32_t)(before + done) == (in ? e.in.mine : e.out.mine));
    demand(!broken || (e.broken && done == 0));
}

static void step(void)
{
    unsigned int what = take(1), which;

    switch (what / 16) {
    case 0 ... 3:
        which = take(1);
        *index_of(which) += (uint32_t)(int8_t)take(1);
        break;
    case 4:
        which = take(1);
        *index_of(which) = take(4);
        break;
    case 5 ... 6:
        poke();
        break;
    case 7 ... 10:
        move(true);
        break;
    case 11 ... 14:
        move(false);
        break;
    default:
        vchan_request_event(&e, what & 3);
        vchan_must_notify(&e, what >> 2 & 3);
    }
    demand(vchan_readable(&e) <= e.in.size);
    demand(vchan_writable(&e) <= e.out.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned int left, right;
    char *l, *r;
    bool server;

    input_begin(data, size < 8000 ? size : 8000);
    server = take(1) & 1;
    left = take(1) % 16;
    right = take(1) % 16;
    if (!vchan_orders_valid(left, right))
        return 0;
    page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    l = calloc(1, left < PAGE_SHIFT ? 1 : (size_t)1 << left);
    r = calloc(1, right < PAGE_SHIFT ? 1 : (size_t)1 << right);
    demand(page && l && r);
    memset(page, 0, PAGE_SIZE);
    if (!server)
        poke(); /* indices that are there already */
    vchan_end_init(&e, page, server, left, right, l, r);
    while (input_left)
        step();
    free(page);
    free(l);
    free(r);
    return 0;
}
