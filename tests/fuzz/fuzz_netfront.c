/*
 * A hostile network backend: the input is what it writes to the rings and pages
 * of a card, and what the guest does meanwhile. After each step every page of
 * the pools is in exactly one place, and what the user gets lies in its pages.
 *
 * Input: records, each begun by a byte:
 *   0..31     offset (2), up to 8 bytes into the transmit ring's page
 *   32..63    the same into the receive ring's page
 *   64..95    index (1), page (1), 8 bytes: into a page of a pool
 *   96..127   a proper receive response: offset (2), status (2), flags (1);
 *             127: two hundred of them
 *   128..143  a proper transmit response: id (2), status (1)
 *   144..159  rsp_prod of the receive ring (1: add, signed)
 *   160..175  rsp_prod of the transmit ring
 *   176..191  the guest polls
 *   192..207  the guest sends a frame: length (2)
 *   208..223  the user gives a page back
 *   224..239  an event
 *   240..255  if the card is down, it connects anew
 */
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"
#include "frontends/netfront_ring.h"
#include "guest-kernel/pages.h"
#include "tests/fuzz/input.h"

static struct netfront nf;
static unsigned int held[NETFRONT_PAGES], n_held;
static unsigned int reads; /* of the user, so that they are not dropped */

/* ---- the user ---- */

static void on_wake(void *arg)
{
    (void)arg;
}

static void on_receive(void *arg, const struct netfront_piece *p,
                       unsigned int n, size_t len, bool checked)
{
    size_t sum = 0;

    (void)arg;
    reads += checked;
    demand(n > 0 && n <= NETFRONT_PIECES_MAX);
    for (unsigned int i = 0; i < n; i++) {
        char *page = nf.rx_pool.pages + p[i].page * PAGE_SIZE;
        char *at = p[i].data;

        demand(p[i].page < NETFRONT_PAGES);
        demand(at >= page && at + p[i].len <= page + PAGE_SIZE);
        for (unsigned int k = 0; k < p[i].len; k += 512)
            reads += (unsigned int)at[k];
        sum += p[i].len;
        if (take(1) & 1)
            held[n_held++] = p[i].page;
        else
            netfront_release(&nf, p[i].page);
    }
    demand(sum == len);
}

/* ---- what must hold ---- */

static void check_pages(void)
{
    unsigned char rx[NETFRONT_PAGES] = { 0 }, tx[NETFRONT_PAGES] = { 0 };

    demand(nf.rx_pool.n_free <= NETFRONT_PAGES);
    demand(nf.tx_pool.n_free <= NETFRONT_PAGES);
    for (unsigned int i = 0; i < nf.rx_pool.n_free; i++)
        rx[nf.rx_pool.free[i]]++;
    for (RING_IDX i = nf.rx.rsp_cons; i != nf.rx.req_prod_pvt; i++)
        rx[nf.posted[i % NETFRONT_PAGES]]++;
    for (unsigned int i = 0; i < n_held; i++)
        rx[held[i]]++;
    for (unsigned int i = 0; i < nf.tx_pool.n_free; i++)
        tx[nf.tx_pool.free[i]]++;
    for (unsigned int i = 0; i < NETFRONT_PAGES; i++) {
        demand(rx[i] == 1);
        demand(tx[i] + nf.tx_busy[i] == 1);
    }
}

/* ---- the backend ---- */

static void poke(void *page, size_t bytes)
{
    unsigned int at = take(2) % (unsigned int)bytes;

    for (unsigned int i = 0; i < 8 && at + i < bytes; i++)
        ((unsigned char *)page)[at + i] = (unsigned char)take(1);
}

static void rx_response(void)
{
    RING_IDX i = nf.rx.sring->rsp_prod++;
    struct netif_rx_response r = { .offset = (uint16_t)take(2),
                                   .status = (int16_t)take(2),
                                   .flags = (uint16_t)take(1) };

    *RING_GET_RESPONSE(&nf.rx, i) = r;
}

static void tx_response(void)
{
    RING_IDX i = nf.tx.sring->rsp_prod++;
    struct netif_tx_response r = { .id = (uint16_t)take(2),
                                   .status = (int8_t)take(1) };

    *RING_GET_RESPONSE(&nf.tx, i) = r;
}

static void send_frame(void)
{
    static char frame[65536];
    size_t len = take(2);

    if (netfront_send_begin(&nf, len))
        return;
    netfront_send_append(&nf, frame, len / 2);
    netfront_send_append(&nf, frame, len - len / 2);
    netfront_send_end(&nf);
}

static void connect(void)
{
    netfront_rings_reset(&nf);
    netfront_post(&nf);
    nf.broken = nf.warned_of_bad_frame = false;
    nf.connected = true;
}

static void step(void)
{
    struct netfront_pool *pool;
    unsigned int what = take(1), n;

    switch (what / 16) {
    case 0 ... 1:
        poke(nf.tx_page, PAGE_SIZE);
        break;
    case 2 ... 3:
        poke(nf.rx_page, PAGE_SIZE);
        break;
    case 4 ... 5:
        pool = what & 1 ? &nf.rx_pool : &nf.tx_pool;
        poke(pool->pages + take(1) * PAGE_SIZE, PAGE_SIZE);
        break;
    case 6 ... 7:
        for (n = what == 127 ? 200 : 1; n; n--)
            rx_response();
        break;
    case 8:
        tx_response();
        break;
    case 9:
        nf.rx.sring->rsp_prod += (RING_IDX)(int8_t)take(1);
        break;
    case 10:
        nf.tx.sring->rsp_prod += (RING_IDX)(int8_t)take(1);
        break;
    case 11:
        netfront_poll(&nf);
        break;
    case 12:
        send_frame();
        break;
    case 13:
        if (n_held) {
            n = take(1) % n_held;
            netfront_release(&nf, held[n]);
            held[n] = held[--n_held];
        }
        break;
    case 14:
        netfront_event(3, &nf);
        break;
    default:
        if (!nf.connected)
            connect();
    }
    demand(nf.connected != nf.broken);
    check_pages();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_begin(data, size < 20000 ? size : 20000);
    n_held = 0;
    fake_guest_reset(false);
    memset(&nf, 0, sizeof(nf));
    nf.user = (struct netfront_user){ .wake = on_wake, .receive = on_receive };
    nf.port = 3;
    nf.mtu = 65520;
    nf.sg = true;
    demand(netfront_rings_new(&nf) == 0);
    connect();
    while (input_left)
        step();
    netfront_rings_free(&nf);
    demand(fake_guest.grants == 0);
    return 0;
}
