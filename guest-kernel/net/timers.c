/*
 * lwIP's timeouts, in place of its own core/timeouts.c: what is periodic there
 * runs here only while it is needed, so that an idle guest sleeps.
 *
 *   TCP             every 250 ms while a connection exists; what waits for an
 *                   acknowledgement is looked at when its time is up
 *   ARP, DNS, IP    every second for a while after a question that may have to
 *   reassembly      be repeated; else every 16 s while there is traffic. Time
 *                   that was slept through is made up for
 *   DHCP            every 500 ms while an answer is awaited, every minute
 *                   while there is a lease
 *
 * The caller of every function has the core lock. The network thread sleeps
 * until the next timeout; a timeout that another thread makes wakes it.
 */
#include <string.h>

#include "lwip/opt.h"
#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/etharp.h"
#include "lwip/ip4_frag.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/dns.h"
#include "lwip/prot/etharp.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/udp.h"
#include "lwip/sys.h"
#include "lwip/tcpip.h"
#include "lwip/timeouts.h"

#include "guest-kernel/kernel.h"
#include "guest-kernel/net/timers.h"

#define TICK_MS      1000
#define ASKING_TICKS 15 /* ARP asks for 5 s, DNS gives up after 14 */
#define SLOW_MS      16000
#define QUIET_MS     15000 /* reassembly gives up after so long */
#define TICKS_MAX    7200  /* made up for: ARP's longest age is 300 s */

struct timeout {
    struct timeout *next;
    u32_t due;
    sys_timeout_handler fn;
    void *arg;
};

/*
 * The stack itself has five at most; the rest is for programs on lwIP's raw
 * API. No heap: timeouts must work when memory is short, then most of all.
 */
#define TIMEOUTS_MAX 64

static struct timeout pool[TIMEOUTS_MAX];
static struct timeout *timeouts; /* by due time */
static bool tcp_running, tick_running, dhcp_running;
static unsigned int asking_ticks; /* how many follow each other closely */
static u32_t last_tick, last_traffic;

static bool is_before(u32_t a, u32_t b)
{
    return (s32_t)(a - b) < 0;
}

/* ---- the list ---- */

void sys_timeouts_init(void)
{
    last_tick = sys_now();
}

void sys_timeout(u32_t ms, sys_timeout_handler fn, void *arg)
{
    struct timeout **at = &timeouts, *t = pool;

    while (t < pool + TIMEOUTS_MAX && t->fn)
        t++;
    if (t == pool + TIMEOUTS_MAX)
        kernel_panic("more than %d network timeouts", TIMEOUTS_MAX);
    *t = (struct timeout){ .due = sys_now() + ms, .fn = fn, .arg = arg };
    while (*at && !is_before(t->due, (*at)->due))
        at = &(*at)->next;
    t->next = *at;
    *at = t;
    if (at == &timeouts)
        net_thread_wake();
}

void sys_untimeout(sys_timeout_handler fn, void *arg)
{
    struct timeout **at = &timeouts, *t;

    for (; (t = *at); at = &t->next) {
        if (t->fn != fn || t->arg != arg)
            continue;
        *at = t->next;
        t->fn = NULL;
        return;
    }
}

void sys_check_timeouts(void)
{
    u32_t now = sys_now();

    while (timeouts && !is_before(now, timeouts->due)) {
        struct timeout *t = timeouts;
        struct timeout copy = *t;

        timeouts = t->next;
        t->fn = NULL;
        copy.fn(copy.arg);
    }
}

u32_t sys_timeouts_sleeptime(void)
{
    u32_t now = sys_now();

    if (!timeouts)
        return SYS_TIMEOUTS_SLEEPTIME_INFINITE;
    return is_before(timeouts->due, now) ? 0 : timeouts->due - now;
}

void sys_restart_timeouts(void)
{
    u32_t now = sys_now();
    u32_t first = timeouts ? timeouts->due : now;

    for (struct timeout *t = timeouts; t; t = t->next)
        t->due += now - first;
}

/* ---- TCP ---- */

static bool rtx_waits;
static u32_t rtx_due;

static void rtx_tick(void *arg)
{
    u32_t next;

    (void)arg;
    rtx_waits = false;
    next = net_rtx_run();
    if (next != SYS_TIMEOUTS_SLEEPTIME_INFINITE)
        net_timers_rtx(next);
}

/* One that is stopped or started anew meanwhile is seen when it is due. */
void net_timers_rtx(u32_t ms)
{
    u32_t due = sys_now() + ms;

    if (rtx_waits && !is_before(due, rtx_due))
        return;
    if (rtx_waits)
        sys_untimeout(rtx_tick, NULL);
    rtx_waits = true;
    rtx_due = due;
    sys_timeout(ms, rtx_tick, NULL);
}

static void tcp_tick(void *arg)
{
    tcp_tmr();
    if (!rtx_waits)
        rtx_tick(
            NULL); /* one that was not looked at while it probed a window */
    tcp_running = tcp_active_pcbs || tcp_tw_pcbs;
    if (tcp_running)
        sys_timeout(TCP_TMR_INTERVAL, tcp_tick, arg);
}

void tcp_timer_needed(void)
{
    if (tcp_running || (!tcp_active_pcbs && !tcp_tw_pcbs))
        return;
    tcp_running = true;
    sys_timeout(TCP_TMR_INTERVAL, tcp_tick, NULL);
}

/* ---- tables that age ---- */

/* Not while lwIP is at one of them. */
static void catch_up(void)
{
    u32_t ticks = (sys_now() - last_tick) / TICK_MS;

    last_tick += ticks * TICK_MS;
    for (u32_t i = 0; i < ticks && i < TICKS_MAX; i++) {
        etharp_tmr();
        dns_tmr();
        ip_reass_tmr();
    }
}

static void tick(void *arg)
{
    catch_up();
    sys_untimeout(tick, arg); /* a question that was repeated just now */
    tick_running = asking_ticks || sys_now() - last_traffic < QUIET_MS;
    if (tick_running)
        sys_timeout(asking_ticks ? TICK_MS : SLOW_MS, tick, arg);
    if (asking_ticks)
        asking_ticks--;
}

/* Called in the middle of lwIP's work: the network's thread does it. */
static void run_tick(void)
{
    last_traffic = sys_now();
    if (tick_running)
        return;
    tick_running = true;
    sys_timeout(0, tick, NULL);
}

/*
 * Time that was slept through is not that of what begins now. So before this
 * enters a table the others age; and where it has entered, because a question
 * is seen only as it leaves, they are spared that time.
 */
void net_timers_receives(void)
{
    if (!asking_ticks)
        catch_up();
    run_tick();
}

static void ask(void)
{
    bool slow = tick_running && !asking_ticks;

    asking_ticks = ASKING_TICKS;
    if (slow) {
        sys_untimeout(tick, NULL);
        sys_timeout(TICK_MS, tick, NULL);
    }
    run_tick();
}

/* ARP for another's address (not an announcement of our own), or DNS. */
static bool is_question(const struct pbuf *frame)
{
    struct {
        struct eth_hdr eth;
        union {
            struct etharp_hdr arp;
            struct {
                struct ip_hdr ip;
                struct udp_hdr udp; /* lwIP sends no IP options with it */
            };
        };
    } __attribute__((packed)) f;

    if (pbuf_copy_partial(frame, &f, sizeof(f), 0) < sizeof(f))
        return false;
    if (f.eth.type == PP_HTONS(ETHTYPE_ARP))
        return f.arp.opcode == PP_HTONS(ARP_REQUEST) &&
               memcmp(&f.arp.sipaddr, &f.arp.dipaddr, sizeof(f.arp.sipaddr));
    return f.eth.type == PP_HTONS(ETHTYPE_IP) &&
           IPH_PROTO(&f.ip) == IP_PROTO_UDP &&
           f.udp.dest == PP_HTONS(DNS_SERVER_PORT);
}

void net_timers_sends(const struct pbuf *frame)
{
    if (!is_question(frame)) {
        run_tick();
        return;
    }
    if (!asking_ticks)
        last_tick = sys_now();
    ask();
}

void net_timers_resolve(void)
{
    LOCK_TCPIP_CORE();
    if (!asking_ticks)
        catch_up();
    ask();
    UNLOCK_TCPIP_CORE();
}

/* ---- DHCP ---- */

static bool dhcp_waits(void)
{
    struct netif *n;

    NETIF_FOREACH(n)
    {
        const struct dhcp *d = netif_dhcp_data(n);

        if (d && d->request_timeout)
            return true;
    }
    return false;
}

static void dhcp_minute(void *arg)
{
    dhcp_coarse_tmr();
    sys_timeout(DHCP_COARSE_TIMER_MSECS, dhcp_minute, arg);
    net_timers_dhcp();
}

static void dhcp_tick(void *arg)
{
    dhcp_fine_tmr();
    dhcp_running = dhcp_waits();
    if (dhcp_running)
        sys_timeout(DHCP_FINE_TIMER_MSECS, dhcp_tick, arg);
}

void net_timers_dhcp(void)
{
    static bool minutes;

    if (!minutes)
        sys_timeout(DHCP_COARSE_TIMER_MSECS, dhcp_minute, NULL);
    minutes = true;
    if (dhcp_running || !dhcp_waits())
        return;
    dhcp_running = true;
    sys_timeout(DHCP_FINE_TIMER_MSECS, dhcp_tick, NULL);
}
