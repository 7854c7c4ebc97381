/*
 * Plays as text; see xs_play.h. A line is
 *
 *     <connection> <transaction or -> <what> "<payload>"
 *
 * with NULs and other odd bytes of the payload in octal.
 */
#include "xs_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen_compat.h"

static const char *const names[PLAY_END] = {
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
    [XS_WATCH_EVENT] = "WATCH_EVENT",
    [XS_ERROR] = "ERROR",
    [XS_IS_DOMAIN_INTRODUCED] = "IS_DOMAIN_INTRODUCED",
    [XS_RESUME] = "RESUME",
    [XS_SET_TARGET] = "SET_TARGET",
    [XS_RESET_WATCHES] = "RESET_WATCHES",
    [XS_DIRECTORY_PART] = "DIRECTORY_PART",
    [PLAY_BOOT] = "boot",
    [PLAY_KILL] = "kill",
    [PLAY_REUSE] = "reuse",
    [PLAY_SHUTDOWN] = "shutdown",
    [PLAY_RUN] = "run",
    [PLAY_HANGUP] = "hangup",
    [PLAY_BLOCK] = "block",
    [PLAY_DRAIN] = "drain",
    [PLAY_UPDATE] = "update",
};

/* Connections as people know them: s0 is a socket, d5 the guest. */
static size_t print_who(int who, char *out)
{
    if (who < M_SOCKETS)
        return (size_t)sprintf(out, "s%d", who);
    return (size_t)sprintf(out, "d%d", who - M_SOCKETS + M_DOMID);
}

static bool parse_who(const char *s, uint8_t *who)
{
    int n = atoi(s + 1), i = s[0] == 's' ? n : n - M_DOMID + M_SOCKETS;

    if ((s[0] != 's' || n >= M_SOCKETS) && (s[0] != 'd' || i < M_SOCKETS))
        return false;
    *who = (uint8_t)i;
    return n >= 0 && i < M_CONNS;
}

size_t step_print(const struct step *step, char out[STEP_TEXT_MAX])
{
    size_t n = print_who(step->who, out);

    if (step->slot)
        n += (size_t)sprintf(out + n, " %u", step->slot);
    else
        n += (size_t)sprintf(out + n, " -");
    n += (size_t)sprintf(out + n, " %s", names[step->type]);
    if (step->type < PLAY_BOOT)
        n += (size_t)sprintf(out + n, " \"");
    for (unsigned int i = 0; i < step->len; i++) {
        unsigned char c = (unsigned char)step->payload[i];

        if (c > ' ' && c < 127 && c != '"' && c != '\\')
            out[n++] = (char)c;
        else
            n += (size_t)sprintf(out + n, "\\%03o", c);
    }
    n += (size_t)sprintf(out + n, step->type < PLAY_BOOT ? "\"\n" : "\n");
    return n;
}

static bool parse_type(const char *s, struct step *step)
{
    for (uint32_t i = 0; i < PLAY_END; i++)
        if (names[i] && !strcmp(names[i], s)) {
            step->type = i;
            return true;
        }
    return false;
}

static bool parse_payload(const char *s, struct step *step)
{
    unsigned int octal;

    if (*s++ != '"')
        return false;
    while (*s && *s != '"' && step->len < M_REQUEST) {
        if (*s == '\\' && sscanf(s + 1, "%3o", &octal) == 1) {
            step->payload[step->len++] = (char)octal;
            s += 4;
        } else {
            step->payload[step->len++] = *s++;
        }
    }
    return *s == '"';
}

bool step_parse(const char *line, struct step *step)
{
    char who[16], slot[16], type[32];
    int at = 0;

    *step = (struct step){ .type = PLAY_END };
    if (line[0] == '#' || line[0] == '\n')
        return true;
    if (sscanf(line, "%15s %15s %31s %n", who, slot, type, &at) != 3 ||
        !parse_who(who, &step->who) || !parse_type(type, step))
        return false;
    step->slot = (uint8_t)(slot[0] == '-' ? 0 : atoi(slot) % (PLAY_SLOTS + 1));
    return step->type >= PLAY_BOOT || parse_payload(line + at, step);
}

void play_print(const struct play *p, FILE *f)
{
    static char line[STEP_TEXT_MAX];

    for (uint32_t i = 0; i < p->n; i++)
        fwrite(line, 1, step_print(&p->step[i], line), f);
}

int play_parse(struct play *p, FILE *f)
{
    static char line[STEP_TEXT_MAX];
    int number = 0;

    p->n = 0;
    while (p->n < PLAY_MAX && fgets(line, sizeof(line), f)) {
        number++;
        if (!step_parse(line, &p->step[p->n]))
            return number;
        p->n += p->step[p->n].type != PLAY_END;
    }
    return 0;
}
