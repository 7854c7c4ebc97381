/*
 * The card as lwIP sees it: frames as chains of buffers.
 *
 * The backend can write to the card's pages at any time. What the stack
 * looks at, changes or stores something in is therefore copied to the heap
 * first: of a TCP segment all headers, of any other frame everything (IP's
 * reassembly keeps its list in the fragments, ICMP answers in the request's
 * buffer, DHCP and DNS take their messages apart). The payload of large
 * segments stays in the card's pages until lwIP, or the program, is done with
 * it; small frames, and all while the card is short of pages, are copied whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/opt.h"
#include "lwip/pbuf.h"
#include "lwip/prot/ip.h"
#include "lwip/prot/ip4.h"
#include "lwip/snmp.h"
#include "lwip/tcpip.h"
#include "netif/ethernet.h"

#include "frontends/netfront.h"
#include "guest-kernel/net/net.h"
#include "guest-kernel/net/timers.h"

#define COPY_BELOW 512
#define HEAD_MAX   (SIZEOF_ETH_HDR + 60 + 60) /* IP and TCP with all options */

/* A received page as a buffer. */
struct rx_page {
    struct pbuf_custom pbuf;
    struct card *card;
};

/* The state of an interface. */
struct card {
    struct netif *netif;
    struct netfront *nf;
    struct tcpip_callback_msg *poll_msg;
    bool poll_posted;
    struct rx_page pages[NETFRONT_PAGES];
};

struct netfront *ethif_netfront(const struct netif *netif)
{
    return ((const struct card *)netif->state)->nf;
}

/* ---- receiving ---- */

static void rx_free(struct pbuf *p)
{
    struct rx_page *b = (struct rx_page *)p;

    netfront_release(b->card->nf, (unsigned int)(b - b->card->pages));
}

/* What is left of a frame: pieces, of the first one without `skip` bytes. */
struct rx_rest {
    const struct netfront_piece *piece;
    unsigned int n;
    size_t skip;
};

/* Moves the next n bytes to `to`, or nowhere; what is done with goes back. */
static void rx_take(struct netfront *nf, struct rx_rest *rest, char *to,
                    size_t n)
{
    while (n && rest->n) {
        const struct netfront_piece *piece = rest->piece;
        size_t len = piece->len - rest->skip;

        if (len > n)
            len = n;
        if (to) {
            memcpy(to, (const char *)piece->data + rest->skip, len);
            to += len;
        }
        n -= len;
        rest->skip += len;
        if (rest->skip < piece->len)
            return;
        netfront_release(nf, piece->page);
        *rest = (struct rx_rest){ piece + 1, rest->n - 1, 0 };
    }
}

/* The rest as it lies in the card's pages; NULL if there is none. */
static struct pbuf *rx_wrap(struct card *card, const struct rx_rest *rest)
{
    struct pbuf *head = NULL;

    for (unsigned int i = rest->n; i-- > 0;) {
        const struct netfront_piece *piece = &rest->piece[i];
        size_t skip = i ? 0 : rest->skip;
        struct rx_page *b = &card->pages[piece->page];
        u16_t len = (u16_t)(piece->len - skip);
        struct pbuf *p;

        b->card = card;
        b->pbuf.custom_free_function = rx_free;
        p = pbuf_alloced_custom(PBUF_RAW, len, PBUF_REF, &b->pbuf,
                                (char *)piece->data + skip, len);
        if (head)
            pbuf_cat(p, head);
        head = p;
    }
    return head;
}

/* Whether a frame of HEAD_MAX bytes or more is an unfragmented TCP segment. */
static bool is_tcp(const char *frame)
{
    const struct eth_hdr *eth = (const void *)frame;
    const struct ip_hdr *ip = (const void *)(frame + SIZEOF_ETH_HDR);

    return eth->type == PP_HTONS(ETHTYPE_IP) && IPH_V(ip) == 4 &&
           IPH_PROTO(ip) == IP_PROTO_TCP &&
           !(IPH_OFFSET(ip) & PP_HTONS(IP_MF | IP_OFFMASK));
}

/* Makes a buffer of a frame; its pages go back, now or with the buffer. */
static struct pbuf *rx_buffer(struct card *card, struct rx_rest rest,
                              size_t len)
{
    struct netfront *nf = card->nf;
    char head[HEAD_MAX];
    size_t n = len < HEAD_MAX ? len : HEAD_MAX;
    struct pbuf *p = NULL;
    bool wrap;

    rx_take(nf, &rest, head, n); /* what is looked at is the copy */
    wrap = len >= COPY_BELOW && !netfront_short_of_pages(nf) && is_tcp(head);
    if (len <= UINT16_MAX)
        p = pbuf_alloc(PBUF_RAW, (u16_t)(wrap ? n : len), PBUF_RAM);
    if (p)
        memcpy(p->payload, head, n);
    if (p && wrap)
        pbuf_cat(p, rx_wrap(card, &rest));
    else
        rx_take(nf, &rest, p ? (char *)p->payload + n : NULL, len - n);
    return p;
}

static void rx_receive(void *arg, const struct netfront_piece *pieces,
                       unsigned int n, size_t len, bool checked)
{
    struct card *card = arg;
    struct netif *netif = card->netif;
    struct pbuf *p = rx_buffer(card, (struct rx_rest){ pieces, n, 0 }, len);

    if (!p)
        return;
    NETIF_SET_CHECKSUM_CTRL(
        netif,
        NETIF_CHECKSUM_ENABLE_ALL & ~NETIF_CHECKSUM_GEN_TCP &
            ~NETIF_CHECKSUM_GEN_UDP &
            (checked ? ~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP)
                     : NETIF_CHECKSUM_ENABLE_ALL));
    net_timers_receives();
    if (ethernet_input(p, netif) != ERR_OK)
        pbuf_free(p);
}

/* In the network's thread, with the core lock. */
static void rx_poll(void *arg)
{
    struct card *card = arg;

    card->poll_posted = false;
    netfront_poll(card->nf);
}

static void rx_wake(void *arg)
{
    struct card *card = arg;

    if (!card->poll_posted)
        card->poll_posted = net_post(card->poll_msg);
}

/* ---- sending ---- */

static err_t tx_output(struct netif *netif, struct pbuf *p)
{
    struct netfront *nf = ethif_netfront(netif);

    net_timers_sends(p);
    switch (netfront_send_begin(nf, p->tot_len)) {
    case 0:
        break;
    case -ENOBUFS:
        return ERR_MEM;
    default:
        return ERR_IF;
    }
    for (const struct pbuf *q = p; q; q = q->next)
        netfront_send_append(nf, q->payload, q->len);
    netfront_send_end(nf);
    return ERR_OK;
}

/* ---- the interface ---- */

static void link_changed(void *arg, bool up)
{
    struct card *card = arg;
    struct netif *netif = card->netif;

    LOCK_TCPIP_CORE();
    if (up) {
        netif->mtu = (u16_t)netfront_mtu(card->nf);
        netif_set_link_up(netif);
        net_timers_dhcp();
    } else {
        netif_set_link_down(netif);
    }
    UNLOCK_TCPIP_CORE();
}

static err_t ethif_init(struct netif *netif)
{
    struct card *card = netif->state;

    netfront_mac(card->nf, netif->hwaddr);
    netif->hwaddr_len = ETH_HWADDR_LEN;
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = 1500;
    netif->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = etharp_output;
    netif->linkoutput = tx_output;
    return ERR_OK;
}

int ethif_add(struct netif *netif, unsigned int devid)
{
    struct card *card = calloc(1, sizeof(*card));
    struct netfront_user user = {
        .wake = rx_wake,
        .receive = rx_receive,
        .link = link_changed,
        .arg = card,
    };
    int err = -ENOMEM;

    if (!card)
        return -ENOMEM;
    card->netif = netif;
    card->poll_msg = tcpip_callbackmsg_new(rx_poll, card);
    /* Cannot run before we unlock: link_changed() takes the lock first. */
    LOCK_TCPIP_CORE();
    if (card->poll_msg)
        err = netfront_start(devid, &user, &card->nf);
    if (!err) {
        netif_add(netif, NULL, NULL, NULL, card, ethif_init, tcpip_input);
        if (!netif_default)
            netif_set_default(netif);
        netif_set_up(netif);
        NETIF_SET_CHECKSUM_CTRL(netif, NETIF_CHECKSUM_ENABLE_ALL &
                                           ~NETIF_CHECKSUM_GEN_TCP &
                                           ~NETIF_CHECKSUM_GEN_UDP);
    }
    UNLOCK_TCPIP_CORE();
    if (err) {
        if (card->poll_msg)
            tcpip_callbackmsg_delete(card->poll_msg);
        free(card);
    }
    return err;
}
