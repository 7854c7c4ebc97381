/*
 * The guest kernel as far as lwIP needs it, for one thread. See net_stack.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/dns.h"
#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/opt.h"
#include "lwip/sys.h"
#include "lwip/tcpip.h"
#include "netif/ethernet.h"

#include "guest-kernel/kernel.h"
#include "guest-kernel/net/memory.h"
#include "guest-kernel/net/timers.h"
#include "inet_checksum.h"
#include "tests/unit/net_frame.h"
#include "tests/unit/net_stack.h"

#define SENT_MAX  8192
#define PAGE      4096
#define FRAME_MAX 65536

bool net_stack_pages = true;
size_t net_stack_first = PAGE;
unsigned int net_stack_pages_held;
bool net_stack_answers_arp = true;
unsigned long net_stack_packet_errors;

static net_bug_fn *on_bug;
static struct netif card;
static uint32_t now_ms = 1000;

/* ---- what lwIP calls ---- */

void net_bug(const char *what, const char *file, int line)
{
    on_bug(what, file, line);
    abort();
}

void kernel_panic(const char *fmt, ...)
{
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    net_bug(text, __FILE__, __LINE__);
}

void net_packet_error(const char *what)
{
    (void)what;
    net_stack_packet_errors++;
}

static uint32_t random_state;

uint32_t net_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

unsigned short net_checksum(const void *data, int len)
{
    return inet_sum(data, (size_t)len, 0);
}

uint32_t net_tcp_isn(const void *local, uint16_t local_port, const void *remote,
                     uint16_t remote_port)
{
    (void)local;
    (void)remote;
    return 0xfffff000u + local_port + remote_port;
}

void net_thread_wake(void)
{
}

void kernel_enter(void)
{
}

void kernel_leave(void)
{
}

void sys_init(void)
{
}

u32_t sys_now(void)
{
    return now_ms;
}

sys_thread_t sys_thread_new(const char *name, lwip_thread_fn fn, void *arg,
                            int stack, int priority)
{
    (void)name;
    (void)fn;
    (void)arg;
    (void)stack;
    (void)priority;
    return NULL;
}

struct semaphore {
    unsigned int count;
};

err_t sys_sem_new(sys_sem_t *s, u8_t count)
{
    *s = calloc(1, sizeof(**s));
    (*s)->count = count;
    return ERR_OK;
}

void sys_sem_free(sys_sem_t *s)
{
    free(*s);
    *s = NULL;
}

void sys_sem_signal(sys_sem_t *s)
{
    (*s)->count++;
}

void (*net_stack_meanwhile)(bool over);

static void meanwhile(bool over)
{
    if (net_stack_meanwhile)
        net_stack_meanwhile(over);
}

u32_t sys_arch_sem_wait(sys_sem_t *s, u32_t timeout)
{
    for (u32_t t = 0; !(*s)->count; t += NET_STACK_TICK_MS) {
        if (timeout && t >= timeout)
            return SYS_ARCH_TIMEOUT;
        if (t > 600000)
            net_bug("a call blocks", __FILE__, __LINE__);
        meanwhile(false);
        net_stack_pass(NET_STACK_TICK_MS);
    }
    meanwhile(true);
    (*s)->count--;
    return 0;
}

sys_sem_t *net_thread_semaphore(void)
{
    static _Thread_local struct semaphore own;
    static _Thread_local sys_sem_t handle;

    handle = &own;
    return &handle;
}

err_t sys_mutex_new(sys_mutex_t *m)
{
    *m = calloc(1, 1);
    return ERR_OK;
}

void sys_mutex_free(sys_mutex_t *m)
{
    free(*m);
    *m = NULL;
}

void sys_mutex_lock(sys_mutex_t *m)
{
    (void)m;
}

void sys_mutex_unlock(sys_mutex_t *m)
{
    (void)m;
}

struct net_mbox {
    unsigned int size, count, first;
    void *slots[];
};

err_t sys_mbox_new(sys_mbox_t *mbox, int size)
{
    unsigned int n = size > 0 ? (unsigned int)size : 128;

    *mbox = calloc(1, sizeof(**mbox) + n * sizeof(void *));
    (*mbox)->size = n;
    return ERR_OK;
}

void sys_mbox_free(sys_mbox_t *mbox)
{
    free(*mbox);
    *mbox = NULL;
}

err_t sys_mbox_trypost(sys_mbox_t *mbox, void *msg)
{
    struct net_mbox *m = *mbox;

    if (m->count == m->size)
        return ERR_MEM;
    m->slots[(m->first + m->count++) % m->size] = msg;
    return ERR_OK;
}

err_t sys_mbox_trypost_fromisr(sys_mbox_t *mbox, void *msg)
{
    return sys_mbox_trypost(mbox, msg);
}

void sys_mbox_post(sys_mbox_t *mbox, void *msg)
{
    if (sys_mbox_trypost(mbox, msg) != ERR_OK)
        net_bug("a call blocks", __FILE__, __LINE__);
}

u32_t sys_arch_mbox_fetch(sys_mbox_t *mbox, void **msg, u32_t timeout)
{
    struct net_mbox *m = *mbox;
    void *got;

    (void)timeout;
    if (!m->count)
        return SYS_ARCH_TIMEOUT;
    got = m->slots[m->first];
    m->first = (m->first + 1) % m->size;
    m->count--;
    if (msg)
        *msg = got;
    return 0;
}

u32_t sys_arch_mbox_tryfetch(sys_mbox_t *mbox, void **msg)
{
    return (*mbox)->count ? sys_arch_mbox_fetch(mbox, msg, 1) : SYS_MBOX_EMPTY;
}

/* ---- the card ---- */

struct sent {
    size_t n;
    unsigned char *data;
};

static struct sent sent[SENT_MAX];
static unsigned int sent_first, sent_count;

static void sent_drop(void)
{
    free(sent[sent_first].data);
    sent_first = (sent_first + 1) % SENT_MAX;
    sent_count--;
}

static err_t tx_output(struct netif *netif, struct pbuf *p)
{
    struct sent *s;

    (void)netif;
    net_timers_sends(p);
    if (sent_count == SENT_MAX)
        sent_drop();
    s = &sent[(sent_first + sent_count++) % SENT_MAX];
    s->n = p->tot_len;
    s->data = malloc(s->n ? s->n : 1);
    pbuf_copy_partial(p, s->data, p->tot_len, 0);
    return ERR_OK;
}

static void answer_arp(const struct sent *s)
{
    unsigned char reply[FRAME_ARP];

    if (frame_arp_reply(s->data, s->n, NET_GUEST_IP, reply))
        net_stack_receive(reply, sizeof(reply));
}

size_t net_stack_sent(void *frame, size_t n)
{
    struct sent s;

    while (sent_count) {
        s = sent[sent_first];
        sent[sent_first].data = NULL;
        sent_drop();
        if (s.n >= 14 && s.data[12] == 8 && s.data[13] == 6) {
            if (net_stack_answers_arp)
                answer_arp(&s);
            free(s.data);
            continue;
        }
        memcpy(frame, s.data, s.n < n ? s.n : n);
        free(s.data);
        return s.n;
    }
    return 0;
}

void net_stack_forget(void)
{
    unsigned char none[1];

    while (net_stack_sent(none, 1))
        continue;
}

struct page {
    struct pbuf_custom pbuf;
    unsigned char *data;
};

static void page_free(struct pbuf *p)
{
    struct page *page = (struct page *)p;

    free(page->data);
    free(page);
    net_stack_pages_held--;
}

static struct pbuf *wrap(const unsigned char *frame, size_t n)
{
    struct pbuf *head = NULL;

    for (size_t at = 0; at < n;) {
        size_t most = at ? PAGE : net_stack_first;
        size_t part = n - at < most ? n - at : most;
        struct page *page = calloc(1, sizeof(*page));
        struct pbuf *p;

        /* Exactly as long as what it holds, so that ASan sees more. */
        page->data = malloc(part);
        memcpy(page->data, frame + at, part);
        net_stack_pages_held++;
        page->pbuf.custom_free_function = page_free;
        p = pbuf_alloced_custom(PBUF_RAW, (u16_t)part, PBUF_REF, &page->pbuf,
                                page->data, (u16_t)part);
        if (head)
            pbuf_cat(head, p);
        else
            head = p;
        at += part;
    }
    return head;
}

void net_stack_receive(const void *frame, size_t n)
{
    struct pbuf *p;

    if (n > UINT16_MAX)
        return;
    if (n >= 512 && net_stack_pages)
        p = wrap(frame, n);
    else if ((p = pbuf_alloc(PBUF_RAW, (u16_t)n, PBUF_RAM)))
        pbuf_take(p, frame, (u16_t)n);
    if (!p)
        return;
    net_timers_receives();
    if (ethernet_input(p, &card) != ERR_OK)
        pbuf_free(p);
}

static err_t card_init(struct netif *netif)
{
    static const unsigned char mac[] = FRAME_GUEST_MAC;

    memcpy(netif->hwaddr, mac, sizeof(mac));
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

void net_stack_pass(unsigned int ms)
{
    while (ms) {
        uint32_t step = sys_timeouts_sleeptime();

        if (step > ms)
            step = ms;
        now_ms += step;
        ms -= step;
        sys_check_timeouts();
    }
}

void net_stack_reset(void)
{
    ip4_addr_t address, netmask, server;
    ip_addr_t dns;

    random_state = 0x2545f491;
    ip4_addr_set_u32(&address, lwip_htonl(NET_GUEST_IP));
    ip4_addr_set_u32(&netmask, lwip_htonl(0xffffff00));
    ip4_addr_set_u32(&server, lwip_htonl(NET_SERVER_IP));
    netif_set_addr(&card, &address, &netmask, &server);
    netif_set_link_up(&card);
    ip_addr_copy_from_ip4(dns, server);
    dns_setserver(0, &dns);
    etharp_cleanup_netif(&card);
    net_stack_forget();
}

void net_stack_start(size_t guest_memory, net_bug_fn *bug)
{
    static bool started;

    on_bug = bug;
    if (started)
        return;
    started = true;
    net_memory_init(guest_memory);
    random_state = 0x2545f491;
    tcpip_init(NULL, NULL);
    netif_add(&card, NULL, NULL, NULL, NULL, card_init, tcpip_input);
    netif_set_default(&card);
    netif_set_up(&card);
    net_stack_reset();
}
