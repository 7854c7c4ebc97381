/* Runs probes and prints TAP; the language is described in probe.h. */
#include <stdio.h>
#include <string.h>

#include "tests/probe/request.h"
#include "tests/probe/stream.h"

#define LINE_MAX_ 512

static const struct room *const rooms[] = {
    &room_framing, &room_paths,   &room_nodes,
    &room_perms,   &room_watches, &room_transactions,
    &room_domains, &room_quotas,  &room_guests,
};
#define ROOMS (sizeof(rooms) / sizeof(rooms[0]))

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
static char kept[32];

/* ---- framing ---- */

static bool step_trickle(struct step *st)
{
    static struct message m;
    const char *bytes = (const char *)&m;

    request_parse(st, &m);
    m.hdr.req_id = 0xfffffff0;
    for (size_t i = 0; i < sizeof(m.hdr) + m.hdr.len; i++)
        if (!carrier_write(bytes + i, 1))
            return wrong("cannot write");
    if (!stream_get(&probe_me, &last_reply) ||
        last_reply.hdr.req_id != m.hdr.req_id)
        return wrong("no reply came");
    return request_check(st, &m, &last_reply);
}

static bool step_pipeline(struct step *st)
{
    static struct message m;
    static char bytes[16384];
    uint32_t n = (uint32_t)step_number(st), size;

    request_parse(st, &m);
    size = (uint32_t)sizeof(m.hdr) + m.hdr.len;
    for (m.hdr.req_id = 0; m.hdr.req_id < n; m.hdr.req_id++)
        memcpy(bytes + m.hdr.req_id * size, &m, size);
    if (!carrier_write(bytes, n * size))
        return wrong("cannot write");
    for (uint32_t i = 0; i < n; i++) {
        struct step one = *st;

        if (!stream_get(&probe_me, &last_reply) || last_reply.hdr.req_id != i)
            return wrong("reply %u is not the next", i);
        if (!request_check(&one, &m, &last_reply))
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
    static char bytes[2 * sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
    static struct message m;
    struct xsd_sockmsg hdr = { .type = XS_READ };
    bool before;
    size_t len = 0;

    hdr.len = (uint32_t)step_number(st);
    before = *st->s;
    if (before) {
        request_parse(st, &m);
        len = sizeof(m.hdr) + m.hdr.len;
        memcpy(bytes, &m, len);
    }
    memcpy(bytes + len, &hdr, sizeof(hdr));
    if (!carrier_write(bytes, len + sizeof(hdr)))
        return wrong("cannot write");
    if (before && !stream_get(&probe_me, &last_reply))
        return wrong("no reply came");
    if (before && !request_check(st, &m, &last_reply))
        return false;
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

    want[step_want(st, want, sizeof(want) - 1)] = '\0';
    collect_events(st->root, got, sizeof(got));
    return strcmp(got, want) == 0 || wrong("got '%s', wanted '%s'", got, want);
}

static bool step_keep(struct step *st)
{
    (void)st;
    return snprintf(kept, sizeof(kept), "%s", last_reply.data) > 0;
}

static bool step_same(struct step *st)
{
    (void)st;
    return !strcmp(kept, last_reply.data) ||
           wrong("was '%s', is '%s'", kept, last_reply.data);
}

static bool step_changed(struct step *st)
{
    (void)st;
    return strcmp(kept, last_reply.data) || wrong("is '%s' still", kept);
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

    st.root = step_word(&st, "root");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (step_word(&st, steps[i].word))
            return steps[i].run(&st);
    return step_request(&st);
}

/* Runs all lines, and says what is wrong with which. */
static bool script_run(const char *s)
{
    static char line[LINE_MAX_];
    bool ok = true;

    while (*s) {
        size_t len = strcspn(s, "\n");

        snprintf(line, sizeof(line), "%.*s", (int)len, s);
        if (len >= sizeof(line) || !step_run(line)) {
            printf("# %s\n#   %s\n", line, step_error);
            ok = false;
        }
        s += len + (s[len] == '\n');
    }
    return ok;
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
    static char text[8192];
    bool ok = script_run(fresh);

    collect_events(false, text, sizeof(text));
    collect_events(true, text, sizeof(text));
    ok = script_run(p->script) && ok;
    printf("%sok %d - %s: %s\n", ok ? "" : "not ", n, r->name, p->name);
    fflush(stdout);
    if (!ok) /* it may be in the middle of something */
        step_renew(NULL);
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
