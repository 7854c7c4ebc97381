/*
 * Bringing the network up. See include/ringside/net.h.
 */
#include <errno.h>
#include <ringside/net.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/ip4_addr.h"
#include "lwip/netif.h"
#include "lwip/opt.h"
#include "lwip/tcpip.h"

#include "guest-kernel/clock.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/net/memory.h"
#include "guest-kernel/net/net.h"
#include "guest-kernel/net/timers.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/upcall.h"
#include "inet_checksum.h"

#define WANT_PATIENCE (10 * NS_PER_S)

/* What "ip=" says. */
struct address_plan {
    bool dhcp;
    ip4_addr_t address, netmask, gateway, dns;
};

static struct netif card;
static bool have_card, started;
static int start_result;
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

/* The value of the last "ip=" word on the command line, in buf, or NULL. */
static const char *find_option(char *buf, size_t n)
{
    const char *line = (const char *)start_info->cmd_line, *found = NULL;
    size_t len, i = 0;

    for (;; i += len) {
        i += strspn(line + i, " \t\n");
        len = strcspn(line + i, " \t\n");
        if (!len)
            return found;
        if (len > 3 && len - 3 < n && strncmp(line + i, "ip=", 3) == 0) {
            memcpy(buf, line + i + 3, len - 3);
            buf[len - 3] = '\0';
            found = buf;
        }
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

static int make_plan(struct address_plan *plan)
{
    char text[80];

    memset(plan, 0, sizeof(*plan));
    if (!find_option(text, sizeof(text)) || strcmp(text, "dhcp") == 0) {
        plan->dhcp = true;
        return 0;
    }
    return parse_static(text, plan);
}

/* ---- start ---- */

static void card_changed(struct netif *netif)
{
    (void)netif;
    wait_queue_wake_all(&card_queue);
}

static void follow_plan(const struct address_plan *plan)
{
    ip_addr_t dns;

    LOCK_TCPIP_CORE();
    netif_set_status_callback(&card, card_changed);
    netif_set_link_callback(&card, card_changed);
    if (plan->dhcp) {
        dhcp_start(&card);
        net_timers_dhcp();
    } else {
        netif_set_addr(&card, &plan->address, &plan->netmask, &plan->gateway);
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

static int start_card(void)
{
    struct address_plan plan;
    int err;

    err = make_plan(&plan);
    if (!err)
        err = ethif_add(&card);
    if (err)
        return err;
    have_card = true;
    follow_plan(&plan);
    return 0;
}

int net_start(void)
{
    static struct mutex lock = MUTEX_INIT(lock);

    mutex_lock(&lock);
    if (!started)
        start_result = start_stack();
    if (!started && !start_result) {
        start_result = start_card();
        /* Memory and grants may be there when it is called next. */
        started = start_result != -ENOMEM && start_result != -ENOSPC;
    }
    mutex_unlock(&lock);
    return start_result;
}

static bool has_address(void)
{
    return !ip4_addr_isany_val(*netif_ip4_addr(&card)) &&
           netif_is_link_up(&card);
}

int rs_net_up(uint64_t timeout)
{
    IN_KERNEL();
    uint64_t now = clock_now();
    int err = net_start();

    if (err)
        return err;
    return wait_event(&card_queue, has_address(),
                      timeout < NEVER - now ? now + timeout : NEVER);
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

int rs_net_info(struct rs_net_info *out)
{
    IN_KERNEL();
    if (!have_card)
        return -ENODEV;
    memset(out, 0, sizeof(*out));
    LOCK_TCPIP_CORE();
    ip4addr_ntoa_r(netif_ip4_addr(&card), out->address, sizeof(out->address));
    ip4addr_ntoa_r(netif_ip4_netmask(&card), out->netmask,
                   sizeof(out->netmask));
    ip4addr_ntoa_r(netif_ip4_gw(&card), out->gateway, sizeof(out->gateway));
    memcpy(out->mac, card.hwaddr, sizeof(out->mac));
    out->mtu = card.mtu;
    UNLOCK_TCPIP_CORE();
    return 0;
}
