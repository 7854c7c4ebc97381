/*
 * The parts of a guest's configuration that do not depend on a syntax:
 * defaults, owned strings, and the values that both a file and the command
 * line set.
 */
#include "guest_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

#define DEFAULT_MEMORY_MIB 16
#define NAME_CHARS               \
    "abcdefghijklmnopqrstuvwxyz" \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
    "0123456789._+-"

void config_init(struct guest_config *c)
{
    *c = (struct guest_config){
        .memory_mib = DEFAULT_MEMORY_MIB,
        .vcpus = 1,
        .on_poweroff = END_DESTROY,
        .on_reboot = END_RESTART,
        .on_crash = END_DESTROY,
    };
}

void config_free(struct guest_config *c)
{
    free(c->name);
    free(c->kernel);
    free(c->ramdisk);
    free(c->cmdline);
    for (unsigned int i = 0; i < c->nr_disks; i++)
        free(c->disks[i].path);
    config_init(c);
}

int config_set(char **field, const char *value)
{
    char *copy = strdup(value);

    if (copy == NULL)
        return complain("out of memory");
    free(*field);
    *field = copy;
    return 0;
}

int config_set_name(struct guest_config *c, const char *where, const char *s)
{
    size_t n = strlen(s);

    if (n == 0 || n > 63 || strspn(s, NAME_CHARS) != n || s[0] == '-' ||
        s[0] == '.')
        return complain("%s: '%s' cannot be a domain's name: it takes 1 to 63 "
                        "letters, digits and . _ + -, neither . nor - first",
                        where, s);
    if (strspn(s, "0123456789") == n)
        return complain("%s: '%s' cannot be a domain's name: a number would "
                        "be taken for a domain id",
                        where, s);
    return config_set(&c->name, s);
}

int config_set_memory(struct guest_config *c, const char *where, const char *s)
{
    char *end;
    unsigned long mib = strtoul(s, &end, 0); /* too much: ULONG_MAX */

    if (s[0] < '0' || s[0] > '9' || *end != '\0')
        return complain("%s: '%s' is not a number of MiB", where, s);
    if (mib > CONFIG_MAX_MEMORY_MIB) /* too little is for check_guest() */
        return complain("%s: %s MiB is more than a guest can have, %d MiB",
                        where, s, CONFIG_MAX_MEMORY_MIB);
    c->memory_mib = (unsigned int)mib;
    return 0;
}

static int read_count(const char *where, const char *s, unsigned int *out)
{
    char *end;
    unsigned long n = strtoul(s, &end, 10);

    if (s[0] < '0' || s[0] > '9' || *end != '\0' || n < 1 ||
        n > CONFIG_MAX_VCPUS)
        return complain("%s: '%s' is not a number from 1 to %d", where, s,
                        CONFIG_MAX_VCPUS);
    *out = (unsigned int)n;
    return 0;
}

int config_set_vcpus(struct guest_config *c, const char *where, const char *s)
{
    return read_count(where, s, &c->vcpus);
}

int config_set_maxvcpus(struct guest_config *c, const char *where,
                        const char *s)
{
    return read_count(where, s, &c->max_vcpus);
}

int config_set_mode(struct guest_config *c, const char *where, const char *s)
{
    static const char *const names[] = { "pv", "trap", "trap-stub" };

    for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(s, names[i]) == 0) {
            c->mode = (enum guest_mode)i;
            return 0;
        }
    }
    return complain("%s: '%s' is not pv, trap or trap-stub", where, s);
}

unsigned int config_max_vcpus(const struct guest_config *c)
{
    return c->max_vcpus ? c->max_vcpus : c->vcpus;
}

int config_set_hypercall(struct guest_config *c, const char *where,
                         const char *s)
{
    /* "ring" is what 0.1 began with. */
    c->polled = strcmp(s, "polled") == 0 || strcmp(s, "ring") == 0;
    if (c->polled || strcmp(s, "trap") == 0)
        return 0;
    return complain("%s: '%s' is not trap or polled", where, s);
}

/*
 * What the guest's kernel would take for the beginning of a word that the next
 * words belong to: a quote that is not closed, a backslash at the end; 0: none.
 */
static char open_end(const char *words)
{
    char quote = 0;

    for (; *words != '\0'; words++) {
        if (*words == '\\' && quote != '\'') {
            if (words[1] == '\0')
                return '\\';
            words++;
        } else if (quote != 0 ? *words == quote
                              : *words == '\'' || *words == '"') {
            quote = quote != 0 ? 0 : *words;
        }
    }
    return quote;
}

static int append(struct guest_config *c, const char *words)
{
    char *both;

    if (c->cmdline == NULL)
        return config_set(&c->cmdline, words);
    both = malloc(strlen(c->cmdline) + strlen(words) + 2);
    if (both == NULL)
        return complain("out of memory");
    stpcpy(stpcpy(stpcpy(both, c->cmdline), " "), words);
    free(c->cmdline);
    c->cmdline = both;
    return 0;
}

int config_add_words(struct guest_config *c, const char *where,
                     const char *words)
{
    char open = open_end(words);

    if (open == '\\')
        return complain("%s: %s ends in a backslash, with nothing behind it to "
                        "protect",
                        where, words);
    if (open != 0)
        return complain("%s: a quote (%c) is not closed in: %s", where, open,
                        words);
    return append(c, words);
}

int config_add_arg(struct guest_config *c, const char *arg)
{
    char *quoted = malloc(2 * strlen(arg) + 3), *at = quoted;
    int err;

    if (arg[0] != '\0' && strpbrk(arg, " \t\n'\"\\") == NULL) {
        free(quoted);
        return append(c, arg);
    }
    if (quoted == NULL)
        return complain("out of memory");
    *at++ = '"';
    for (; *arg != '\0'; arg++) {
        if (*arg == '"' || *arg == '\\')
            *at++ = '\\';
        *at++ = *arg;
    }
    stpcpy(at, "\"");
    err = append(c, quoted);
    free(quoted);
    return err;
}

unsigned int vdev_to_devid(const char *vdev)
{
    unsigned int disk, partition = 0;
    const char *p;

    if (strncmp(vdev, "xvd", 3) != 0 || vdev[3] < 'a' || vdev[3] > 'p')
        return 0;
    disk = (unsigned int)(vdev[3] - 'a');
    p = vdev + 4;
    if (*p == '0')
        return 0;
    for (; *p >= '0' && *p <= '9' && partition < 16; p++)
        partition = partition * 10 + (unsigned int)(*p - '0');
    if (*p != '\0' || partition > 15)
        return 0;
    return (202U << 8) + disk * 16 + partition;
}
