/*
 * The card as lwIP sees it: frames as chains of buffers.
 *
 * Large received frames stay in the card's pages until lwIP, or the program,
 * is done with them; small ones, and all while the card is short of pages, are
 * copied to the heap.
 */
#include <errno.h>
#include <string.h>

#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/opt.h"
#include "lwip/pbuf.h"
#include "lwip/snmp.h"
#include "lwip/tcpip.h"
#include "netif/ethernet.h"

#include "frontends/netfront.h"
#include "frontends/netfront_ring.h"
#include "guest-kernel/net/net.h"
#include "guest-kernel/net/timers.h"

#define COPY_BELOW 512

/* A received page as a buffer. */
struct rx_buffer {
    struct pbuf_custom pbuf;
    struct netfront *nf;
};

static struct rx_buffer rx_buffers[NETFRONT_PAGES];
static struct tcpip_callback_msg *poll_msg;
static bool poll_posted;

/* ---- receiving ---- */

static void rx_free(struct pbuf *p)
{
    struct rx_buffer *b = (struct rx_buffer *)p;

    netfront_release(b->nf, (unsigned int)(b - rx_buffers));
}

static struct pbuf *rx_copy(struct netfront *nf,
                            const struct netfront_piece *pieces, unsigned int n,
                            size_t len)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
    size_t at = 0;

    for (unsigned int i = 0; i < n; i++) {
        if (p)
            pbuf_take_at(p, pieces[i].data, (u16_t)pieces[i].len, (u16_t)at);
        at += pieces[i].len;
        netfront_release(nf, pieces[i].page);
    }
    return p;
}

static struct pbuf *rx_wrap(struct netfront *nf,
                            const struct netfront_piece *pieces, unsigned int n)
{
    struct pbuf *head = NULL;

    for (unsigned int i = n; i-- > 0;) {
        struct rx_buffer *b = &rx_buffers[pieces[i].page];
        struct pbuf *p;

        b->nf = nf;
        b->pbuf.custom_free_function = rx_free;
        p = pbuf_alloced_custom(PBUF_RAW, (u16_t)pieces[i].len, PBUF_REF,
                                &b->pbuf, pieces[i].data, (u16_t)pieces[i].len);
        if (head)
            pbuf_cat(p, head);
        head = p;
    }
    return head;
}

static void rx_receive(void *arg, const struct netfront_piece *pieces,
                       unsigned int n, size_t len, bool checked)
{
    struct netif *netif = arg;
    struct netfront *nf = netif->state;
    struct pbuf *p;

    if (len < COPY_BELOW || len > UINT16_MAX || netfront_short_of_pages(nf))
        p = rx_copy(nf, pieces, n, len > UINT16_MAX ? 0 : len);
    else
        p = rx_wrap(nf, pieces, n);
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
    struct netif *netif = arg;

    poll_posted = false;
    netfront_poll(netif->state);
}

static void rx_wake(void *arg)
{
    (void)arg;
    if (!poll_posted)
        poll_posted = net_post(poll_msg);
}

/* ---- sending ---- */

static err_t tx_output(struct netif *netif, struct pbuf *p)
{
    struct netfront *nf = netif->state;

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
    struct netif *netif = arg;

    LOCK_TCPIP_CORE();
    if (up) {
        netif->mtu = (u16_t)netfront_mtu(netif->state);
        netif_set_link_up(netif);
        net_timers_dhcp();
    } else {
        netif_set_link_down(netif);
    }
    UNLOCK_TCPIP_CORE();
}

static err_t ethif_init(struct netif *netif)
{
    netfront_mac(netif->state, netif->hwaddr);
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

int ethif_add(struct netif *netif)
{
    struct netfront_user user = {
        .wake = rx_wake,
        .receive = rx_receive,
        .link = link_changed,
        .arg = netif,
    };
    struct netfront *nf;
    int err;

    poll_msg = tcpip_callbackmsg_new(rx_poll, netif);
    if (!poll_msg)
        return -ENOMEM;
    /* Cannot run before we unlock: link_changed() takes the lock first. */
    LOCK_TCPIP_CORE();
    err = netfront_start(0, &user, &nf);
    if (!err) {
        netif_add(netif, NULL, NULL, NULL, nf, ethif_init, tcpip_input);
        netif_set_default(netif);
        netif_set_up(netif);
        NETIF_SET_CHECKSUM_CTRL(netif, NETIF_CHECKSUM_ENABLE_ALL &
                                           ~NETIF_CHECKSUM_GEN_TCP &
                                           ~NETIF_CHECKSUM_GEN_UDP);
    }
    UNLOCK_TCPIP_CORE();
    return err;
}
