/* ringside vcpu-list, vcpu-set, vcpu-pin: virtual CPUs, in xl's words. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpus.h"
#include "guest.h"
#include "layout.h"
#include "options.h"
#include "printable.h"
#include "say.h"
#include "verbs.h"

/* A guest's vCPUs, or a complaint. */
static int vcpus_of(const struct host *h, const struct rs_domain_info *d,
                    struct rs_vcpu_info vcpus[RS_VCPUS_MAX])
{
    int n = rs_client_vcpu_list(h->client, (uint16_t)d->domid, vcpus);

    if (n == -ESRCH)
        return complain("%s has no virtual CPUs", d->name);
    return n < 0 ? complain("cannot look at the virtual CPUs of %s: %s",
                            d->name, strerror(-n))
                 : n;
}

static int read_number(const char *s, const char *what, unsigned int *out)
{
    char *end;
    unsigned long n = strtoul(s, &end, 10);

    if (s[0] < '0' || s[0] > '9' || *end != '\0' || n > 1000)
        return complain("%s '%s' is not a number", what, s);
    *out = (unsigned int)n;
    return 0;
}

/* ---- vcpu-list ---- */

static void show(const struct rs_domain_info *d, const struct rs_vcpu_info *v)
{
    static const char *const states[] = { "--p", "r--", "-b-" };
    char cpu[12] = "-", cpus[200], name[sizeof(d->name) * PRINTABLE_GROWTH];

    if (v->cpu >= 0)
        snprintf(cpu, sizeof(cpu), "%d", v->cpu);
    cpus_format(v->cpus, cpus, sizeof(cpus));
    printable_string(name, sizeof(name), d->name);
    printf("%-32s %5u %5u %5s   %s  %9.1f  %s / all\n", name, d->domid, v->id,
           cpu, v->state < 3 ? states[v->state] : "---",
           (double)v->cpu_ns / 1e9, cpus);
}

/* Domains that are processes have none. */
static void show_all(const struct host *h, const struct rs_domain_info *d)
{
    struct rs_vcpu_info vcpus[RS_VCPUS_MAX];
    int n = rs_client_vcpu_list(h->client, (uint16_t)d->domid, vcpus);

    for (int i = 0; i < n; i++)
        show(d, &vcpus[i]);
}

int verb_vcpu_list(int argc, char **argv)
{
    return domain_table(argc, argv,
                        "Name                                ID  VCPU   CPU "
                        "State    Time(s)  Affinity (Hard / Soft)",
                        show_all);
}

/* ---- vcpu-set ---- */

static int make_available(struct host *h, unsigned int domid, unsigned int vcpu,
                          bool online)
{
    const char *value = online ? "online" : "offline";
    char path[64];

    snprintf(path, sizeof(path), "/local/domain/%u/cpu/%u/availability", domid,
             vcpu);
    if (layout_write(h->store, path, value))
        return 0;
    return complain("cannot write %s: %s", path, strerror(errno));
}

static int set(struct host *h, const char *domain, const char *number)
{
    struct rs_vcpu_info vcpus[RS_VCPUS_MAX];
    struct rs_domain_info d;
    unsigned int want;
    int n, err = domain_find(h, domain, &d);

    if (err == 0)
        err = read_number(number, "number of virtual CPUs", &want);
    if (err != 0)
        return err;
    n = vcpus_of(h, &d, vcpus);
    if (n < 0)
        return n;
    if (want < 1 || want > (unsigned int)n)
        return complain("%s can have 1 to %d virtual CPUs, not %u", d.name, n,
                        want);
    for (int i = 0; i < n && err == 0; i++)
        err =
            make_available(h, d.domid, (unsigned int)i, (unsigned int)i < want);
    return err;
}

int verb_vcpu_set(int argc, char **argv)
{
    static const struct option_spec spec = {
        .letters = "",
        .min = 2,
        .max = 2,
        .wants = "a DOMAIN (name or id) and a number",
    };
    struct host h;
    int rest, err;

    if (options_parse(argc, argv, &spec, NULL, &rest) != 0 ||
        host_open(&h) != 0)
        return EXIT_FAILURE;
    err = set(&h, argv[rest], argv[rest + 1]);
    host_close(&h);
    return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- vcpu-pin ---- */

static int pin_one(const struct host *h, const struct rs_domain_info *d,
                   unsigned int vcpu, uint64_t cpus, const char *text)
{
    int err = rs_client_vcpu_pin(h->client, (uint16_t)d->domid, vcpu, cpus);

    if (err == -ENOENT)
        return complain("%s has no virtual CPU %u", d->name, vcpu);
    if (err == -EINVAL)
        return complain("this machine has none of the processors %s", text);
    if (err != 0)
        return complain("cannot pin virtual CPU %u of %s: %s", vcpu, d->name,
                        strerror(-err));
    return 0;
}

static int pin(const struct host *h, const char *domain, const char *which,
               const char *text)
{
    struct rs_vcpu_info vcpus[RS_VCPUS_MAX];
    struct rs_domain_info d;
    unsigned int first = 0;
    uint64_t cpus;
    int n, err = domain_find(h, domain, &d);

    if (err == 0 && cpus_parse(text, &cpus) != 0)
        err = complain("processors '%s': say all, or numbers below 64 and "
                       "ranges, as in 0-3,5",
                       text);
    if (err != 0)
        return err;
    n = vcpus_of(h, &d, vcpus);
    if (n < 0)
        return n;
    if (strcmp(which, "all") != 0) {
        err = read_number(which, "virtual CPU", &first);
        return err == 0 ? pin_one(h, &d, first, cpus, text) : err;
    }
    for (int i = 0; i < n && err == 0; i++)
        err = pin_one(h, &d, (unsigned int)i, cpus, text);
    return err;
}

int verb_vcpu_pin(int argc, char **argv)
{
    static const struct option_spec spec = {
        .letters = "",
        .min = 3,
        .max = 3,
        .wants = "a DOMAIN (name or id), a virtual CPU and processors",
    };
    struct host h;
    int rest, err;

    if (options_parse(argc, argv, &spec, NULL, &rest) != 0 ||
        host_open(&h) != 0)
        return EXIT_FAILURE;
    err = pin(&h, argv[rest], argv[rest + 1], argv[rest + 2]);
    host_close(&h);
    return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
