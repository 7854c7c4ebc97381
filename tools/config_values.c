/*
 * The parts of a guest's configuration that do not depend on a syntax:
 * defaults, owned strings, and the values that both a file and the command
 * line set.
 */
#include "guest_config.h"

#include <errno.h>
#include <limits.h>
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
                        "letters, digits and . _ + -",
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
    unsigned long mib;

    errno = 0;
    mib = strtoul(s, &end, 0);
    if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 || mib == 0 ||
        mib > UINT_MAX / 1024)
        return complain("%s: memory '%s' is not a number of MiB", where, s);
    c->memory_mib = (unsigned int)mib;
    return 0;
}

static int read_count(const char *where, const char *what, const char *s,
                      unsigned int *out)
{
    char *end;
    unsigned long n = strtoul(s, &end, 10);

    if (s[0] < '0' || s[0] > '9' || *end != '\0' || n < 1 ||
        n > CONFIG_MAX_VCPUS)
        return complain("%s: %s '%s' is not a number from 1 to %d", where, what,
                        s, CONFIG_MAX_VCPUS);
    *out = (unsigned int)n;
    return 0;
}

int config_set_vcpus(struct guest_config *c, const char *where, const char *s)
{
    return read_count(where, "vcpus", s, &c->vcpus);
}

int config_set_maxvcpus(struct guest_config *c, const char *where,
                        const char *s)
{
    return read_count(where, "maxvcpus", s, &c->max_vcpus);
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
    return complain("%s: mode '%s' is not pv, trap or trap-stub", where, s);
}

unsigned int config_max_vcpus(const struct guest_config *c)
{
    return c->max_vcpus ? c->max_vcpus : c->vcpus;
}

int config_set_hypercall(struct guest_config *c, const char *where,
                         const char *s)
{
    c->ring = strcmp(s, "ring") == 0;
    if (c->ring || strcmp(s, "trap") == 0)
        return 0;
    return complain("%s: hypercalls go by \"trap\" or \"ring\", not by '%s'",
                    where, s);
}

int config_add_words(struct guest_config *c, const char *words)
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

int config_add_arg(struct guest_config *c, const char *arg)
{
    char *quoted = malloc(2 * strlen(arg) + 3), *at = quoted;
    int err;

    if (arg[0] != '\0' && strpbrk(arg, " \t\n'\"\\") == NULL) {
        free(quoted);
        return config_add_words(c, arg);
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
    err = config_add_words(c, quoted);
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
