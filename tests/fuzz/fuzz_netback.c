/*
 * netback's rings filled with arbitrary bytes by a guest that also moves its
 * indices while it is served. Whatever comes, a link sees only whole frames of
 * legal sizes, and no page but the guest's is touched (AddressSanitizer).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/client.h"
#include "netback_queue.h"

#define PAGES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *memory;

/*
 * What the guest adds to its producer indices in the middle of a call: when a
 * frame is sent, when its pages are mapped, when it is notified.
 */
static struct vif_queue *queue;
static int8_t meddle_tx, meddle_rx;

static void guest_meddles(void)
{
    queue->tx.sring->req_prod += (RING_IDX)(int)meddle_tx;
    queue->rx.sring->req_prod += (RING_IDX)(int)meddle_rx;
    meddle_tx = meddle_rx = 0;
}

int rs_client_map_grants(struct rs_client *client, uint16_t domid,
                         const uint32_t *refs, unsigned int n, bool read_only,
                         struct rs_client_mapping *out)
{
    int ok = 0;

    (void)client;
    (void)read_only;
    guest_meddles();
    for (unsigned int i = 0; i < n; i++) {
        out[i] = (struct rs_client_mapping){ .domid = domid, .ref = refs[i] };
        out[i].status = refs[i] % 32 < PAGES ? GNTST_okay : GNTST_bad_gntref;
        if (out[i].status == GNTST_okay) {
            out[i].addr = memory + refs[i] % PAGES * PAGE_SIZE;
            ok++;
        }
    }
    return ok;
}

int rs_client_unmap_grants(struct rs_client *client,
                           struct rs_client_mapping *maps, unsigned int n)
{
    (void)client;
    (void)maps;
    (void)n;
    return 0;
}

static void check_send(struct link *link, const void *frame, size_t len)
{
    char *copy = malloc(len);

    (void)link;
    assert(len >= LINK_HEADER && len <= LINK_FRAME_MAX);
    memcpy(copy, frame, len);
    free(copy);
    guest_meddles();
}

static void ignore_link(struct link *link)
{
    (void)link;
}

static void ignore_pause(struct link *link, bool paused)
{
    (void)link;
    (void)paused;
}

static void notified(void *arg)
{
    (void)arg;
    guest_meddles();
}

static void count_broken(void *arg, const char *why)
{
    (void)why;
    assert(++*(int *)arg == 1);
}

static const struct link_ops ops = { .send = check_send,
                                     .flush = ignore_link,
                                     .pause = ignore_pause };

/* The next byte of the input, 0 at its end. */
static unsigned int take(const uint8_t **data, size_t *size)
{
    if (!*size)
        return 0;
    --*size;
    return *(*data)++;
}

/* The next four bytes, for an index. */
static RING_IDX take_index(const uint8_t **data, size_t *size)
{
    RING_IDX idx = 0;

    for (int i = 0; i < 4; i++)
        idx = idx << 8 | take(data, size);
    return idx;
}

static void one_step(struct vif_queue *q, unsigned int op, const uint8_t **data,
                     size_t *size)
{
    static char frame[LINK_FRAME_MAX];

    switch (op % 16) {
    case 0 ... 2:
        q->tx.sring->req_prod += take(data, size) % 40;
        break;
    case 3 ... 5:
        q->rx.sring->req_prod += take(data, size) % 40;
        break;
    case 6:
        q->tx.sring->req_prod -= take(data, size) % 40;
        break;
    case 7:
        q->rx.sring->req_prod -= take(data, size) % 40;
        break;
    case 8:
        q->tx.sring->req_prod = take_index(data, size);
        break;
    case 9:
        q->rx.sring->req_prod = take_index(data, size);
        break;
    case 10:
        meddle_tx = (int8_t)take(data, size);
        meddle_rx = (int8_t)take(data, size);
        break;
    case 11: /* where the rings stand, so that they wrap */
        q->tx.req_cons = q->tx.rsp_prod_pvt = take_index(data, size);
        q->rx.req_cons = q->rx.rsp_prod_pvt = q->tx.req_cons + op;
        q->tx.sring->req_prod = q->tx.req_cons;
        q->rx.sring->req_prod = q->rx.req_cons;
        break;
    case 12 ... 13:
        vif_queue_receive(q, frame, op * 257 % sizeof(frame));
        break;
    default:
        vif_queue_service(q);
        vif_queue_arm(q);
        break;
    }
}

static void play(struct vif_queue *q, const uint8_t *data, size_t size)
{
    size_t n = size < PAGE_SIZE - 64 ? size : PAGE_SIZE - 64;

    memcpy((char *)q->tx.sring + 64, data, n);
    memcpy((char *)q->rx.sring + 64, data, n);
    while (size) {
        unsigned int op = take(&data, &size);

        one_step(q, op, &data, &size);
        assert(q->tx.req_cons == q->tx.rsp_prod_pvt);
        assert(q->rx.req_cons == q->rx.rsp_prod_pvt);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct link link = { .ops = &ops };
    struct vif_queue *q = calloc(1, sizeof(*q));
    char *tx = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    char *rx = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    int broken = 0;

    assert(q && tx && rx);
    queue = q;
    meddle_tx = meddle_rx = 0;
    if (!memory)
        memory = aligned_alloc(PAGE_SIZE, PAGES * PAGE_SIZE);
    memset(tx, 0, PAGE_SIZE);
    memset(rx, 0, PAGE_SIZE);
    q->user =
        (struct vif_queue_user){ notified, notified, count_broken, &broken };
    q->link = &link;
    q->sg = size & 1;
    q->persistent = size & 2;
    if (vif_queue_init(q, NULL, 7, tx, rx) == 0) {
        play(q, data, size);
        vif_queue_fini(q);
    }
    free(q);
    free(tx);
    free(rx);
    return 0;
}
