/*
 * Whole sessions of the store: several clients, a guest on a ring, domains
 * that come and go, time that passes. The input is a program of small steps,
 * each of a few bytes: requests put together from a small vocabulary (so that
 * they meet the same nodes, watches and transactions), raw bytes, and all that
 * peers and the hypervisor can do, and live updates. After every few steps the
 * store's accounts are compared with its tree, and at the end nothing may be
 * left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "xs_session.h"

#define CLIENTS    4 /* two of domain 0, two guests */
#define RING_DOMID 7
#define STEPS_MAX  600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *in;
static size_t left;

static uint8_t byte(void)
{
    if (!left)
        return 0;
    left--;
    return *in++;
}

static struct session t;
static struct client *admin; /* does what must succeed */
static struct client *k[CLIENTS];

static unsigned int domid_of(unsigned int i)
{
    return i < 2 ? 0 : i + 3;
}

/* A client's place is filled again when it is gone. */
static void ensure(unsigned int i)
{
    if (k[i] && k[i]->c)
        return;
    if (k[i])
        client_free(&t, k[i]);
    k[i] = i < 2 ? client_new(&t) : session_guest(&t, admin, domid_of(i));
    if (!k[i])
        abort();
}

static const char *const paths[] = {
    "/",
    "/a",
    "/a/b",
    "/a/b/c",
    "/b",
    "rel",
    "rel/x",
    "/local/domain",
    "/local/domain/5",
    "/a/b/c/d/e/f",
    "/tool",
    "/a//b",
    "@releaseDomain",
    "@introduceDomain",
    "/a/",
    "",
    "/local/domain/6/x",
};
#define PATHS (sizeof(paths) / sizeof(paths[0]))

static const char *const words[] = { "n0",  "r5", "b6", "w7", "n5",   "T",
                                     "F",   "0",  "1",  "5",  "6",    "7",
                                     "tok", "9",  "",   "zz", "check" };
#define WORDS (sizeof(words) / sizeof(words[0]))

static size_t put_string(char *out, const char *s)
{
    memcpy(out, s, strlen(s) + 1);
    return strlen(s) + 1;
}

/* A name below /a, of which there are enough to make a big directory. */
static size_t put_child(char *out)
{
    return (size_t)sprintf(out, "/a/%u", byte() % 60u) + 1;
}

static void step_request(void)
{
    static char payload[XENSTORE_PAYLOAD_MAX];
    unsigned int who = byte() % CLIENTS, shape = byte(), what = byte();
    uint32_t type = byte() % 28u, tx = byte() % 4u;
    size_t len = 0;

    ensure(who);
    if (shape & 1)
        len += put_string(payload, paths[what % PATHS]);
    else if (shape & 2)
        len += put_child(payload);
    for (unsigned int i = 0; i < (shape >> 2 & 3u); i++)
        len += put_string(payload + len, words[byte() % WORDS]);
    if (shape & 16)
        len += byte() * 12u; /* a value, of what lies there */
    if ((shape & 32) && len)
        len--;
    client_post(&t, k[who], type, tx, payload, len);
    if (shape & 64)
        session_run(&t);
}

static void step_raw(void)
{
    unsigned int who = byte() % CLIENTS;
    size_t len = byte() % 40u;

    ensure(who);
    if (len > left)
        len = left;
    client_send(&t, k[who], in, len);
    in += len;
    left -= len;
}

static void step_peer(void)
{
    unsigned int who = byte() % CLIENTS, what = byte();

    ensure(who);
    if (what & 1)
        k[who]->blocked = !k[who]->blocked;
    if (what & 2)
        conn_dirty(k[who]->c);
    if (what & 4)
        session_run(&t);
    if ((what & 24) == 24 && who < 2) {
        client_free(&t, k[who]);
        k[who] = NULL;
    }
}

static void step_domain(void)
{
    unsigned int who = 2 + byte() % 2u, what = byte() % 6u;
    unsigned int domid = domid_of(who);

    if (what == 0)
        session_kill(&t, domid);
    else if (what == 1)
        t.dom[domid].info.birth++;
    else if (what == 2)
        t.dom[domid].info.state = HV_SHUTDOWN;
    else if (what == 3 && session_update(&t))
        abort();
    else
        domain_check_all(t.s);
    session_run(&t);
}

static void step_ring(void)
{
    struct fake_domain *f = &t.dom[RING_DOMID];
    unsigned int what = byte(), len = byte();

    if (!f->ring) {
        session_boot(&t, RING_DOMID, true);
        ASK(&t, admin, XS_INTRODUCE, 0, "7\0001\0001\0");
        return;
    }
    if (what & 1)
        for (unsigned int i = 0; i < len; i++)
            f->page.req[MASK_XENSTORE_IDX(f->page.req_prod++)] = (char)byte();
    if (what & 2)
        f->page.rsp_cons = f->page.rsp_prod;
    if ((what & 12) == 12)
        (&f->page.req_cons)[len % 7] = byte() * 0x01010101u;
    if ((what & 48) == 48)
        f->page.connection = XENSTORE_RECONNECT;
    if ((what & 192) == 192)
        session_kill(&t, RING_DOMID);
    if (f->ring)
        conn_dirty(f->ring);
    session_run(&t);
}

static void step(void)
{
    switch (byte() % 12u) {
    case 0:
        step_raw();
        break;
    case 1:
        step_peer();
        break;
    case 2:
        step_domain();
        break;
    case 3:
    case 4:
        step_ring();
        break;
    case 5:
        session_sleep(&t, byte() * 100u);
        break;
    default:
        step_request();
    }
}

static void finish(void)
{
    for (unsigned int i = 0; i < CLIENTS; i++) {
        if (k[i])
            client_free(&t, k[i]);
        k[i] = NULL;
    }
    client_free(&t, admin);
    if (t.s->watches.count && !t.dom[RING_DOMID].ring)
        abort();
    if (session_check(&t))
        abort();
    session_free(&t);
    if (node_stats.nodes || node_stats.bytes)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    in = data;
    left = size;
    if (!session_new(&t))
        return 0;
    admin = client_new(&t);
    for (unsigned int i = 0; i < CLIENTS; i++)
        ensure(i);
    for (int n = 0; left && n < STEPS_MAX; n++) {
        step();
        if (n % 8 == 0 && session_check(&t))
            abort();
    }
    finish();
    return 0;
}
