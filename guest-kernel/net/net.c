/*
 * Bringing the network up. See include/ringside/net.h.
 */
#include <errno.h>
#include <ringside/net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/ip4_addr.h"
#include "lwip/netif.h"
#include "lwip/opt.h"
#include "lwip/tcpip.h"

#include "guest-kernel/clock.h"
#include "guest-kernel/console.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/net/memory.h"
#include "guest-kernel/net/net.h"
#include "guest-kernel/net/timers.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/upcall.h"
#include "inet_checksum.h"

#define WANT_PATIENCE (10 * NS_PER_S)

/* What "ip=", or of further cards "ip1=" and so on, says. */
struct address_plan {
    bool dhcp;
    ip4_addr_t address, netmask, gateway, dns;
};

static struct netif cards[RS_NET_CARDS_MAX];
static unsigned int card_count;
static struct tcpip_callback_msg *wake_msg;
static bool wake_posted;
static struct wait_queue card_queue = WAIT_QUEUE_INIT(card_queue);

unsigned short net_checksum(const void *data, int len)
{
    return inet_sum(data, (size_t)len, 0);
}

bool net_post(struct tcpip_callback_msg *msg)
{
    return tcpip_callbackmsg_trycallback_fromisr(msg) == ERR_OK;
}

/* The network's thread has seen wake_msg, and looks at its timeouts next. */
static void woken(void *arg)
{
    (void)arg;
    wake_posted = false;
}

void net_thread_wake(void)
{
    if (wake_msg && !wake_posted)
        wake_posted = net_post(wake_msg);
}

/* ---- the command line ---- */

/* The value of the last such word on the command line, in buf, or NULL. */
static const char *find_option(const char *word, char *buf, size_t n)
{
    const char *line = (const char *)start_info->cmd_line, *found = NULL;
    size_t len, i = 0, head = strlen(word);

    for (;; i += len) {
        i += strspn(line + i, " \t\n");
        len = strcspn(line + i, " \t\n");
        if (!len)
            return found;
        if (len < head || strncmp(line + i, word, head) != 0)
            continue;
        /* What is cut off here is too long to be right. */
        snprintf(buf, n, "%.*s", (int)(len - head), line + i + head);
        found = buf;
    }
}

/* "a.b.c.d/len,gateway,dns"; the text is cut into pieces. */
static int parse_static(char *text, struct address_plan *plan)
{
    ip4_addr_t *parts[] = { &plan->address, &plan->gateway, &plan->dns };
    char *slash, *end, *part;
    unsigned long bits;

    for (int i = 0; i < 3 && (part = strsep(&text, ",")); i++) {
        slash = i == 0 ? strchr(part, '/') : NULL;
        if (i == 0) {
            if (!slash)
                return -EINVAL;
            *slash = '\0';
            bits = strtoul(slash + 1, &end, 10);
            if (slash[1] == '\0' || *end || bits < 1 || bits > 32)
                return -EINVAL;
            ip4_addr_set_u32(&plan->netmask,
                             lwip_htonl(0xffffffffu << (32 - bits)));
        }
        if (!ip4addr_aton(part, parts[i]))
            return -EINVAL;
    }
    return text ? -EINVAL : 0;
}

static int make_plan(unsigned int card, struct address_plan *plan)
{
    char word[16] = "ip=", value[80], text[80];
    int err;

    if (card)
        snprintf(word, sizeof(word), "ip%u=", card);
    memset(plan, 0, sizeof(*plan));
    if (!find_option(word, value, sizeof(value)) ||
        strcmp(value, "dhcp") == 0) {
        plan->dhcp = true;
        return 0;
    }
    strcpy(text, value);
    err = text[0] ? parse_static(text, plan) : -EINVAL;
    if (err)
        console_report("%s%s is wrong, so that card is not started: %sdhcp or "
                       "an address with the bits of its network, gateway and "
                       "name server are wanted, as in "
                       "%s10.0.0.2/24,10.0.0.1,10.0.0.3\n",
                       word, value, word, word);
    return err;
}

/* ---- start ---- */

static void card_changed(struct netif *netif)
{
    (void)netif;
    wait_queue_wake_all(&card_queue);
}

static void follow_plan(struct netif *card, const struct address_plan *plan)
{
    ip_addr_t dns;

    LOCK_TCPIP_CORE();
    netif_set_status_callback(card, card_changed);
    netif_set_link_callback(card, card_changed);
    if (plan->dhcp) {
        dhcp_start(card);
        net_timers_dhcp();
    } else {
        netif_set_addr(card, &plan->address, &plan->netmask, &plan->gateway);
        ip_addr_copy_from_ip4(dns, plan->dns);
        if (!ip4_addr_isany_val(plan->dns))
            dns_setserver(0, &dns);
    }
    UNLOCK_TCPIP_CORE();
}

/* The stack itself. -ENOMEM: call it again, there may be memory then. */
static int start_stack(void)
{
    static bool begun;

    if (!begun) {
        net_memory_init(start_info->nr_pages * 4096);
        tcpip_init(NULL, NULL);
        begun = true;
    }
    if (!wake_msg)
        wake_msg = tcpip_callbackmsg_new(woken, NULL);
    return wake_msg && net_thread_start() ? 0 : -ENOMEM;
}

static int start_card(unsigned int i)
{
    struct address_plan plan;
    int err = make_plan(i, &plan);

    if (!err)
        err = ethif_add(&cards[i], i);
    if (!err)
        follow_plan(&cards[i], &plan);
    return err;
}

/* Cards have numbers from 0 on: the first that is not there ends them. */
static int start_cards(void)
{
    int err = 0;

    while (!err && card_count < RS_NET_CARDS_MAX) {
        err = start_card(card_count);
        if (!err)
            card_count++;
    }
    return err;
}

int net_start(void)
{
    static struct mutex lock = MUTEX_INIT(lock);
    static bool started; /* all that there is */
    static int result;

    mutex_lock(&lock);
    if (!started)
        result = start_stack();
    if (!started && !result) {
        result = start_cards();
        /* Memory and grants may be there when it is called next. */
        started = result != -ENOMEM && result != -ENOSPC;
    }
    mutex_unlock(&lock);
    return card_count ? 0 : result;
}

static bool has_address(const struct netif *card)
{
    return !ip4_addr_isany_val(*netif_ip4_addr(card)) && netif_is_link_up(card);
}

int rs_net_card_up(unsigned int card, uint64_t timeout)
{
    IN_KERNEL();
    uint64_t now = clock_now();
    int err = net_start();

    if (err)
        return err;
    if (card >= card_count)
        return -ENODEV;
    return wait_event(&card_queue, has_address(&cards[card]),
                      timeout < NEVER - now ? now + timeout : NEVER);
}

int rs_net_up(uint64_t timeout)
{
    return rs_net_card_up(0, timeout);
}

int net_want(void)
{
    static bool waited;
    int err;

    if (waited)
        return 0;
    err = net_start();
    if (err == -ENOMEM)
        return err;
    if (err == -ENOSPC)
        return 0; /* the next socket tries again */
    waited = true;
    rs_net_up(WANT_PATIENCE);
    return 0;
}

int rs_net_card_info(unsigned int i, struct rs_net_info *out)
{
    IN_KERNEL();
    const struct netif *card = &cards[i];

    if (i >= card_count)
        return -ENODEV;
    memset(out, 0, sizeof(*out));
    LOCK_TCPIP_CORE();
    ip4addr_ntoa_r(netif_ip4_addr(card), out->address, sizeof(out->address));
    ip4addr_ntoa_r(netif_ip4_netmask(card), out->netmask, sizeof(out->netmask));
    ip4addr_ntoa_r(netif_ip4_gw(card), out->gateway, sizeof(out->gateway));
    memcpy(out->mac, card->hwaddr, sizeof(out->mac));
    out->mtu = card->mtu;
    UNLOCK_TCPIP_CORE();
    return 0;
}

int rs_net_info(struct rs_net_info *out)
{
    return rs_net_card_info(0, out);
}
