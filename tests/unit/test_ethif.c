/*
 * Received frames on their way to the stack: what the stack parses or stores
 * something in must be memory of the guest's own, for the backend can write to
 * the card's pages while it does so. Only TCP payload may stay there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/tcpip.h"
#include "netif/ethernet.h"

#include "frontends/netfront_ring.h"
#include "guest-kernel/net/net.h"
#include "guest-kernel/net/timers.h"

#define HEADERS 134 /* Ethernet, IP and TCP with all options */

/* ---- lwIP and the card, as far as ethif.c needs them ---- */

static struct netif netif;
static struct netfront card;
static char pool[NETFRONT_PAGES][PAGE_SIZE];
static struct netfront_user user;
static unsigned int released[NETFRONT_PAGES], n_released;
static bool short_of_pages;
static struct pbuf *got;

struct pbuf *pbuf_alloc(pbuf_layer layer, u16_t length, pbuf_type type)
{
    struct pbuf *p = calloc(1, sizeof(*p) + length);

    assert_int_equal(layer, PBUF_RAW);
    assert_int_equal(type, PBUF_RAM);
    p->payload = p + 1;
    p->len = p->tot_len = length;
    return p;
}

struct pbuf *pbuf_alloced_custom(pbuf_layer layer, u16_t length, pbuf_type type,
                                 struct pbuf_custom *p, void *payload,
                                 u16_t payload_len)
{
    assert_int_equal(layer, PBUF_RAW);
    assert_int_equal(type, PBUF_REF);
    assert_int_equal(length, payload_len);
    p->pbuf = (struct pbuf){ .payload = payload,
                             .len = length,
                             .tot_len = length,
                             .flags = PBUF_FLAG_IS_CUSTOM };
    return &p->pbuf;
}

void pbuf_cat(struct pbuf *head, struct pbuf *tail)
{
    for (; head->next; head = head->next)
        head->tot_len = (u16_t)(head->tot_len + tail->tot_len);
    head->tot_len = (u16_t)(head->tot_len + tail->tot_len);
    head->next = tail;
}

u8_t pbuf_free(struct pbuf *p)
{
    while (p) {
        struct pbuf *next = p->next;

        if (p->flags & PBUF_FLAG_IS_CUSTOM)
            ((struct pbuf_custom *)p)->custom_free_function(p);
        else
            free(p);
        p = next;
    }
    return 1;
}

err_t ethernet_input(struct pbuf *p, struct netif *n)
{
    assert_ptr_equal(n, &netif);
    assert_null(got);
    got = p;
    return ERR_OK;
}

struct tcpip_callback_msg *tcpip_callbackmsg_new(tcpip_callback_fn fn,
                                                 void *arg)
{
    (void)fn;
    return arg;
}

void tcpip_callbackmsg_delete(struct tcpip_callback_msg *msg)
{
    (void)msg;
}

struct netif *netif_default;

struct netif *netif_add(struct netif *n, const ip4_addr_t *address,
                        const ip4_addr_t *netmask, const ip4_addr_t *gateway,
                        void *state, netif_init_fn init, netif_input_fn input)
{
    (void)address;
    (void)netmask;
    (void)gateway;
    (void)init;
    (void)input;
    n->state = state;
    return n;
}

void netif_set_default(struct netif *n)
{
    (void)n;
}

void netif_set_up(struct netif *n)
{
    (void)n;
}

void netif_set_link_up(struct netif *n)
{
    (void)n;
}

void netif_set_link_down(struct netif *n)
{
    (void)n;
}

err_t tcpip_input(struct pbuf *p, struct netif *n)
{
    (void)p;
    (void)n;
    return ERR_OK;
}

err_t etharp_output(struct netif *n, struct pbuf *p, const ip4_addr_t *to)
{
    (void)n;
    (void)p;
    (void)to;
    return ERR_OK;
}

sys_mutex_t lock_tcpip_core;

void sys_mutex_lock(sys_mutex_t *m)
{
    (void)m;
}

void sys_mutex_unlock(sys_mutex_t *m)
{
    (void)m;
}

bool net_post(struct tcpip_callback_msg *msg)
{
    (void)msg;
    return true;
}

void net_timers_receives(void)
{
}

void net_timers_sends(const struct pbuf *p)
{
    (void)p;
}

void net_timers_dhcp(void)
{
}

int netfront_start(unsigned int devid, const struct netfront_user *u,
                   struct netfront **out)
{
    assert_int_equal(devid, 0);
    user = *u;
    *out = &card;
    return 0;
}

void netfront_mac(const struct netfront *nf, uint8_t mac[6])
{
    (void)nf;
    memset(mac, 0, 6);
}

unsigned int netfront_mtu(const struct netfront *nf)
{
    (void)nf;
    return 1500;
}

void netfront_poll(struct netfront *nf)
{
    (void)nf;
}

void netfront_release(struct netfront *nf, unsigned int page)
{
    assert_ptr_equal(nf, &card);
    released[page]++;
    n_released++;
}

bool netfront_short_of_pages(const struct netfront *nf)
{
    (void)nf;
    return short_of_pages;
}

int netfront_send_begin(struct netfront *nf, size_t len)
{
    (void)nf;
    (void)len;
    return 0;
}

void netfront_send_append(struct netfront *nf, const void *data, size_t n)
{
    (void)nf;
    (void)data;
    (void)n;
}

void netfront_send_end(struct netfront *nf)
{
    (void)nf;
}

/* ---- frames ---- */

static unsigned char frame[70000], copy[70000];

static int setup(void **state)
{
    (void)state;
    memset(released, 0, sizeof(released));
    n_released = 0;
    short_of_pages = false;
    got = NULL;
    for (size_t i = 0; i < sizeof(frame); i++)
        frame[i] = (unsigned char)(i * 7 + i / 251);
    frame[12] = 8; /* IPv4 */
    frame[13] = 0;
    frame[14] = 0x45;
    frame[20] = frame[21] = 0;
    frame[23] = 6; /* TCP */
    netif_default = NULL;
    return ethif_add(&netif, 0);
}

/* A guest keeps its cards. */
static int teardown(void **state)
{
    (void)state;
    free(netif.state);
    netif.state = NULL;
    return 0;
}

static bool in_pool(const void *p)
{
    return (const char *)p >= pool[0] &&
           (const char *)p < pool[0] + sizeof(pool);
}

/* The bytes of the frame that lie in the card's pages; the rest is ours. */
static size_t shared_from(void)
{
    size_t at = 0, first = SIZE_MAX;

    for (const struct pbuf *p = got; p; at += p->len, p = p->next)
        if (in_pool(p->payload) && first == SIZE_MAX)
            first = at;
        else if (!in_pool(p->payload))
            assert_int_equal(first, SIZE_MAX);
    return first;
}

/*
 * Delivers the frame, cut into pieces of `cut` bytes, each at `offset` in its
 * page. Returns where the card's pages begin, SIZE_MAX: nowhere.
 */
static size_t receive(size_t len, size_t cut, size_t offset)
{
    struct netfront_piece piece[NETFRONT_PIECES_MAX];
    unsigned int n = 0;
    size_t shared, at = 0;

    for (; at < len && n < NETFRONT_PIECES_MAX; n++) {
        piece[n].page = n * 3 + 1;
        piece[n].data = pool[n * 3 + 1] + offset;
        piece[n].len = (unsigned int)(len - at < cut ? len - at : cut);
        memcpy(piece[n].data, frame + at, piece[n].len);
        at += piece[n].len;
    }
    assert_int_equal(at, len);
    n_released = 0;
    user.receive(user.arg, piece, n, len, true);
    assert_non_null(got);
    assert_int_equal(got->tot_len, len);
    at = 0;
    for (const struct pbuf *p = got; p; at += p->len, p = p->next)
        memcpy(copy + at, p->payload, p->len);
    assert_int_equal(at, len);
    assert_memory_equal(copy, frame, len);
    shared = shared_from();
    if (shared == SIZE_MAX)
        assert_int_equal(n_released, n);
    pbuf_free(got);
    got = NULL;
    assert_int_equal(n_released, n);
    for (unsigned int i = 0; i < n; i++)
        assert_int_equal(released[i * 3 + 1], 1);
    memset(released, 0, sizeof(released));
    return shared;
}

static void test_tcp_payload_stays(void **state)
{
    (void)state;
    assert_int_equal(receive(1514, 4096, 0), HEADERS);
    assert_int_equal(receive(512, 4096, 100), HEADERS);
    assert_int_equal(receive(9000, 4096, 0), HEADERS);
    assert_int_equal(receive(65535, 4096, 0), HEADERS);
    frame[14] = 0x4f; /* with options */
    assert_int_equal(receive(1514, 4096, 0), HEADERS);
    frame[20] = 0x40; /* must not be fragmented */
    assert_int_equal(receive(1514, 4096, 0), HEADERS);
}

/* A backend may cut a frame anywhere: headers over many pages. */
static void test_headers_in_pieces(void **state)
{
    static const size_t cuts[] = { 40, 67, 133, 134, 135, 300 };

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(receive(600, cuts[i], 7), HEADERS);
}

static void test_small_frames_are_copied(void **state)
{
    (void)state;
    for (size_t len = 1; len < 512; len += 17)
        assert_int_equal(receive(len, 4096, 0), SIZE_MAX);
    assert_int_equal(receive(511, 30, 0), SIZE_MAX);
}

/* IP's reassembly keeps its list where the header was. */
static void test_fragments_are_copied(void **state)
{
    static const unsigned char off[][2] = {
        { 0x20, 0 }, { 0, 1 }, { 0x20, 1 }, { 0x1f, 0xff }, { 0x60, 0 }
    };

    (void)state;
    for (int i = 0; i < 5; i++) {
        memcpy(frame + 20, off[i], 2);
        assert_int_equal(receive(1514, 4096, 0), SIZE_MAX);
    }
}

/* ICMP answers in the request's buffer, DNS and DHCP look into payload. */
static void test_others_are_copied(void **state)
{
    static const unsigned char type[][2] = {
        { 8, 6 }, { 0x86, 0xdd }, { 0x81, 0 }, { 0, 0 }, { 0, 8 }
    };

    (void)state;
    for (int protocol = 0; protocol < 256; protocol++) {
        frame[23] = (unsigned char)protocol;
        assert_int_equal(receive(1514, 4096, 0),
                         protocol == 6 ? HEADERS : SIZE_MAX);
    }
    frame[23] = 6;
    for (int i = 0; i < 5; i++) {
        memcpy(frame + 12, type[i], 2);
        assert_int_equal(receive(1514, 4096, 0), SIZE_MAX);
    }
    memcpy(frame + 12, "\x08\x00", 2);
    frame[14] = 0x65;
    assert_int_equal(receive(1514, 4096, 0), SIZE_MAX);
}

static void test_copied_when_pages_are_short(void **state)
{
    (void)state;
    short_of_pages = true;
    assert_int_equal(receive(65535, 4096, 0), SIZE_MAX);
}

static void test_too_long(void **state)
{
    struct netfront_piece piece[NETFRONT_PIECES_MAX];

    (void)state;
    for (unsigned int i = 0; i < 17; i++)
        piece[i] = (struct netfront_piece){ pool[i], PAGE_SIZE, i };
    user.receive(user.arg, piece, 17, 17 * PAGE_SIZE, true);
    assert_null(got);
    assert_int_equal(n_released, 17);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tcp_payload_stays),
        TEST(test_headers_in_pieces),
        TEST(test_small_frames_are_copied),
        TEST(test_fragments_are_copied),
        TEST(test_others_are_copied),
        TEST(test_copied_when_pages_are_short),
        TEST(test_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
