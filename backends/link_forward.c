/*
 * The text of port forwards.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "link.h"

#define SEPARATORS " \t\n,"

/* A decimal number from min to 65535 and nothing else. */
static int parse_port(const char *s, unsigned int min, uint16_t *out)
{
    unsigned int v = 0;

    if (!*s || strlen(s) > 5)
        return -EINVAL;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return -EINVAL;
        v = v * 10 + (unsigned int)(*s - '0');
    }
    if (v < min || v > 65535)
        return -EINVAL;
    *out = (uint16_t)v;
    return 0;
}

/* One forward; `s` is cut into its fields. */
static int parse_forward(char *s, struct link_forward *f)
{
    char *field[4];
    int n = 0;

    while (n < 4 && s)
        field[n++] = strsep(&s, ":");
    if (s || n < 3)
        return -EINVAL;
    f->udp = strcmp(field[0], "udp") == 0;
    if (!f->udp && strcmp(field[0], "tcp") != 0)
        return -EINVAL;
    f->host.s_addr = htonl(INADDR_LOOPBACK);
    if (n == 4 && inet_pton(AF_INET, field[1], &f->host) != 1)
        return -EINVAL;
    if (parse_port(field[n - 2], 1, &f->host_port))
        return -EINVAL;
    return parse_port(field[n - 1], 1, &f->guest_port);
}

int link_parse_forwards(const char *text, struct link_config *config, char *why,
                        size_t n)
{
    char one[64];

    config->n_forwards = 0;
    for (;;) {
        size_t len;

        text += strspn(text, SEPARATORS);
        len = strcspn(text, SEPARATORS);
        if (!len)
            return 0;
        if (config->n_forwards == LINK_FORWARDS_MAX) {
            snprintf(why, n, "more than %d forwards", LINK_FORWARDS_MAX);
            return -E2BIG;
        }
        snprintf(one, sizeof(one), "%.*s", (int)len, text);
        if (len >= sizeof(one) ||
            parse_forward(one, &config->forwards[config->n_forwards])) {
            snprintf(why, n, "bad forward \"%.*s\"", len < 64 ? (int)len : 63,
                     text);
            return -EINVAL;
        }
        config->n_forwards++;
        text += len;
    }
}
