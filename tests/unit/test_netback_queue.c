/*
 * netback's rings against a guest in the same process: frames in both
 * directions, and every way in which a guest may break the protocol.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ringside/client.h"
#include "inet_checksum.h"
#include "netback_queue.h"

#define PAGES 128 /* granted: references 8 to 8 + PAGES - 1 */
#define REF   8

static char memory[PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned int mapped;

int rs_client_map_grants(struct rs_client *client, uint16_t domid,
                         const uint32_t *refs, unsigned int n, bool read_only,
                         struct rs_client_mapping *out)
{
    unsigned int ok = 0;

    (void)client;
    (void)read_only;
    for (unsigned int i = 0; i < n; i++) {
        bool good = refs[i] >= REF && refs[i] < REF + PAGES;

        memset(&out[i], 0, sizeof(out[i]));
        out[i].domid = domid;
        out[i].ref = refs[i];
        out[i].status = good ? GNTST_okay : GNTST_bad_gntref;
        if (good)
            out[i].addr = memory[refs[i] - REF];
        ok += good;
    }
    mapped += ok;
    return (int)ok;
}

int rs_client_unmap_grants(struct rs_client *client,
                           struct rs_client_mapping *maps, unsigned int n)
{
    (void)client;
    for (unsigned int i = 0; i < n; i++)
        mapped -= maps[i].status == GNTST_okay;
    return 0;
}

/* A link that remembers what it was sent. */
struct recorder {
    struct link link;
    char frame[LINK_FRAME_MAX];
    size_t len;
    unsigned int sent, flushes;
    bool paused;
    RING_IDX *changes, to; /* an index, and what the guest makes of it */
};

static void record_send(struct link *link, const void *frame, size_t len)
{
    struct recorder *r = container_of(link, struct recorder, link);

    memcpy(r->frame, frame, len);
    r->len = len;
    r->sent++;
    if (r->changes)
        *r->changes = r->to;
}

static void record_flush(struct link *link)
{
    container_of(link, struct recorder, link)->flushes++;
}

static void record_pause(struct link *link, bool paused)
{
    container_of(link, struct recorder, link)->paused = paused;
}

static const struct link_ops recorder_ops = {
    .type = "recorder",
    .trusted = true,
    .send = record_send,
    .flush = record_flush,
    .pause = record_pause,
};

struct bench {
    struct recorder wire;
    struct vif_queue *queue;
    struct netif_tx_front_ring tx;
    struct netif_rx_front_ring rx;
    char *tx_page, *rx_page;
    unsigned int tx_events, rx_events;
    char why[80];
};

static void on_tx(void *arg)
{
    ((struct bench *)arg)->tx_events++;
}

static void on_rx(void *arg)
{
    ((struct bench *)arg)->rx_events++;
}

static void on_broken(void *arg, const char *why)
{
    struct bench *b = arg;

    assert_string_equal(b->why, ""); /* at most once */
    strncpy(b->why, why, sizeof(b->why) - 1);
}

static void setup(struct bench *b, bool sg, bool persistent)
{
    struct netif_tx_sring *tx;
    struct netif_rx_sring *rx;

    memset(b, 0, sizeof(*b));
    b->tx_page = aligned_alloc(4096, PAGE_SIZE);
    b->rx_page = aligned_alloc(4096, PAGE_SIZE);
    tx = (void *)b->tx_page;
    rx = (void *)b->rx_page;
    memset(tx, 0, PAGE_SIZE);
    memset(rx, 0, PAGE_SIZE);
    SHARED_RING_INIT(tx);
    SHARED_RING_INIT(rx);
    FRONT_RING_INIT(&b->tx, tx, PAGE_SIZE);
    FRONT_RING_INIT(&b->rx, rx, PAGE_SIZE);
    b->wire.link.ops = &recorder_ops;
    b->queue = calloc(1, sizeof(*b->queue));
    b->queue->user = (struct vif_queue_user){ on_tx, on_rx, on_broken, b };
    b->queue->link = &b->wire.link;
    b->queue->sg = sg;
    b->queue->persistent = persistent;
    assert_int_equal(vif_queue_init(b->queue, NULL, 7, tx, rx), 0);
}

static void teardown(struct bench *b)
{
    vif_queue_fini(b->queue);
    assert_int_equal(mapped, 0);
    free(b->queue);
    free(b->tx_page);
    free(b->rx_page);
}

/* One transmit request; it is seen by the backend after publish(). */
static void request(struct bench *b, unsigned int page, unsigned int offset,
                    unsigned int size, unsigned int flags)
{
    *RING_GET_REQUEST(&b->tx, b->tx.req_prod_pvt) = (struct netif_tx_request){
        .gref = REF + page,
        .offset = (uint16_t)offset,
        .size = (uint16_t)size,
        .flags = (uint16_t)flags,
        .id = (uint16_t)(1000 + page),
    };
    b->tx.req_prod_pvt++;
}

static unsigned int publish(struct bench *b)
{
    RING_PUSH_REQUESTS(&b->tx);
    return vif_queue_service(b->queue);
}

static struct netif_tx_response answer(struct bench *b)
{
    assert_true(RING_HAS_UNCONSUMED_RESPONSES(&b->tx));
    return *RING_GET_RESPONSE(&b->tx, b->tx.rsp_cons++);
}

static void post(struct bench *b, unsigned int page)
{
    *RING_GET_REQUEST(&b->rx, b->rx.req_prod_pvt) = (struct netif_rx_request){
        .id = (uint16_t)page,
        .gref = REF + page,
    };
    b->rx.req_prod_pvt++;
    RING_PUSH_REQUESTS(&b->rx);
}

static void fill(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i * 7 + i / 256);
}

static void send_small(bool persistent)
{
    struct bench b;

    setup(&b, true, persistent);
    fill(memory[0], PAGE_SIZE);
    request(&b, 0, 100, 60, 0);
    assert_int_equal(publish(&b), 1);
    assert_int_equal(b.wire.sent, 1);
    assert_int_equal(b.wire.flushes, 1);
    assert_int_equal(b.wire.len, 60);
    assert_memory_equal(b.wire.frame, memory[0] + 100, 60);
    assert_int_equal(answer(&b).id, 1000);
    assert_int_equal(b.tx_events, 1);
    assert_int_equal(mapped, persistent ? 1 : 0);
    assert_int_equal(publish(&b), 0);
    teardown(&b);
}

static void test_send(void **state)
{
    (void)state;
    send_small(true);
    send_small(false);
}

static void test_send_pieces(void **state)
{
    size_t total = LINK_FRAME_MAX;
    struct bench b;

    (void)state;
    setup(&b, true, true);
    for (int i = 0; i < 16; i++)
        fill(memory[i], PAGE_SIZE);
    for (unsigned int i = 0; i < 16; i++) {
        size_t n = i < 15 ? PAGE_SIZE : total - 15 * PAGE_SIZE;

        request(&b, i, 0, (unsigned int)(i ? n : total),
                i < 15 ? NETTXF_more_data : 0);
    }
    assert_int_equal(publish(&b), 16);
    assert_int_equal(b.wire.sent, 1);
    assert_int_equal(b.wire.len, total);
    assert_int_equal(b.queue->stats.tx_frames, 1);
    assert_int_equal(b.queue->stats.tx_bytes, total);
    assert_memory_equal(b.wire.frame + 15 * PAGE_SIZE, memory[15],
                        total - 15 * PAGE_SIZE);
    for (unsigned int i = 0; i < 16; i++) {
        struct netif_tx_response r = answer(&b);

        assert_int_equal(r.id, 1000 + i);
        assert_int_equal(r.status, NETIF_RSP_OKAY);
    }
    teardown(&b);
}

/* What is wrong but harmless is answered with an error. */
static void test_send_errors(void **state)
{
    struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };
    struct bench b;

    (void)state;
    setup(&b, true, true);
    request(&b, 0, 0, LINK_HEADER - 1, 0);
    request(&b, 1, 0, 60, NETTXF_extra_info);
    memcpy(RING_GET_REQUEST(&b.tx, b.tx.req_prod_pvt++), &extra, sizeof(extra));
    request(&b, 2, 0, 60, 0);
    assert_int_equal(publish(&b), 4);
    assert_int_equal(answer(&b).status, NETIF_RSP_ERROR);
    assert_int_equal(answer(&b).status, NETIF_RSP_ERROR);
    assert_int_equal(answer(&b).status, NETIF_RSP_NULL);
    assert_int_equal(answer(&b).status, NETIF_RSP_OKAY);
    assert_int_equal(b.wire.sent, 1);
    assert_string_equal(b.why, "");
    teardown(&b);
}

/* After a broken rule nothing is taken, sent or mapped any more. */
static void broken(struct bench *b, const char *word)
{
    unsigned int sent = b->wire.sent;

    publish(b);
    if (!strstr(b->why, word))
        print_error("expected \"%s\", got \"%s\"\n", word, b->why);
    assert_non_null(strstr(b->why, word));
    assert_int_equal(b->wire.sent, sent);
    assert_int_equal(vif_queue_service(b->queue), 0);
    assert_false(vif_queue_arm(b->queue));
    vif_queue_receive(b->queue, memory[0], 100);
    teardown(b);
}

static void test_hostile_requests(void **state)
{
    struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_MAX };
    struct bench b;

    (void)state;
    setup(&b, true, true);
    request(&b, 0, 4000, 97, 0);
    broken(&b, "leaves its page");

    setup(&b, true, true);
    request(&b, 0, 65535, 65535, 0);
    broken(&b, "leaves its page");

    setup(&b, true, true);
    request(&b, 0, 0, 5000, NETTXF_more_data);
    request(&b, 1, 4000, 2000, 0);
    broken(&b, "leaves its page");

    setup(&b, true, true);
    request(&b, 0, 0, 100, NETTXF_more_data);
    request(&b, 1, 0, 101, 0);
    broken(&b, "smaller than its parts");

    setup(&b, true, true);
    request(&b, 0, 0, 100, NETTXF_more_data);
    broken(&b, "next request is missing");

    setup(&b, true, true);
    request(&b, 0, 0, 100, NETTXF_extra_info);
    broken(&b, "extra request is missing");

    setup(&b, true, true);
    request(&b, 0, 0, 100, NETTXF_extra_info);
    memcpy(RING_GET_REQUEST(&b.tx, b.tx.req_prod_pvt++), &extra, sizeof(extra));
    broken(&b, "unknown type");

    setup(&b, true, true);
    extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
    extra.flags = XEN_NETIF_EXTRA_FLAG_MORE;
    request(&b, 0, 0, 100, NETTXF_extra_info);
    for (int i = 0; i < 10; i++)
        memcpy(RING_GET_REQUEST(&b.tx, b.tx.req_prod_pvt++), &extra,
               sizeof(extra));
    broken(&b, "too many extra");

    setup(&b, true, true);
    for (int i = 0; i < 40; i++)
        request(&b, 0, 0, i ? 10 : 1000, NETTXF_more_data);
    broken(&b, "too many requests");

    setup(&b, true, true);
    request(&b, PAGES, 0, 100, 0);
    broken(&b, "not granted");

    setup(&b, true, true);
    b.tx.req_prod_pvt = 257;
    broken(&b, "transmit ring's producer");

    setup(&b, true, true);
    b.tx.req_prod_pvt = (RING_IDX)-1;
    broken(&b, "transmit ring's producer");
}

/* Both rings as if `start` requests had been taken and answered. */
static void start_at(struct bench *b, RING_IDX start)
{
    b->queue->tx.req_cons = b->queue->tx.rsp_prod_pvt = start;
    b->queue->rx.req_cons = b->queue->rx.rsp_prod_pvt = start;
    b->tx.req_prod_pvt = b->tx.rsp_cons = start;
    b->rx.req_prod_pvt = b->rx.rsp_cons = start;
    b->tx.sring->rsp_prod = b->tx.sring->req_prod = start;
    b->rx.sring->rsp_prod = b->rx.sring->req_prod = start;
}

static const RING_IDX starts[] = { 0, 256, 1u << 31, UINT32_MAX - 1 };

/* Ahead, behind, equal and full, also where the indices wrap. */
static void test_transmit_index(void **state)
{
    const int bad[] = { 257, -1, -255, -256, -257, INT32_MIN };
    struct bench b;

    (void)state;
    for (unsigned int i = 0; i < 4; i++) {
        for (unsigned int k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
            setup(&b, true, true);
            start_at(&b, starts[i]);
            for (int n = 0; n < 3; n++)
                request(&b, 0, 0, 60, 0);
            assert_int_equal(publish(&b), 3);
            assert_int_equal(publish(&b), 0);
            b.tx.req_prod_pvt += (RING_IDX)bad[k];
            broken(&b, "transmit ring's producer");
        }
        setup(&b, true, true);
        start_at(&b, starts[i]);
        for (int n = 0; n < 256; n++)
            request(&b, 0, 0, 60, 0);
        publish(&b);
        while (vif_queue_service(b.queue))
            ;
        assert_int_equal(b.wire.sent, 256);
        assert_string_equal(b.why, "");
        teardown(&b);
    }
}

/* An index that changes during a call is seen by the next one. */
static void test_index_changes_in_service(void **state)
{
    struct bench b;

    (void)state;
    setup(&b, true, true);
    for (int n = 0; n < 10; n++)
        request(&b, 0, 0, 60, 0);
    b.wire.changes = &b.tx.sring->req_prod;
    b.wire.to = 1;
    assert_int_equal(publish(&b), 10);
    assert_int_equal(b.wire.sent, 10);
    assert_int_equal(b.tx.sring->rsp_prod, 10);
    assert_int_equal(vif_queue_service(b.queue), 0);
    assert_non_null(strstr(b.why, "transmit ring's producer"));
    teardown(&b);
}

/* The ring is full at most once per turn, whatever the guest does to it. */
static void test_batch(void **state)
{
    struct bench b;

    (void)state;
    setup(&b, true, true);
    for (int i = 0; i < 256; i++)
        request(&b, 0, 0, 60, 0);
    assert_int_equal(publish(&b), VIF_BATCH);
    assert_true(vif_queue_arm(b.queue));
    for (int i = 0; i < 3; i++)
        assert_int_equal(vif_queue_service(b.queue), VIF_BATCH);
    assert_false(vif_queue_arm(b.queue));
    assert_int_equal(b.tx.sring->req_event, 257);
    teardown(&b);
}

static void test_receive(void **state)
{
    static char frame[LINK_FRAME_MAX];
    struct netif_rx_response *r;
    struct bench b;

    (void)state;
    setup(&b, true, true);
    fill(frame, sizeof(frame));
    for (unsigned int i = 0; i < 20; i++)
        post(&b, i);
    vif_queue_receive(b.queue, frame, 60);
    vif_queue_receive(b.queue, frame, sizeof(frame));
    assert_int_equal(b.rx_events, 1); /* rsp_event was 1 */
    r = RING_GET_RESPONSE(&b.rx, 0);
    assert_int_equal(r->status, 60);
    assert_int_equal(r->flags, NETRXF_data_validated);
    assert_memory_equal(memory[0], frame, 60);
    for (unsigned int i = 0; i < 16; i++) {
        r = RING_GET_RESPONSE(&b.rx, 1 + i);
        assert_int_equal(r->id, 1 + i);
        assert_int_equal(r->offset, 0);
        assert_int_equal(r->flags & NETRXF_more_data,
                         i < 15 ? NETRXF_more_data : 0);
        assert_memory_equal(memory[1 + i], frame + i * PAGE_SIZE,
                            (size_t)r->status);
    }
    assert_int_equal(b.rx.sring->rsp_prod, 17);
    assert_int_equal(b.queue->stats.rx_frames, 2);
    assert_int_equal(b.queue->stats.rx_bytes, 60 + sizeof(frame));
    teardown(&b);
}

/* Frames wait for buffers; too many of them pause the link, then are lost. */
static void test_backlog(void **state)
{
    static char frame[65000];
    struct bench b;
    int n;

    (void)state;
    setup(&b, true, true);
    for (n = 0; b.queue->stats.rx_dropped == 0; n++) {
        frame[0] = (char)n;
        vif_queue_receive(b.queue, frame, sizeof(frame));
        assert_true(n < 20);
    }
    assert_int_equal(n, 1 + VIF_BACKLOG_MAX / (int)sizeof(frame));
    assert_true(b.wire.paused);
    assert_false(vif_queue_arm(b.queue));
    assert_int_equal(b.rx.sring->req_event, 1);
    for (unsigned int i = 0; i < 15; i++)
        post(&b, i);
    assert_false(vif_queue_arm(b.queue)); /* 16 are needed */
    post(&b, 15);
    assert_true(vif_queue_arm(b.queue));
    for (int i = 0; i < n - 1; i++) {
        assert_int_equal(vif_queue_service(b.queue), 16);
        assert_int_equal(memory[0][0], i);
        for (unsigned int j = 0; j < 16; j++)
            post(&b, j);
    }
    assert_false(b.wire.paused);
    assert_true(list_empty(&b.queue->backlog));
    teardown(&b);
}

static void test_receive_index(void **state)
{
    const int bad[] = { 257, -1, -255, -256, -257, INT32_MIN };
    char frame[100] = "x";
    struct bench b;

    (void)state;
    for (unsigned int i = 0; i < 4; i++) {
        for (unsigned int k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
            setup(&b, true, true);
            start_at(&b, starts[i]);
            post(&b, 0);
            vif_queue_receive(b.queue, frame, sizeof(frame));
            assert_int_equal(b.queue->stats.rx_frames, 1);
            vif_queue_receive(b.queue, frame, sizeof(frame)); /* it waits */
            b.rx.sring->req_prod += (RING_IDX)bad[k];
            vif_queue_service(b.queue);
            assert_non_null(strstr(b.why, "receive ring's producer"));
            assert_int_equal(b.queue->stats.rx_frames, 1);
            teardown(&b);
        }
        setup(&b, true, true);
        start_at(&b, starts[i]);
        for (unsigned int n = 0; n < 256; n++)
            post(&b, n % PAGES);
        for (unsigned int n = 0; n < 257; n++)
            vif_queue_receive(b.queue, frame, sizeof(frame));
        assert_int_equal(b.queue->stats.rx_frames, 256);
        assert_string_equal(b.why, "");
        teardown(&b);
    }
}

/* Nothing of ours is in a response, nor in what a frame leaves of a page. */
static void test_responses_are_clean(void **state)
{
    const struct netif_rx_response rx = { .id = 3, .status = 60 };
    const struct netif_tx_response tx = { .id = 1000 };
    unsigned char *slot;
    char frame[60];
    struct bench b;

    (void)state;
    setup(&b, true, true);
    memset(frame, 1, sizeof(frame));
    memset(memory[3], 0xa5, PAGE_SIZE);
    post(&b, 3);
    vif_queue_receive(b.queue, frame, sizeof(frame));
    slot = (unsigned char *)RING_GET_RESPONSE(&b.rx, 0);
    ((struct netif_rx_response *)slot)->flags &=
        (uint16_t)~NETRXF_data_validated;
    assert_memory_equal(slot, &rx, sizeof(rx));
    for (unsigned int i = sizeof(frame); i < PAGE_SIZE; i++)
        assert_int_equal((unsigned char)memory[3][i], 0xa5);

    request(&b, 0, 0, 60, 0);
    slot = (unsigned char *)RING_GET_REQUEST(&b.tx, 0);
    publish(&b);
    assert_memory_equal(slot, &tx, sizeof(tx));
    assert_int_equal(*(uint16_t *)(slot + 4), 0); /* offset, as it was */
    assert_int_equal(*(uint16_t *)(slot + 10), 60);
    teardown(&b);
}

static void test_receive_hostile(void **state)
{
    char frame[100] = "x";
    struct bench b;

    (void)state;
    setup(&b, true, true);
    post(&b, PAGES);
    vif_queue_receive(b.queue, frame, sizeof(frame));
    assert_non_null(strstr(b.why, "not granted"));
    teardown(&b);

    setup(&b, true, true);
    b.rx.sring->req_prod = 1000;
    vif_queue_receive(b.queue, frame, sizeof(frame));
    assert_non_null(strstr(b.why, "receive ring's producer"));
    teardown(&b);

    setup(&b, false, true); /* without feature-sg: one page */
    for (unsigned int i = 0; i < 20; i++)
        post(&b, i);
    vif_queue_receive(b.queue, memory[0], PAGE_SIZE + 1);
    assert_int_equal(b.queue->stats.rx_dropped, 1);
    vif_queue_receive(b.queue, memory[0], PAGE_SIZE);
    assert_int_equal(b.rx.sring->rsp_prod, 1);
    teardown(&b);
}

/* That others have all handles is no fault of this guest. */
static void test_no_handles(void **state)
{
    unsigned int handles = grant_pool_handles_;
    char frame[100] = "x";
    struct bench b;

    (void)state;
    setup(&b, true, true);
    grant_pool_handles_ = 0;
    request(&b, 0, 0, 60, 0);
    assert_int_equal(publish(&b), 0);
    assert_true(vif_queue_arm(b.queue));
    post(&b, 1);
    vif_queue_receive(b.queue, frame, sizeof(frame));
    assert_int_equal(b.queue->stats.rx_dropped, 1);
    assert_string_equal(b.why, "");
    grant_pool_handles_ = handles;
    assert_int_equal(vif_queue_service(b.queue), 1);
    assert_int_equal(b.wire.sent, 1);
    vif_queue_receive(b.queue, frame, sizeof(frame));
    assert_int_equal(b.queue->stats.rx_frames, 1);
    teardown(&b);
}

/* Many references: the number of mappings stays bounded. */
static void test_bounded_mappings(void **state)
{
    struct bench b;

    (void)state;
    setup(&b, true, true);
    for (unsigned int i = 0; i < PAGES; i++) {
        request(&b, i, 0, 60, 0);
        publish(&b);
        b.tx.rsp_cons++;
    }
    assert_true(mapped <= VIF_PAGES_MAX && mapped == PAGES);
    teardown(&b);
}

static uint16_t checksum_of(const unsigned char *ip, size_t header,
                            size_t total)
{
    uint64_t pseudo = inet_sum(ip + 12, 8, 0);

    pseudo += htons(ip[9]);
    pseudo += htons((uint16_t)(total - header));
    return inet_sum(ip + header, total - header, pseudo);
}

static void test_checksum(void **state)
{
    unsigned char f[200];
    unsigned char *ip = f + LINK_HEADER;

    (void)state;
    for (int udp = 0; udp < 2; udp++) {
        for (size_t total = 40; total < 120; total++) {
            fill((char *)f, sizeof(f));
            f[12] = 8;
            f[13] = 0;
            ip[0] = 0x46; /* with one word of options */
            ip[2] = 0;
            ip[3] = (unsigned char)(total + 4);
            ip[6] = ip[7] = 0;
            ip[9] = udp ? 17 : 6;
            vif_checksum_fill_((char *)f, LINK_HEADER + total + 4);
            /* The sum over data and its checksum is all ones. */
            assert_int_equal(checksum_of(ip, 24, total + 4), 0xffff);
        }
    }
    /* Lengths that lie: nothing is written, nothing is read outside. */
    for (size_t len = LINK_HEADER; len < sizeof(f); len++) {
        unsigned char *exact = malloc(len);

        fill((char *)f, sizeof(f));
        f[12] = 8;
        f[13] = 0;
        ip[0] = 0x4f;
        ip[2] = 0;
        ip[3] = (unsigned char)(len - LINK_HEADER + 1);
        ip[6] = ip[7] = 0;
        ip[9] = 6;
        memcpy(exact, f, len);
        vif_checksum_fill_((char *)exact, len);
        assert_memory_equal(exact, f, len);
        free(exact);
    }
}

/* ---- antispoof ---- */

#define CARD  "\x00\x16\x3e\x01\x02\x03"
#define OTHER "\x00\x16\x3e\x01\x02\x04"
#define ALL   "\xff\xff\xff\xff\xff\xff"

#define ARP_OF(mac, ip)                       \
    "\x00\x01\x08\x00\x06\x04\x00\x02" mac ip \
    "\x00\x00\x00\x00\x00\x00\x0a\x07\x00\x09"
#define IP_FROM(ip, to)                                      \
    "\x45\x00\x00\x1c\x00\x00\x00\x00\x40\x11\x00\x00" ip to \
    "\x00\x44\x00\x43\x00\x08\x00\x00"
#define OWN    "\x0a\x07\x00\x02" /* 10.7.0.2 */
#define ANY    "\x00\x00\x00\x00"
#define LENT   "\x0a\x07\x00\x03"
#define TO_ALL "\xff\xff\xff\xff"

/* A frame, and whether it passes without and with ip=10.7.0.2. */
#define FRAME(mac, rest, without, with) \
    ALL mac rest, sizeof(ALL mac rest) - 1, without, with

static const struct {
    const char *frame;
    size_t len;
    bool without_ip, with_ip;
} sources[] = {
    { FRAME(CARD, "\x08\x06" ARP_OF(CARD, OWN), true, true) },
    { FRAME(OTHER, "\x08\x06" ARP_OF(OTHER, OWN), false, false) },
    { FRAME(OTHER, "\x08\x06" ARP_OF(CARD, OWN), false, false) },
    { FRAME(CARD, "\x08\x06" ARP_OF(OTHER, OWN), false, false) },
    { FRAME(CARD, "\x08\x06" ARP_OF(CARD, LENT), true, false) },
    { FRAME(CARD, "\x08\x06" ARP_OF(CARD, ANY), true, true) },
    { FRAME(CARD, "\x08\x06\x00\x01\x08\x00", false, false) },
    { FRAME(CARD, "\x81\x00\x00\x05\x08\x06" ARP_OF(CARD, OWN), true, true) },
    { FRAME(CARD, "\x81\x00\x00\x05\x08\x06" ARP_OF(OTHER, OWN), false,
            false) },
    { FRAME(CARD, "\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x06" ARP_OF(OTHER, OWN),
            false, false) },
    { FRAME(CARD, "\x81\x00\x00\x05\x81\x00\x00\x06\x81\x00\x00\x07\x08\x00",
            false, false) },
    { FRAME(CARD, "\x81\x00\x00", false, false) },
    { FRAME(CARD, "\x08\x00" IP_FROM(OWN, LENT), true, true) },
    { FRAME(CARD, "\x08\x00" IP_FROM(LENT, OWN), true, false) },
    { FRAME(CARD, "\x08\x00" IP_FROM(ANY, TO_ALL), true, true) }, /* DHCP */
    { FRAME(CARD, "\x08\x00" IP_FROM(ANY, LENT), true, false) },
    { FRAME(CARD, "\x08\x00\x45", true, false) },
    { FRAME(OTHER, "\x08\x00" IP_FROM(OWN, LENT), false, false) },
    { FRAME(CARD, "\x86\xdd\x60\x00\x00\x00", true, false) },
    { FRAME(OTHER, "\x86\xdd\x60\x00\x00\x00", false, false) },
    { FRAME(CARD, "\x12\x34", true, false) },
};

/* Does the frame arrive at the link? Its request is answered in any case. */
static bool sends(struct bench *b, const char *frame, size_t len)
{
    unsigned int sent = b->wire.sent;
    uint64_t dropped = b->queue->stats.tx_dropped;

    memcpy(memory[0], frame, len);
    request(b, 0, 0, (unsigned int)len, 0);
    publish(b);
    assert_int_equal(answer(b).status, NETIF_RSP_OKAY);
    assert_int_equal(b->queue->stats.tx_dropped - dropped + b->wire.sent - sent,
                     1);
    return b->wire.sent > sent;
}

static void test_antispoof(void **state)
{
    struct bench b;

    (void)state;
    setup(&b, true, false);
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        struct vif_filter *filter = &b.queue->filter;
        bool got;

        *filter = (struct vif_filter){ .check_mac = false };
        assert_true(sends(&b, sources[i].frame, sources[i].len));
        filter->check_mac = true;
        memcpy(filter->mac, CARD, 6);
        got = sends(&b, sources[i].frame, sources[i].len);
        if (got != sources[i].without_ip)
            fail_msg("frame %zu without an IP address", i);
        filter->check_ip = true;
        memcpy(&filter->ip, OWN, 4);
        got = sends(&b, sources[i].frame, sources[i].len);
        if (got != sources[i].with_ip)
            fail_msg("frame %zu with an IP address", i);
    }
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send),
        cmocka_unit_test(test_send_pieces),
        cmocka_unit_test(test_send_errors),
        cmocka_unit_test(test_hostile_requests),
        cmocka_unit_test(test_transmit_index),
        cmocka_unit_test(test_index_changes_in_service),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_receive),
        cmocka_unit_test(test_backlog),
        cmocka_unit_test(test_receive_index),
        cmocka_unit_test(test_responses_are_clean),
        cmocka_unit_test(test_receive_hostile),
        cmocka_unit_test(test_no_handles),
        cmocka_unit_test(test_bounded_mappings),
        cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_antispoof),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
