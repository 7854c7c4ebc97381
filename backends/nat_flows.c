/* The table of TCP connections; see nat_flows.h. */
#include <stdlib.h>

#include "nat_flows.h"

void nat_flows_init(struct nat_flows *t)
{
    for (unsigned int i = 0; i < NAT_FLOW_BUCKETS; i++)
        list_init(&t->bucket[i]);
    for (unsigned int i = 0; i < NAT_FLOW_KINDS; i++) {
        list_init(&t->order[i]);
        t->n[i] = 0;
    }
    t->unacked = 0;
}

void nat_flows_clear(struct nat_flows *t)
{
    for (unsigned int i = 0; i < NAT_FLOW_KINDS; i++)
        while (!list_empty(&t->order[i]))
            nat_flow_remove(
                t, container_of(t->order[i].next, struct nat_flow, order));
}

/* A guest may choose what it likes: it slows down itself, by a walk over at
 * most all of its own connections. */
static struct list *bucket_of(struct nat_flows *t, uint16_t guest_port,
                              uint32_t remote, uint16_t remote_port)
{
    uint32_t h = remote ^ ((uint32_t)guest_port << 16 | remote_port);

    h *= 0x9e3779b1;
    return &t->bucket[h >> 24 & (NAT_FLOW_BUCKETS - 1)];
}

struct nat_flow *nat_flow_find(struct nat_flows *t, uint32_t guest,
                               uint16_t guest_port, uint32_t remote,
                               uint16_t remote_port)
{
    struct list *bucket = bucket_of(t, guest_port, remote, remote_port);

    for (struct list *l = bucket->next; l != bucket; l = l->next) {
        struct nat_flow *f = container_of(l, struct nat_flow, bucket);

        if (f->guest == guest && f->guest_port == guest_port &&
            f->remote == remote && f->remote_port == remote_port)
            return f;
    }
    return NULL;
}

struct nat_flow *nat_flow_add(struct nat_flows *t, const struct nat_flow *key)
{
    struct nat_flow *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->kind = key->kind;
    f->guest = key->guest;
    f->guest_port = key->guest_port;
    f->remote = key->remote;
    f->remote_port = key->remote_port;
    f->used = key->used;
    f->fd = -1;
    /* Before one of the same addresses and ports that libslirp still has. */
    list_add_head(bucket_of(t, f->guest_port, f->remote, f->remote_port),
                  &f->bucket);
    list_add_tail(&t->order[f->kind], &f->order);
    t->n[f->kind]++;
    return f;
}

void nat_flow_remove(struct nat_flows *t, struct nat_flow *f)
{
    t->unacked -= f->unacked;
    t->n[f->kind]--;
    list_del(&f->bucket);
    list_del(&f->order);
    free(f);
}

struct nat_flow *nat_flow_oldest(struct nat_flows *t, enum nat_flow_kind kind)
{
    if (list_empty(&t->order[kind]))
        return NULL;
    return container_of(t->order[kind].next, struct nat_flow, order);
}

static bool is_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

static void flow_used(struct nat_flows *t, struct nat_flow *f, uint64_t now)
{
    f->used = now;
    if (f->closing)
        return;
    list_del(&f->order);
    list_add_tail(&t->order[f->kind], &f->order);
}

static void flow_closes(struct nat_flows *t, struct nat_flow *f)
{
    if (f->closing)
        return;
    f->closing = true;
    list_del(&f->order);
    list_add_head(&t->order[f->kind], &f->order);
}

/* The end of the segment in sequence numbers. */
static uint32_t end_of(const struct nat_transport *s)
{
    return s->seq + (uint32_t)s->data_len + !!(s->flags & NAT_FIN);
}

bool nat_flow_is_full(const struct nat_flows *t, const struct nat_flow *f)
{
    return f->unacked >= NAT_UNACKED_MAX || t->unacked >= NAT_UNACKED_ALL_MAX;
}

bool nat_flow_may_send(const struct nat_flows *t, const struct nat_flow *f,
                       const struct nat_transport *s)
{
    if (!f->answered || end_of(s) == s->seq)
        return true;
    /* What begins here is never kept for later, so this goes on. */
    if (!is_after(s->seq, f->acked))
        return true;
    return !is_after(end_of(s), f->edge + 1) && !nat_flow_is_full(t, f);
}

void nat_flow_sent(struct nat_flows *t, struct nat_flow *f,
                   const struct nat_transport *s, uint64_t now)
{
    uint32_t end = end_of(s);

    flow_used(t, f, now);
    f->window = s->window;
    if (s->flags & NAT_ACK)
        f->last_ack = s->ack;
    if (s->flags & NAT_RST)
        flow_closes(t, f);
    if (s->flags & NAT_FIN) {
        f->fin_guest = true;
        if (f->fin_remote)
            flow_closes(t, f);
    }
    if (!f->answered || end == s->seq)
        return;
    f->unacked++;
    t->unacked++;
    if (is_after(end, f->edge + 1))
        end = f->edge + 1;
    if (is_after(end, f->high))
        f->high = end;
}

void nat_flow_received(struct nat_flows *t, struct nat_flow *f,
                       const struct nat_transport *s, uint64_t now)
{
    uint32_t edge = s->ack + s->window;

    flow_used(t, f, now);
    if (f->kind == NAT_FORWARDED && (s->flags & NAT_SYN))
        f->first = s->seq;
    if (s->flags & NAT_RST) {
        flow_closes(t, f);
        return;
    }
    if (s->flags & NAT_FIN) {
        f->fin_remote = true;
        if (f->fin_guest)
            flow_closes(t, f);
    }
    if (!(s->flags & NAT_ACK))
        return;
    if (!f->answered) {
        f->answered = true;
        f->acked = f->high = s->ack;
        f->edge = edge;
        return;
    }
    if (is_after(s->ack, f->acked))
        f->acked = s->ack;
    if (is_after(edge, f->edge))
        f->edge = edge;
    if (!is_after(f->high, f->acked)) {
        t->unacked -= f->unacked;
        f->unacked = 0;
    }
}
