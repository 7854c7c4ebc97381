/* Collecting IPv4 fragments; see nat_reassembly.h. */
#include <stdlib.h>
#include <string.h>

#include "nat_reassembly.h"

static void datagram_free(struct nat_datagram *d)
{
    free(d->data);
    memset(d, 0, sizeof(*d));
}

static void datagram_drop(struct nat_reassembly *r, struct nat_datagram *d)
{
    datagram_free(d);
    r->dropped++;
}

void nat_reassembly_expire(struct nat_reassembly *r, uint64_t now)
{
    for (unsigned int i = 0; i < NAT_DATAGRAMS_MAX; i++) {
        struct nat_datagram *d = &r->datagram[i];

        if (d->data && now - d->began >= NAT_REASSEMBLY_MS)
            datagram_drop(r, d);
    }
}

void nat_reassembly_clear(struct nat_reassembly *r)
{
    for (unsigned int i = 0; i < NAT_DATAGRAMS_MAX; i++)
        datagram_free(&r->datagram[i]);
    r->whole = NULL;
}

static bool same_packet(const struct nat_ipv4 *a, const struct nat_ipv4 *b)
{
    return a->id == b->id && a->src == b->src && a->dst == b->dst &&
           a->protocol == b->protocol;
}

/* The packet that the fragment belongs to: a known one, a free one, or the
 * oldest one's place. */
static struct nat_datagram *datagram_for(struct nat_reassembly *r,
                                         const struct nat_ipv4 *f, uint64_t now)
{
    struct nat_datagram *place = &r->datagram[0];

    for (unsigned int i = 0; i < NAT_DATAGRAMS_MAX; i++) {
        struct nat_datagram *d = &r->datagram[i];

        if (d->data && same_packet(&d->first, f))
            return d;
        if (place->data && (!d->data || d->began < place->began))
            place = d;
    }
    if (place->data)
        datagram_drop(r, place);
    place->first = *f;
    place->began = now;
    return place;
}

static bool make_room(struct nat_datagram *d, size_t end)
{
    size_t room = d->room ? d->room : 2048;
    uint8_t *data;

    while (room < end)
        room *= 2;
    if (room == d->room)
        return true;
    data = realloc(d->data, room);
    if (!data)
        return false;
    d->data = data;
    d->room = room;
    return true;
}

/* Marks the units of a fragment; false if one is there already. */
static bool mark_units(struct nat_datagram *d, size_t offset, size_t len)
{
    for (size_t u = offset / 8; u < (offset + len + 7) / 8; u++) {
        uint64_t bit = 1ull << u % 64;

        if (d->has[u / 64] & bit)
            return false;
        d->has[u / 64] |= bit;
    }
    return true;
}

/* Adds the fragment; false: it does not fit to the others. */
static bool datagram_add(struct nat_datagram *d, const struct nat_ipv4 *f)
{
    size_t end = f->offset + f->len;

    if (!f->more_fragments) {
        if (d->total)
            return false;
        d->total = end;
    }
    if (end > d->end)
        d->end = end;
    if ((d->total && d->end > d->total) || !make_room(d, end) ||
        !mark_units(d, f->offset, f->len))
        return false;
    memcpy(d->data + f->offset, f->payload, f->len);
    d->received += f->len;
    return true;
}

bool nat_reassemble(struct nat_reassembly *r, const struct nat_ipv4 *fragment,
                    uint64_t now, struct nat_ipv4 *out)
{
    struct nat_datagram *d;

    if (r->whole)
        datagram_free(r->whole);
    r->whole = NULL;
    nat_reassembly_expire(r, now);
    d = datagram_for(r, fragment, now);
    if (fragment->offset == 0) {
        d->first.ttl = fragment->ttl;
        d->first.tos = fragment->tos;
    }
    if (!datagram_add(d, fragment)) {
        datagram_drop(r, d);
        return false;
    }
    /* No two fragments overlap and none ends beyond `total`. */
    if (!d->total || d->received < d->total)
        return false;
    r->whole = d;
    *out = d->first;
    out->plain = false;
    out->more_fragments = false;
    out->offset = 0;
    out->payload = d->data;
    out->len = d->total;
    return true;
}
