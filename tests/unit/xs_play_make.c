/*
 * Makes up steps; see xs_play.h. A small vocabulary, so that steps meet each
 * other; the model is asked only what makes a step worth while: who is there,
 * and who has a home.
 */
#include "xs_play.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "xen_compat.h"

/*
 * The play that is being made. One pick() to an expression, for the order in
 * which arguments are evaluated differs between compilers.
 */
static struct maker *maker;

static unsigned int pick(unsigned int n)
{
    uint64_t z = (maker->seed += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned int)((z ^ (z >> 31)) % n);
}

/* ---- payloads ---- */

__attribute__((format(printf, 2, 3))) static void add(struct step *s,
                                                      const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    s->len += (uint16_t)vsnprintf(s->payload + s->len,
                                  sizeof(s->payload) - s->len, fmt, ap);
    va_end(ap);
}

static void end_string(struct step *s)
{
    s->payload[s->len++] = '\0';
}

static void add_names(struct step *s, unsigned int depth)
{
    for (unsigned int i = 0; i < depth; i++)
        add(s, "%s%c", i ? "/" : "", 'a' + pick(maker->names));
}

static void add_odd_path(struct step *s)
{
    static const char *const odd[] = {
        "/",   "",        "//",  "/a/",      "a//b", "/local/domain",
        "a b", "/a/b/@c", "@ab", "/A-_/0.9", "@",    "/tool",
    };

    add(s, "%s", odd[pick(sizeof(odd) / sizeof(odd[0]))]);
}

/* One of so many that a directory becomes a big one, over 4096 bytes long. */
static void add_big_path(struct step *s)
{
    add(s, "/big");
    if (pick(25) == 0)
        return;
    add(s, "/n%02u-", pick(56));
    add(s, "%0*d", (int)(60 + pick(2) * 30), 0);
}

static void add_special(struct step *s)
{
    static const char *const special[] = { "@releaseDomain", "@introduceDomain",
                                           "@releaseDomain/5",
                                           "@introduceDomain/6", "@other" };

    add(s, "%s", special[pick(5)]);
}

static void add_new_path(struct step *s)
{
    unsigned int what = pick(100);

    if (pick(100) < maker->big) {
        add_big_path(s);
    } else if (what < 55) {
        add(s, "/");
        add_names(s, 1 + pick(maker->depth));
    } else if (what < 75) {
        add_names(s, 1 + pick(2));
    } else if (what < 95) {
        add(s, "/local/domain/%u", M_DOMID + pick(M_GUESTS));
        if (pick(4)) {
            add(s, "/");
            add_names(s, 1 + pick(2));
        }
    } else {
        add_odd_path(s);
    }
}

/* One of those that were used last, or another. */
static void add_path(struct step *s)
{
    char *last = maker->recent[pick(MAKER_RECENT)];
    unsigned int from = s->len;

    if (*last && pick(8) < maker->stays) {
        add(s, "%s", last);
    } else {
        add_new_path(s);
        snprintf(last, sizeof(maker->recent[0]), "%.*s", (int)(s->len - from),
                 s->payload + from);
    }
    end_string(s);
}

/* Mostly a special one, if they are allowed. */
static void add_any_path(struct step *s)
{
    if (pick(4)) {
        add_path(s);
        return;
    }
    add_special(s);
    end_string(s);
}

static void add_value(struct step *s)
{
    unsigned int n = pick(10);

    if (n < maker->values)
        add(s, "%u", n);
    else if (n < 8)
        add(s, "%0*u", (int)pick(30), n);
    else if (n == 8)
        add(s, "%070u", pick(3));
    else
        s->len = (uint16_t)(s->len + pick(4)); /* NULs */
}

static unsigned int some_domid(void)
{
    static const unsigned int domids[] = { 0, 5, 6, 7, 8, 5, 6, 9, 32757 };

    return domids[pick(9)];
}

static void add_perms(struct step *s)
{
    unsigned int n = 1 + pick(maker->perms), who = s->who;
    unsigned int self = who < M_SOCKETS ? 0 : who - M_SOCKETS + M_DOMID;

    for (unsigned int i = 0; i < n; i++) {
        bool own = i == 0 && (self ? pick(8) : pick(2));

        add(s, "%c", pick(40) ? "nrwb"[pick(4)] : 'x');
        add(s, "%u", own ? self : some_domid());
        end_string(s);
    }
}

static void add_token(struct step *s)
{
    add(s, "%c", 't' + pick(3));
    end_string(s);
}

static void add_domid(struct step *s)
{
    add(s, "%u", pick(8) ? M_DOMID + pick(M_GUESTS) : pick(12) * 3000);
    end_string(s);
}

/* ---- requests ---- */

static void list_args(struct step *s)
{
    if (pick(100) < maker->big) {
        add(s, "/big");
        end_string(s);
    } else {
        add_path(s);
    }
}

static void write_args(struct step *s)
{
    add_path(s);
    add_value(s);
}

static void part_args(struct step *s)
{
    list_args(s);
    add(s, "%u", pick(2) ? 0 : pick(5000));
    end_string(s);
}

static void perms_args(struct step *s)
{
    add_any_path(s);
    add_perms(s);
}

static void watch_args(struct step *s)
{
    add_any_path(s);
    add_token(s);
    if (pick(3) == 0) {
        add(s, "%u", pick(3));
        end_string(s);
    }
}

static void end_args(struct step *s)
{
    add(s, "%s", pick(7) ? "T" : "F");
    end_string(s);
}

static void introduce_args(struct step *s)
{
    add_domid(s);
    add(s, "1");
    end_string(s);
    add(s, "%u", pick(9));
    end_string(s);
}

static void target_args(struct step *s)
{
    add_domid(s);
    add_domid(s);
}

struct making {
    uint32_t type;
    unsigned int weight;
    void (*args)(struct step *s);
};

static const struct making makings[] = {
    { XS_READ, 10, add_path },
    { XS_DIRECTORY, 8, list_args },
    { XS_DIRECTORY_PART, 6, part_args },
    { XS_GET_PERMS, 5, add_any_path },
    { XS_WRITE, 22, write_args },
    { XS_MKDIR, 10, add_path },
    { XS_RM, 7, add_path },
    { XS_SET_PERMS, 8, perms_args },
    { XS_WATCH, 8, watch_args },
    { XS_UNWATCH, 3, watch_args },
    { XS_RESET_WATCHES, 1, end_string },
    { XS_TRANSACTION_START, 12, end_string },
    { XS_TRANSACTION_END, 12, end_args },
    { XS_INTRODUCE, 1, introduce_args },
    { XS_RELEASE, 1, add_domid },
    { XS_RESUME, 1, add_domid },
    { XS_SET_TARGET, 1, target_args },
    { XS_IS_DOMAIN_INTRODUCED, 1, add_domid },
    { XS_GET_DOMAIN_PATH, 1, add_domid },
    { XS_ERROR, 1, add_path },
};
#define MAKINGS (sizeof(makings) / sizeof(makings[0]))

static const struct making *some_making(void)
{
    unsigned int sum = 0, at;
    size_t i = 0;

    for (size_t j = 0; j < MAKINGS; j++)
        sum += maker->weight[j];
    at = pick(sum);
    while (at >= maker->weight[i])
        at -= maker->weight[i++];
    return &makings[i];
}

/* One that is not open is begun, and one that is open is used, mostly. */
static uint8_t some_slot(const struct stage *stage, const struct step *s)
{
    bool start = s->type == XS_TRANSACTION_START;
    unsigned int slot = 1 + pick(PLAY_SLOTS);

    if (pick(30) == 0)
        return (uint8_t)slot;
    if (!start && s->type != XS_TRANSACTION_END && pick(8) >= maker->in_txn)
        return 0;
    for (unsigned int i = 0; i < PLAY_SLOTS; i++, slot = slot % PLAY_SLOTS + 1)
        if (stage_open(stage, s->who, slot) != start)
            return (uint8_t)slot;
    return start ? (uint8_t)slot : 0;
}

static void make_request(const struct stage *stage, struct step *s)
{
    const struct making *m = some_making();

    s->type = m->type;
    s->slot = some_slot(stage, s);
    m->args(s);
    if (pick(60) == 0 && s->len)
        s->len--;
}

void maker_init(struct maker *k, uint64_t seed)
{
    static const unsigned int liking[] = { 1, 2, 2, 2, 8 };
    static const unsigned int big[] = { 0, 0, 5, 10, 60 };

    _Static_assert(MAKINGS <= sizeof(k->weight) / sizeof(k->weight[0]), "");
    maker = k;
    *k = (struct maker){ .seed = seed };
    k->names = 1 + pick(3);
    k->depth = 1 + pick(3);
    k->values = 1 + pick(8);
    k->perms = 1 + pick(4);
    k->in_txn = pick(8);
    k->stays = pick(8);
    k->big = big[pick(5)];
    for (size_t i = 0; i < MAKINGS; i++)
        k->weight[i] = makings[i].weight * liking[pick(5)];
}

/* ---- the world ---- */

static void make_world(struct step *s)
{
    static const uint8_t what[] = { PLAY_KILL,  PLAY_REUSE, PLAY_SHUTDOWN,
                                    PLAY_RUN,   PLAY_BLOCK, PLAY_BLOCK,
                                    PLAY_DRAIN, PLAY_DRAIN, PLAY_HANGUP,
                                    PLAY_UPDATE };

    s->type = what[pick(sizeof(what))];
}

/* What a guest needs first: to live, to be introduced, to have a home. */
static bool make_guest(const struct model *m, struct step *s)
{
    unsigned int domid = M_DOMID + s->who - M_SOCKETS;
    const struct m_node *home = NULL;
    char path[M_PATH];

    sprintf(path, "/local/domain/%u", domid);
    for (int i = 0; i < m->tree.n; i++)
        if (!strcmp(m->tree.node[i].path, path))
            home = &m->tree.node[i];
    if (!m->dom[domid].exists) {
        s->type = PLAY_BOOT;
        return true;
    }
    if (m->dom[domid].introduced && home && home->perms.e[0].domid == domid)
        return false;
    s->who = 0;
    if (!m->dom[domid].introduced) {
        s->type = XS_INTRODUCE;
        add(s, "%u%c1%c7%c", domid, 0, 0, 0);
    } else if (!home) {
        s->type = XS_MKDIR;
        add(s, "%s%c", path, 0);
    } else {
        s->type = XS_SET_PERMS;
        add(s, "%s%cn%u%c", path, 0, domid, 0);
    }
    return true;
}

struct step step_random(struct maker *k, const struct stage *stage)
{
    struct step s = { .who = 0 };

    maker = k;
    s.who = (uint8_t)pick(M_CONNS);
    if (pick(50) == 0)
        make_world(&s);
    else if (s.who < M_SOCKETS || !pick(4) ||
             !make_guest(stage_model(stage), &s))
        make_request(stage, &s);
    return s;
}
