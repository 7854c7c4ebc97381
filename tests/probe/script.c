/* Runs probes and prints TAP; the language is described in probe.h. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/probe/stream.h"

#define LINE_MAX_ 512
#define SLOTS     26

static const struct room *const rooms[] = {
    &room_framing, &room_paths,   &room_nodes,
    &room_perms,   &room_watches, &room_transactions,
    &room_domains, &room_quotas,  &room_guests,
};
#define ROOMS (sizeof(rooms) / sizeof(rooms[0]))

static const char *const type_names[] = {
    [XS_CONTROL] = "CONTROL",
    [XS_DIRECTORY] = "DIRECTORY",
    [XS_READ] = "READ",
    [XS_GET_PERMS] = "GET_PERMS",
    [XS_WATCH] = "WATCH",
    [XS_UNWATCH] = "UNWATCH",
    [XS_TRANSACTION_START] = "TRANSACTION_START",
    [XS_TRANSACTION_END] = "TRANSACTION_END",
    [XS_INTRODUCE] = "INTRODUCE",
    [XS_RELEASE] = "RELEASE",
    [XS_GET_DOMAIN_PATH] = "GET_DOMAIN_PATH",
    [XS_WRITE] = "WRITE",
    [XS_MKDIR] = "MKDIR",
    [XS_RM] = "RM",
    [XS_SET_PERMS] = "SET_PERMS",
    [XS_IS_DOMAIN_INTRODUCED] = "IS_DOMAIN_INTRODUCED",
    [XS_RESUME] = "RESUME",
    [XS_SET_TARGET] = "SET_TARGET",
    [XS_RESET_WATCHES] = "RESET_WATCHES",
    [XS_DIRECTORY_PART] = "DIRECTORY_PART",
    [23] = "GET_FEATURE",
    [24] = "SET_FEATURE",
    [25] = "GET_QUOTA",
    [26] = "SET_QUOTA",
};
#define TYPES (sizeof(type_names) / sizeof(type_names[0]))

static bool me_write(struct stream *st, const void *data, size_t len)
{
    (void)st;
    return carrier_write(data, len);
}

static size_t me_read(struct stream *st, void *data, size_t len)
{
    (void)st;
    return carrier_read(data, len);
}

struct stream probe_me = { .write = me_write, .read = me_read };
static uint32_t slots[SLOTS]; /* transactions by letter */
static struct message last;   /* the last request's reply */
static char kept[32];
static char why[4096]; /* what was wrong with the step */

__attribute__((format(printf, 1, 2))) static bool wrong(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    return false;
}

/* ---- requests ---- */

/* One step of a script: what is left of its line. */
struct step {
    const char *s;
    bool root;
};

/* Whether the step's next word is `w`, which is then skipped. */
static bool word(struct step *st, const char *w)
{
    size_t n = strlen(w);

    if (strncmp(st->s, w, n) || (st->s[n] && st->s[n] != ' '))
        return false;
    st->s += n;
    while (*st->s == ' ')
        st->s++;
    return true;
}

static unsigned long number(struct step *st)
{
    char *end;
    unsigned long n = strtoul(st->s, &end, 10);

    for (st->s = end; *st->s == ' ';)
        st->s++;
    return n;
}

/* "NAME" or a number. */
static uint32_t parse_type(struct step *st)
{
    size_t n = strcspn(st->s, "@ ");

    for (uint32_t i = 0; i < TYPES; i++)
        if (type_names[i] && strlen(type_names[i]) == n &&
            !strncmp(type_names[i], st->s, n)) {
            st->s += n;
            return i;
        }
    if (!isdigit((unsigned char)*st->s))
        printf("# there is no request %s\n", st->s);
    return (uint32_t)strtoul(st->s, (char **)&st->s, 10);
}

/* "@a", "@77" or nothing. */
static uint32_t parse_tx(struct step *st)
{
    if (*st->s != '@')
        return 0;
    st->s++;
    if (isdigit((unsigned char)*st->s))
        return (uint32_t)strtoul(st->s, (char **)&st->s, 10);
    return slots[(unsigned int)(*st->s++ - 'a') % SLOTS];
}

/* The text up to " = " is the payload; what follows is left. */
static void parse_payload(struct step *st, struct message *m)
{
    const char *end = strstr(st->s, " = ");
    size_t len;

    while (*st->s == ' ' && st->s != end)
        st->s++;
    len = end ? (size_t)(end - st->s) : strlen(st->s);
    m->hdr.len =
        (uint32_t)text_expand(st->s, len, m->data, XENSTORE_PAYLOAD_MAX);
    st->s += len + (end ? 3 : 0);
}

static void parse_request(struct step *st, struct message *m)
{
    memset(&m->hdr, 0, sizeof(m->hdr));
    m->hdr.type = parse_type(st);
    m->hdr.tx_id = parse_tx(st);
    parse_payload(st, m);
}

/* What is wanted of domain 0, or of a guest if that is another thing. */
static size_t parse_want(struct step *st, char *want, size_t room)
{
    const char *other = strstr(st->s, " / ");
    const char *s = st->s;
    size_t len = other ? (size_t)(other - s) : strlen(s);

    if (other && probe_is_guest() && !st->root) {
        s = other + 3;
        len = strlen(s);
    }
    return len == 1 && *s == '-' ? 0 : text_expand(s, len, want, room);
}

static bool is_error(const char *want, size_t len)
{
    if (len < 3 || want[0] != 'E')
        return false;
    for (size_t i = 1; i < len; i++)
        if (!isupper((unsigned char)want[i]) &&
            !isdigit((unsigned char)want[i]))
            return false;
    return true;
}

static bool check_reply(struct step *st, const struct message *request,
                        const struct message *reply)
{
    static char want[XENSTORE_PAYLOAD_MAX + 8];
    size_t len = parse_want(st, want, sizeof(want) - 1);
    bool error = is_error(want, len);

    if (error)
        want[len++] = '\0';
    if (reply->hdr.type != (error ? XS_ERROR : request->hdr.type) ||
        !text_matches(want, len, reply->data, reply->hdr.len))
        return wrong("got type %u '%.900s', wanted '%.900s'", reply->hdr.type,
                     text_shown(reply->data, reply->hdr.len),
                     text_shown(want, len));
    if (reply->hdr.tx_id != request->hdr.tx_id)
        return wrong("the reply is of transaction %u", reply->hdr.tx_id);
    return true;
}

static bool ask(bool root, struct message *m)
{
    if (root ? root_ask(m) : stream_ask(&probe_me, m))
        return true;
    return wrong("no reply came");
}

static bool step_request(struct step *st)
{
    static struct message m;

    parse_request(st, &m);
    last = m;
    return ask(st->root, &last) && check_reply(st, &m, &last);
}

static bool step_repeat(struct step *st)
{
    unsigned long n = number(st);

    for (text_number = 0; text_number < n; text_number++) {
        struct step one = *st;

        if (!step_request(&one))
            return false;
    }
    return true;
}

static bool step_begin(struct step *st)
{
    struct message m = { .hdr = { .type = XS_TRANSACTION_START, .len = 1 } };
    unsigned long id;

    if (!ask(st->root, &m))
        return false;
    id = strtoul(m.data, NULL, 10);
    slots[(unsigned int)(*st->s - 'a') % SLOTS] = (uint32_t)id;
    return (m.hdr.type == XS_TRANSACTION_START && id) ||
           wrong("got '%s'", m.data);
}

/* ---- framing ---- */

static bool step_trickle(struct step *st)
{
    static struct message m;
    const char *bytes = (const char *)&m;

    parse_request(st, &m);
    m.hdr.req_id = 0xfffffff0;
    for (size_t i = 0; i < sizeof(m.hdr) + m.hdr.len; i++)
        if (!carrier_write(bytes + i, 1))
            return wrong("cannot write");
    if (!stream_get(&probe_me, &last) || last.hdr.req_id != m.hdr.req_id)
        return wrong("no reply came");
    return check_reply(st, &m, &last);
}

static bool step_pipeline(struct step *st)
{
    static struct message m;
    static char bytes[16384];
    uint32_t n = (uint32_t)number(st), size;

    parse_request(st, &m);
    size = (uint32_t)sizeof(m.hdr) + m.hdr.len;
    for (m.hdr.req_id = 0; m.hdr.req_id < n; m.hdr.req_id++)
        memcpy(bytes + m.hdr.req_id * size, &m, size);
    if (!carrier_write(bytes, n * size))
        return wrong("cannot write");
    for (uint32_t i = 0; i < n; i++) {
        struct step one = *st;

        if (!stream_get(&probe_me, &last) || last.hdr.req_id != i)
            return wrong("reply %u is not the next", i);
        if (!check_reply(&one, &m, &last))
            return false;
    }
    return true;
}

static bool step_renew(struct step *st)
{
    (void)st;
    stream_clear(&probe_me);
    return carrier_renew() || wrong("no new connection");
}

static bool step_too_long(struct step *st)
{
    struct xsd_sockmsg hdr = { .type = XS_READ };

    hdr.len = (uint32_t)number(st);
    if (!carrier_write(&hdr, sizeof(hdr)))
        return wrong("cannot write");
    if (!carrier_broken())
        return wrong("the connection goes on");
    return step_renew(st);
}

/* ---- events, generations ---- */

/* The mailbox to the host is no part of what is probed. */
static bool is_mailbox(const struct message *m)
{
    return strstr(m->data, "data/mailbox") != NULL;
}

/* What came, as "path:token path:token". */
static void collect_events(bool root, char *text, size_t room)
{
    static struct message m;
    size_t len = 0;

    text[0] = '\0';
    while (root ? root_event(&m) : stream_event(&probe_me, &m)) {
        if (is_mailbox(&m) || len >= room)
            continue;
        len += (size_t)snprintf(text + len, room - len, "%s%s:%s%s",
                                len ? " " : "", m.data,
                                m.data + strlen(m.data) + 1,
                                m.hdr.req_id || m.hdr.tx_id ? "(id)" : "");
    }
}

static bool step_events(struct step *st)
{
    static char got[8192], want[8192];

    want[parse_want(st, want, sizeof(want) - 1)] = '\0';
    collect_events(st->root, got, sizeof(got));
    return strcmp(got, want) == 0 || wrong("got '%s', wanted '%s'", got, want);
}

static bool step_keep(struct step *st)
{
    (void)st;
    return snprintf(kept, sizeof(kept), "%s", last.data) > 0;
}

static bool step_same(struct step *st)
{
    (void)st;
    return !strcmp(kept, last.data) ||
           wrong("was '%s', is '%s'", kept, last.data);
}

static bool step_changed(struct step *st)
{
    (void)st;
    return strcmp(kept, last.data) || wrong("is '%s' still", kept);
}

/* ---- probes ---- */

static const struct {
    const char *word;
    bool (*run)(struct step *st);
} steps[] = {
    { "repeat", step_repeat },    { "begin", step_begin },
    { "trickle", step_trickle },  { "pipeline", step_pipeline },
    { "toolong", step_too_long }, { "renew", step_renew },
    { "events", step_events },    { "keep", step_keep },
    { "same", step_same },        { "changed", step_changed },
};

static bool step_run(const char *line)
{
    struct step st = { .s = line };

    st.root = word(&st, "root");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (word(&st, steps[i].word))
            return steps[i].run(&st);
    return step_request(&st);
}

/* Runs lines until one fails, whose text is then in `line`. */
static bool script_run(const char *s, char line[LINE_MAX_])
{
    while (*s) {
        size_t len = strcspn(s, "\n");

        if (len >= LINE_MAX_)
            return wrong("a line is too long");
        memcpy(line, s, len);
        line[len] = '\0';
        if (!step_run(line))
            return false;
        s += len + (s[len] == '\n');
    }
    return true;
}

/* Nothing of the probe before: an empty directory of ours, no watches. */
static const char fresh[] = "RESET_WATCHES | = OK|\n"
                            "root RESET_WATCHES | = OK|\n"
                            "root WRITE ~| = OK|\n"
                            "root RM ~| = OK|\n"
                            "root WRITE ~| = OK|\n"
                            "root SET_PERMS ~|n$| = OK|";

static bool probe_run(const struct room *r, const struct probe *p, int n)
{
    static char line[LINE_MAX_], text[8192];
    bool ok;

    why[0] = '\0';
    ok = script_run(fresh, line);
    collect_events(false, text, sizeof(text));
    collect_events(true, text, sizeof(text));
    ok = ok && script_run(p->script, line);
    printf("%sok %d - %s: %s\n", ok ? "" : "not ", n, r->name, p->name);
    if (!ok)
        printf("# %s\n# %s\n", line, why);
    fflush(stdout);
    return ok;
}

static bool is_meant(const struct room *r, const struct probe *p,
                     const char *only)
{
    char name[128];

    if (p->where == (probe_is_guest() ? ON_SOCKET : AS_GUEST))
        return false;
    snprintf(name, sizeof(name), "%s: %s", r->name, p->name);
    return !only || strstr(name, only);
}

int probes_run(const char *only)
{
    int n = 0, failed = 0;

    for (size_t i = 0; i < ROOMS; i++)
        for (size_t j = 0; j < rooms[i]->count; j++)
            if (is_meant(rooms[i], &rooms[i]->probes[j], only))
                failed += !probe_run(rooms[i], &rooms[i]->probes[j], ++n);
    stream_clear(&probe_me);
    printf("1..%d\n", n);
    return failed > 0;
}
