/* Requests of scripts; see request.h. */
#include "tests/probe/request.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/probe/stream.h"

#define SLOTS 26

struct message last_reply;
char step_error[4096];

static uint32_t slots[SLOTS]; /* transactions by letter */

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

bool wrong(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(step_error, sizeof(step_error), fmt, ap);
    va_end(ap);
    return false;
}

bool step_word(struct step *st, const char *w)
{
    size_t n = strlen(w);

    if (strncmp(st->s, w, n) || (st->s[n] && st->s[n] != ' '))
        return false;
    st->s += n;
    while (*st->s == ' ')
        st->s++;
    return true;
}

unsigned long step_number(struct step *st)
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

void request_parse(struct step *st, struct message *m)
{
    memset(&m->hdr, 0, sizeof(m->hdr));
    m->hdr.type = parse_type(st);
    m->hdr.tx_id = parse_tx(st);
    parse_payload(st, m);
}

/* What is wanted of domain 0, or of a guest if that is another thing. */
size_t step_want(struct step *st, char *want, size_t room)
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

bool request_check(struct step *st, const struct message *request,
                   const struct message *reply)
{
    static char want[XENSTORE_PAYLOAD_MAX + 8];
    size_t len = step_want(st, want, sizeof(want) - 1);
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

bool request_ask(bool root, struct message *m)
{
    if (root ? root_ask(m) : stream_ask(&probe_me, m))
        return true;
    return wrong("no reply came");
}

bool step_request(struct step *st)
{
    static struct message m;

    request_parse(st, &m);
    last_reply = m;
    return request_ask(st->root, &last_reply) &&
           request_check(st, &m, &last_reply);
}

bool step_repeat(struct step *st)
{
    unsigned long n = step_number(st);

    for (text_number = 0; text_number < n; text_number++) {
        struct step one = *st;

        if (!step_request(&one))
            return false;
    }
    return true;
}

bool step_begin(struct step *st)
{
    struct message m = { .hdr = { .type = XS_TRANSACTION_START, .len = 1 } };
    unsigned long id;

    if (!request_ask(st->root, &m))
        return false;
    id = strtoul(m.data, NULL, 10);
    slots[(unsigned int)(*st->s - 'a') % SLOTS] = (uint32_t)id;
    return (m.hdr.type == XS_TRANSACTION_START && id) ||
           wrong("got '%s'", m.data);
}
