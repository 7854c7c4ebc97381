/*
 * Whole sessions of the store: sockets, guests, one of them on a ring, domains
 * that come and go, time that passes. The input is a program of small steps,
 * each of a few bytes: requests put together from a small vocabulary (so that
 * they meet the same nodes, watches and transactions), raw bytes, and all that
 * peers and the hypervisor can do. After every few steps the store's accounts
 * are compared with its tree. At the end everybody dies and everything is
 * removed, and nothing may be left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn/wire.h"
#include "tree/node.h"
#include "txn/txn.h"
#include "xs_session.h"

#define CLIENTS    4 /* two of domain 0, two guests */
#define RING       4 /* in place of a client: the guest on the ring */
#define RING_DOMID 7
#define STEPS_MAX  600
#define UPDATES    2 /* live updates in one input, for each takes its time */

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
static unsigned int updates;

static unsigned int domid_of(unsigned int i)
{
    return i < 2 ? 0 : i + 3;
}

static void introduce_ring(void)
{
    session_boot(&t, RING_DOMID, true);
    ASK(&t, admin, XS_INTRODUCE, 0, "7\0001\0001\0");
    if (!t.dom[RING_DOMID].ring)
        abort();
}

/* A client's place is filled again when it is gone. */
static void ensure(unsigned int i)
{
    if (i == RING) {
        if (!t.dom[RING_DOMID].ring)
            introduce_ring();
        return;
    }
    if (k[i] && k[i]->c)
        return;
    if (k[i])
        client_free(&t, k[i]);
    k[i] = i < 2 ? client_new(&t) : session_guest(&t, admin, domid_of(i));
    if (!k[i])
        abort();
}

/* ---- requests ---- */

static char payload[XENSTORE_PAYLOAD_MAX + 64];
static size_t len;

static void put(const char *s)
{
    size_t n = strlen(s) + 1;

    if (len + n > XENSTORE_PAYLOAD_MAX)
        return;
    memcpy(payload + len, s, n);
    len += n;
}

static void put_path(void)
{
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
        "/local/domain/6/x",
        "/local/domain/7/y",
        "/a/b/c/d/e/f",
        "/tool",
        "/a//b",
        "@releaseDomain",
        "@introduceDomain",
        "@releaseDomain/5",
        "/a/",
        "",
    };
    unsigned int which = byte();
    char big[32];

    if (which >= 192) { /* of which there are enough for a big directory */
        sprintf(big, "/a/%u", which - 192u);
        put(big);
    } else if (which == 191) { /* and one that is as deep as can be */
        for (size_t n = 0; n < 1500 && len < XENSTORE_ABS_PATH_MAX - 1; n++) {
            payload[len++] = '/';
            payload[len++] = 'x';
        }
        payload[len++] = '\0';
    } else {
        put(paths[which % (sizeof(paths) / sizeof(paths[0]))]);
    }
}

static void put_value(void)
{
    size_t n = byte();

    if (n >= 128)
        n = (n - 128) * 32;
    len = len + n < XENSTORE_PAYLOAD_MAX ? len + n : XENSTORE_PAYLOAD_MAX;
}

static void put_perms(void)
{
    unsigned int n = 1 + byte() % 6u;
    char one[8];

    for (unsigned int i = 0; i < n; i++) {
        unsigned int b = byte(), domid = b >> 2 & 15;

        sprintf(one, "%c%u", "nrwb"[b & 3], b >= 240 ? 0x7ff5u : domid);
        put(one);
    }
}

static void put_number(void)
{
    static const char *const odd[] = { "65535", "32752", "4294967296", "-1",
                                       "x" };
    unsigned int b = byte();
    char s[16];

    sprintf(s, "%u", b < 128 ? b : b * 17);
    put(b >= 250 ? odd[b - 250 < 5 ? b - 250 : 4] : s);
}

static void put_domid(void)
{
    static const char *const domids[] = { "5", "6", "7", "0", "9" };
    unsigned int b = byte();

    if (b < 250)
        put(domids[b % 5]);
    else
        put_number();
}

static void put_word(void)
{
    static const char *const words[] = {
        "tok",         "T",           "F",           "1",
        "on",          "off",         "+io",         "-obj",
        "set",         "quota",       "nodes",       "",
        "help",        "5",           "3",           "memory",
        "check",       "memreport",   "print",       "log",
        "quota-soft",  "watches",     "-r",          "max",
        "outstanding", "soft-memory", "live-update", "-s",
        "-f",          "logfile",     "path-max",    "transaction-nodes",
    };

    put(words[byte() % (sizeof(words) / sizeof(words[0]))]);
}

/* What belongs into a payload, in order; see put_all(). */
static const char *const shapes[] = {
    [XS_CONTROL] = "wwww",
    [XS_DIRECTORY] = "p",
    [XS_READ] = "p",
    [XS_GET_PERMS] = "p",
    [XS_WATCH] = "pw",
    [XS_UNWATCH] = "pw",
    [XS_TRANSACTION_START] = "w",
    [XS_TRANSACTION_END] = "e",
    [XS_INTRODUCE] = "dnn",
    [XS_RELEASE] = "d",
    [XS_GET_DOMAIN_PATH] = "d",
    [XS_WRITE] = "pv",
    [XS_MKDIR] = "p",
    [XS_RM] = "p",
    [XS_SET_PERMS] = "pP",
    [XS_WATCH_EVENT] = "pw",
    [XS_ERROR] = "w",
    [XS_IS_DOMAIN_INTRODUCED] = "d",
    [XS_RESUME] = "d",
    [XS_SET_TARGET] = "dd",
    [20] = "w",
    [XS_RESET_WATCHES] = "w",
    [XS_DIRECTORY_PART] = "pn",
    [RS_XS_GET_FEATURE] = "d",
    [RS_XS_SET_FEATURE] = "dn",
    [RS_XS_GET_QUOTA] = "dw",
    [RS_XS_SET_QUOTA] = "dwn",
    [27] = "www",
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static void put_all(const char *shape)
{
    for (; *shape; shape++) {
        switch (*shape) {
        case 'p':
            put_path();
            break;
        case 'P':
            put_perms();
            break;
        case 'v':
            put_value();
            break;
        case 'd':
            put_domid();
            break;
        case 'n':
            put_number();
            break;
        case 'e':
            put(byte() & 3 ? "T" : "F");
            break;
        default:
            put_word();
        }
    }
}

/* As much of it as fits: the rest of a request may come later, or never. */
static void ring_put(const void *data, size_t n)
{
    struct fake_domain *f = &t.dom[RING_DOMID];
    uint32_t used = f->page.req_prod - f->page.req_cons;

    for (size_t i = 0; i < n && used + i < XENSTORE_RING_SIZE; i++)
        f->page.req[MASK_XENSTORE_IDX(f->page.req_prod++)] =
            ((const char *)data)[i];
    conn_dirty(f->ring);
}

static void ring_post(uint32_t type, uint32_t tx)
{
    struct xsd_sockmsg hdr = { type, 1, tx, (uint32_t)len };

    ring_put(&hdr, sizeof(hdr));
    if (t.dom[RING_DOMID].ring)
        ring_put(payload, len);
}

static struct conn *conn_of(unsigned int who)
{
    return who == RING ? t.dom[RING_DOMID].ring : k[who]->c;
}

/* The id of the n-th open transaction from 1 on; 0, or an unknown one. */
static uint32_t txn_of(unsigned int who, unsigned int n)
{
    struct conn *c = conn_of(who);
    struct list *pos;

    if (n == 0)
        return 0;
    list_for_each(pos, &c->txns)
        if (--n == 0)
            return container_of(pos, struct txn, entry)->id;
    return 77;
}

static void post(unsigned int who, uint32_t type, uint32_t tx)
{
    if (who == RING)
        ring_post(type, tx);
    else
        client_post(&t, k[who], type, tx, payload, len);
}

/*
 * One request. What it is made of suits its type but for some cases in 32;
 * the transaction is one of the first three that are open.
 */
static void step_request(void)
{
    unsigned int who = byte() % (CLIENTS + 1), how = byte();
    unsigned int odd = how >> 2 & 31;
    uint32_t type = byte() % (unsigned int)SHAPES;

    ensure(who);
    len = 0;
    memset(payload, 'v', sizeof(payload));
    put_all(odd == 1 ? "wpw" : shapes[type]);
    if (odd == 2 || (odd == 3 && type == XS_WATCH))
        put_word();
    if (odd == 4 && len)
        len--;
    post(who, type, odd == 5 ? how & 3 : txn_of(who, how & 3));
    if (how & 0x80)
        session_run(&t);
}

/* Many children of /a, which make its container a big one. */
static void step_children(void)
{
    unsigned int who = byte() % CLIENTS, how = byte(), n = byte() % 80u;

    ensure(who);
    for (unsigned int i = 0; i < n; i++) {
        len = (size_t)sprintf(payload, "/a/%u", how / 4 + i) + 1;
        post(who, how & 2 ? XS_MKDIR : XS_RM, txn_of(who, how & 1));
        session_run(&t);
        ensure(who);
    }
}

/* ---- everything else ---- */

static void step_raw(void)
{
    unsigned int who = byte() % (CLIENTS + 1);
    size_t n = byte() % 40u;

    ensure(who);
    if (n > left)
        n = left;
    if (who == RING)
        ring_put(in, n);
    else
        client_send(&t, k[who], in, n);
    in += n;
    left -= n;
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
    unsigned int which = byte() % 3u, what = byte() % 6u;
    unsigned int domid = which < 2 ? domid_of(2 + which) : RING_DOMID;

    if (what == 0)
        session_kill(&t, domid);
    else if (what == 1)
        t.dom[domid].info.birth++;
    else if (what == 2)
        t.dom[domid].info.state = HV_SHUTDOWN;
    else if (what == 3)
        t.dom[domid].info.state = HV_RUNNING;
    else
        domain_check_all(t.s);
    session_run(&t);
}

/* A guest that may write anything into the page at any time. */
static void step_ring(void)
{
    struct fake_domain *f = &t.dom[RING_DOMID];
    unsigned int what = byte(), n = byte();

    ensure(RING);
    if (what & 1)
        f->page.rsp_cons = f->page.rsp_prod;
    if ((what & 6) == 6)
        (&f->page.req_cons)[n % 7] = byte() * 0x01010101u;
    if ((what & 6) == 4)
        (&f->page.req_cons)[n % 4] += byte();
    if ((what & 24) == 24)
        f->page.connection = XENSTORE_RECONNECT;
    conn_dirty(f->ring);
    if (what & 32)
        session_run(&t);
}

/* A live update, which nobody may notice. */
static void step_update(void)
{
    if (updates++ < UPDATES && session_update(&t))
        abort();
    if (byte() & 1)
        session_run(&t);
}

static void step(void)
{
    switch (byte() % 16u) {
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
        step_ring();
        break;
    case 4:
        session_sleep(&t, byte() * 100u);
        break;
    case 5:
        step_update();
        break;
    case 6:
        step_children();
        break;
    default:
        step_request();
    }
}

/* ---- the end ---- */

/* The admin's requests that remove whatever the root still has. */
static void remove_all(void)
{
    struct children_iter it;
    struct node *n;
    char path[XENSTORE_ABS_PATH_MAX];

    for (;;) {
        children_iterate(&it, t.s->root->children);
        n = children_next(&it);
        if (!n)
            return;
        sprintf(path, "/%s", node_name(n));
        if (strcmp(ask(&t, admin, XS_RM, 0, path, strlen(path) + 1), "OK|"))
            abort();
    }
}

static void finish(void)
{
    for (unsigned int i = 0; i < CLIENTS; i++) {
        if (k[i])
            client_free(&t, k[i]);
        k[i] = NULL;
    }
    for (unsigned int d = 1; d < SESSION_DOMIDS; d++)
        t.dom[d].exists = false;
    domain_check_all(t.s);
    session_run(&t);
    if (t.dom[RING_DOMID].ring || session_check(&t))
        abort();
    remove_all();
    client_free(&t, admin);
    if (t.s->watches.count || t.s->watches.nodes || t.s->open_txns ||
        t.s->domain_list.next->next != &t.s->domain_list)
        abort();
    if (node_stats.nodes != 1)
        abort();
    session_free(&t);
    if (node_stats.nodes || node_stats.bytes)
        abort();
}

/* The log says nothing here. */
static void quiet(void)
{
    static bool done;

    log_set_trace(false);
    if (!done && log_open("/dev/null"))
        abort();
    done = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    in = data;
    left = size;
    quiet();
    session_clock_step = byte() * 400u;
    updates = 0;
    if (!session_new(&t))
        return 0;
    admin = client_new(&t);
    for (unsigned int i = 0; i <= CLIENTS; i++)
        ensure(i);
    for (int n = 0; left && n < STEPS_MAX; n++) {
        step();
        if (n % 8 == 0 && session_check(&t))
            abort();
    }
    finish();
    return 0;
}
