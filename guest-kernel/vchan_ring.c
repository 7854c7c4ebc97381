/* Bytes into a vchan's rings and out of them. See vchan_ring.h. */
#include "guest-kernel/vchan_ring.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct vchan_interface) == 24, "vchan page header");
_Static_assert(sizeof(struct vchan_interface) +
                       2 * sizeof(uint32_t) *
                           (1u << (VCHAN_ORDER_MAX - PAGE_SHIFT)) <=
                   PAGE_SIZE,
               "all grants fit the page");
/* ---- sizes and places ---- */

static unsigned int order_of(size_t bytes)
{
    unsigned int order = VCHAN_ORDER_MIN;

    while (order < VCHAN_ORDER_MAX && (size_t)1 << order < bytes)
        order++;
    return order;
}

/* Where the list of grants ends. */
static size_t list_end(unsigned int left, unsigned int right)
{
    return sizeof(struct vchan_interface) +
           sizeof(uint32_t) * (vchan_pages(left) + vchan_pages(right));
}

static bool order_valid(unsigned int order, size_t end)
{
    return order >= VCHAN_ORDER_MIN && order <= VCHAN_ORDER_MAX &&
           (order >= PAGE_SHIFT || end <= (size_t)1 << order);
}

bool vchan_orders_valid(unsigned int left, unsigned int right)
{
    size_t end;

    if (left > VCHAN_ORDER_MAX || right > VCHAN_ORDER_MAX)
        return false;
    end = list_end(left, right);
    return order_valid(left, end) && order_valid(right, end) &&
           (left != right || left >= PAGE_SHIFT);
}

int vchan_orders(size_t left, size_t right, unsigned int *left_order,
                 unsigned int *right_order)
{
    size_t most = (size_t)1 << VCHAN_ORDER_MAX;

    if (left > most || right > most)
        return -EINVAL;
    *left_order = order_of(left);
    *right_order = order_of(right);
    if (*left_order == *right_order && *left_order < PAGE_SHIFT)
        ++*right_order;
    /* A long list pushes a small ring of the other direction out. */
    while (!vchan_orders_valid(*left_order, *right_order))
        ++*(*left_order < *right_order ? left_order : right_order);
    return 0;
}

static char *place(struct vchan_interface *page, unsigned int order, void *data)
{
    return order < PAGE_SHIFT ? (char *)page + (1u << order) : data;
}

void vchan_end_init(struct vchan_end *e, struct vchan_interface *page,
                    bool server, unsigned int left_order,
                    unsigned int right_order, void *left, void *right)
{
    struct vchan_half l = { .shared = &page->left,
                            .data = place(page, left_order, left),
                            .size = 1u << left_order };
    struct vchan_half r = { .shared = &page->right,
                            .data = place(page, right_order, right),
                            .size = 1u << right_order };

    *e = (struct vchan_end){
        .page = page,
        .in = server ? l : r,
        .out = server ? r : l,
        .live = server ? &page->srv_live : &page->cli_live,
        .peer_live = server ? &page->cli_live : &page->srv_live,
        .wanted = server ? &page->cli_notify : &page->srv_notify,
        .peer_wanted = server ? &page->srv_notify : &page->cli_notify,
    };
    e->in.mine = READ_ONCE(e->in.shared->cons);
    e->out.mine = READ_ONCE(e->out.shared->prod);
}

/* ---- moving bytes ---- */

size_t vchan_readable(struct vchan_end *e)
{
    uint32_t n = READ_ONCE(e->in.shared->prod) - e->in.mine;

    if (n > e->in.size)
        e->broken = true;
    return e->broken ? 0 : n;
}

size_t vchan_writable(struct vchan_end *e)
{
    uint32_t used = e->out.mine - READ_ONCE(e->out.shared->cons);

    if (used > e->out.size)
        e->broken = true;
    return e->broken ? 0 : e->out.size - used;
}

size_t vchan_get(struct vchan_end *e, void *buf, size_t n)
{
    size_t have = vchan_readable(e), first;
    uint32_t off = e->in.mine & (e->in.size - 1);

    if (n > have)
        n = have;
    first = e->in.size - off < n ? e->in.size - off : n;
    xen_rmb(); /* prod before the bytes; partner: vchan_put() over there */
    memcpy(buf, e->in.data + off, first);
    memcpy((char *)buf + first, e->in.data, n - first);
    xen_mb(); /* the copy is done before they may be overwritten */
    e->in.mine += (uint32_t)n;
    WRITE_ONCE(e->in.shared->cons, e->in.mine);
    return n;
}

size_t vchan_put(struct vchan_end *e, const void *buf, size_t n)
{
    size_t room = vchan_writable(e), first;
    uint32_t off = e->out.mine & (e->out.size - 1);

    if (n > room)
        n = room;
    first = e->out.size - off < n ? e->out.size - off : n;
    xen_mb(); /* cons before the bytes that it frees; partner: vchan_get() */
    memcpy(e->out.data + off, buf, first);
    memcpy(e->out.data, (const char *)buf + first, n - first);
    xen_wmb(); /* the bytes before prod */
    e->out.mine += (uint32_t)n;
    WRITE_ONCE(e->out.shared->prod, e->out.mine);
    return n;
}

/* ---- who wants to be told ---- */

bool vchan_must_notify(struct vchan_end *e, uint8_t what)
{
    xen_mb(); /* our index before their wish; partner: vchan_request_event() */
    if (!(READ_ONCE(*e->wanted) & what))
        return false;
    return __atomic_fetch_and(e->wanted, (uint8_t)~what, __ATOMIC_SEQ_CST) &
           what;
}

void vchan_request_event(struct vchan_end *e, uint8_t what)
{
    if ((READ_ONCE(*e->peer_wanted) & what) != what)
        __atomic_fetch_or(e->peer_wanted, what, __ATOMIC_SEQ_CST);
    xen_mb(); /* our wish before the last look; partner: vchan_must_notify() */
}
