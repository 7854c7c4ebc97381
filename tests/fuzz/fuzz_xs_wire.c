/*
 * The decoder of messages: the same bytes go to one store whole and to another
 * in pieces, over a socket or a ring, from domain 0 or a guest. Both must come
 * to the same: the same replies, the same end of the connection.
 *
 * The first byte says who sends and what carries it, the next ones how large
 * the pieces are, the rest is what is sent.
 */
#include <stdlib.h>
#include <string.h>

#include "tree/node.h"
#include "xs_session.h"

#define DOMID      5
#define PIECES     4
#define GOT_MAX    (1u << 20)
#define PRIVILEGED 1
#define ON_RING    2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What one store sent, and whether it ended the connection. */
struct outcome {
    unsigned char *got;
    size_t len;
    bool ended;
};

static struct session t;

/* All that the store wants to say now. */
static void ring_take(struct fake_domain *f, struct outcome *o)
{
    while (f->page.rsp_cons != f->page.rsp_prod && o->len < GOT_MAX)
        o->got[o->len++] =
            (unsigned char)f->page.rsp[MASK_XENSTORE_IDX(f->page.rsp_cons++)];
}

/* Turns of the loop until the store has no more to say. */
static void ring_turn(struct fake_domain *f, struct outcome *o)
{
    size_t had;

    do {
        had = o->len;
        conn_dirty(f->ring);
        session_run(&t);
        ring_take(f, o);
    } while (o->len > had && o->len < GOT_MAX);
}

static void ring_send(const uint8_t *data, size_t size, struct outcome *o)
{
    struct fake_domain *f = &t.dom[DOMID];
    unsigned int idle = 0;

    while (size && idle < 4) {
        uint32_t room =
            XENSTORE_RING_SIZE - (f->page.req_prod - f->page.req_cons);

        idle = room ? 0 : idle + 1;
        for (; room && size; room--, size--)
            f->page.req[MASK_XENSTORE_IDX(f->page.req_prod++)] = (char)*data++;
        ring_turn(f, o);
    }
}

static void socket_take(struct client *k, struct outcome *o)
{
    size_t n = k->got_len < GOT_MAX ? k->got_len : GOT_MAX;

    if (n)
        memcpy(o->got, k->got, n);
    o->len = n;
    o->ended = !k->c;
}

/* Sends everything in pieces of the sizes at `piece` (0: no end). */
static void play(unsigned int how, const uint8_t *piece, const uint8_t *data,
                 size_t size, struct outcome *o)
{
    struct client *admin, *k = NULL;

    if (!session_new(&t))
        abort();
    admin = client_new(&t);
    if (how & ON_RING) {
        session_boot(&t, DOMID, true);
        ASK(&t, admin, XS_INTRODUCE, 0, "5\0001\0001\0");
    } else {
        k = how & PRIVILEGED ? client_new(&t) : session_guest(&t, admin, DOMID);
    }
    for (unsigned int i = 0; size; i = (i + 1) % PIECES) {
        size_t n = piece[i] && piece[i] < size ? piece[i] : size;

        if (how & ON_RING)
            ring_send(data, n, o);
        else
            client_send(&t, k, data, n);
        data += n;
        size -= n;
    }
    if (how & ON_RING)
        o->ended = t.dom[DOMID].page.error != 0;
    else
        socket_take(k, o);
    if (session_check(&t))
        abort();
    if (k)
        client_free(&t, k);
    client_free(&t, admin);
    session_free(&t);
    if (node_stats.nodes || node_stats.bytes)
        abort();
}

/* The next reply from *at on, without its payload if that is a generation. */
static size_t next_reply(const struct outcome *o, size_t *at,
                         const unsigned char **reply)
{
    struct xsd_sockmsg hdr;
    size_t size;

    while (*at + sizeof(hdr) <= o->len) {
        memcpy(&hdr, o->got + *at, sizeof(hdr));
        size = sizeof(hdr) + hdr.len;
        if (*at + size > o->len)
            break;
        *reply = o->got + *at;
        *at += size;
        if (hdr.type == XS_DIRECTORY_PART)
            return offsetof(struct xsd_sockmsg, len);
        if (hdr.type != XS_WATCH_EVENT)
            return size;
    }
    return 0;
}

/*
 * Events that wait are not queued twice, so pieces may get more of them. Who
 * broke the rules may not get what had not been sent.
 */
static bool same(const struct outcome *a, const struct outcome *b)
{
    const unsigned char *x = NULL, *y = NULL;
    size_t at = 0, bt = 0, n, m;

    if (a->ended != b->ended)
        return false;
    do {
        n = next_reply(a, &at, &x);
        m = next_reply(b, &bt, &y);
        if (a->ended && (!n || !m))
            return true;
        if (n != m || (n && memcmp(x, y, n)))
            return false;
    } while (n);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t whole[PIECES];
    static unsigned char got[2][GOT_MAX];
    static bool quiet;
    struct outcome a = { got[0], 0, false }, b = { got[1], 0, false };

    if (!quiet && log_open("/dev/null"))
        abort();
    quiet = true;
    if (size < 1 + PIECES)
        return 0;
    play(data[0], whole, data + 1 + PIECES, size - 1 - PIECES, &a);
    play(data[0], data + 1, data + 1 + PIECES, size - 1 - PIECES, &b);
    if (!same(&a, &b))
        abort();
    return 0;
}
