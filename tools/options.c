/* The command lines of the verbs; see options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "say.h"

#define MAX_OPTIONS 16

/* getopt's table of long options from a spec. */
static void fill_table(const struct option_spec *spec,
                       struct option table[MAX_OPTIONS + 1])
{
    const char *l = spec->letters;
    int n = 0;

    for (; *l != '\0' && n < MAX_OPTIONS; l++) {
        if (*l == ':')
            continue;
        table[n] = (struct option){
            .name = spec->names[n],
            .has_arg = l[1] == ':' ? required_argument : no_argument,
            .val = *l,
        };
        n++;
    }
    table[n] = (struct option){ .name = NULL };
}

static int complain_option(const char *verb, char **argv, int answer)
{
    char letter[3] = { '-', (char)optopt, '\0' };
    const char *option = argv[optind - 1];

    if (strncmp(option, "--", 2) != 0)
        option = letter;
    if (answer == ':')
        return complain("option %s needs a value; see 'ringside %s --help'",
                        option, verb);
    return complain("unknown option %s; see 'ringside %s --help'", option,
                    verb);
}

int options_parse(int argc, char **argv, const struct option_spec *spec,
                  void *arg, int *rest)
{
    struct option table[MAX_OPTIONS + 1];
    char letters[2 * MAX_OPTIONS + 2];
    int c, err;

    fill_table(spec, table);
    snprintf(letters, sizeof(letters), ":%s", spec->letters);
    opterr = 0;
    optind = 0;
    while ((c = getopt_long(argc, argv, letters, table, NULL)) != -1) {
        if (c == '?' || c == ':')
            return complain_option(argv[0], argv, c);
        err = spec->set(arg, c, optarg);
        if (err != 0)
            return err;
    }
    *rest = optind;
    if (argc - optind > spec->max)
        return complain("unexpected '%s'; see 'ringside %s --help'",
                        argv[optind + spec->max], argv[0]);
    if (argc - optind < spec->min)
        return complain("'ringside %s' needs %s; see 'ringside %s --help'",
                        argv[0], spec->wants, argv[0]);
    return 0;
}

int options_domain(int argc, char **argv, const char **domain)
{
    static const struct option_spec spec = {
        .letters = "",
        .min = 1,
        .max = 1,
        .wants = "a DOMAIN (name or id)",
    };
    int rest, err = options_parse(argc, argv, &spec, NULL, &rest);

    if (err == 0)
        *domain = argv[rest];
    return err;
}

/* ---- run and create ---- */

static int set_nothing(void *arg, int letter, const char *value)
{
    (void)arg;
    (void)letter;
    (void)value;
    return 0;
}

/* ringsided's engine `test` is for tests that play the guests themselves. */
static int set_engine(struct guest_options *o, const char *value)
{
    if (strcmp(value, "sandbox") != 0)
        return complain("--engine: '%s' runs no guests; there is sandbox",
                        value);
    o->engine = value;
    return 0;
}

static int set_guest_option(void *arg, int letter, const char *value)
{
    struct guest_options *o = arg;
    struct guest_config *c = &o->config;

    switch (letter) {
    case 'k':
        return config_set(&c->kernel, value);
    case 'r':
        return config_set(&c->ramdisk, value);
    case 'n':
        return config_set_name(c, "--name", value);
    case 'm':
        return config_set_memory(c, "--memory", value);
    case 'u':
        return config_set_vcpus(c, "--vcpus", value);
    case 'U':
        return config_set_maxvcpus(c, "--maxvcpus", value);
    case 'M':
        return config_set_mode(c, "--mode", value);
    case 'H':
        return config_set_hypercall(c, "--hypercall", value);
    case 'e':
        return config_add_words(c, "--extra", value);
    case 'd':
        return config_add_disk(c, "--disk", value);
    case 'v':
        return config_add_vif(c, "--vif", value);
    case 'q':
        o->quiet = true;
        return 0;
    case 'E':
        return set_engine(o, value);
    case 'p':
        o->paused = true;
        return 0;
    default:
        o->console = true;
        return 0;
    }
}

#define GUEST_NAMES                                                     \
    "kernel", "ramdisk", "name", "memory", "vcpus", "maxvcpus", "mode", \
        "hypercall", "extra", "disk", "vif", "quiet"

static const char *const run_names[] = { GUEST_NAMES, "engine" };
static const char *const create_names[] = { GUEST_NAMES, "paused", "console" };

/* The index of "--", behind which the guest's own words stand. */
static int find_separator(int argc, char **argv)
{
    int i = 1;

    while (i < argc && strcmp(argv[i], "--") != 0)
        i++;
    return i;
}

static int read_first(struct guest_config *c, const char *path)
{
    if (is_elf_file(path))
        return config_set(&c->kernel, path);
    return config_read_file(c, path);
}

int options_guest(int argc, char **argv, bool is_create,
                  struct guest_options *o)
{
    struct option_spec spec = {
        .letters = is_create ? "k:r:n:m:u:U:M:H:e:d:v:qpc"
                             : "k:r:n:m:u:U:M:H:e:d:v:qE:",
        .names = is_create ? create_names : run_names,
        .set = set_nothing,
        .max = 1,
    };
    int end = find_separator(argc, argv), rest, err;

    *o = (struct guest_options){ .quiet = false };
    config_init(&o->config);
    err = options_parse(end, argv, &spec, NULL, &rest);
    if (err == 0 && rest < end)
        err = read_first(&o->config, argv[rest]);
    spec.set = set_guest_option;
    if (err == 0)
        err = options_parse(end, argv, &spec, o, &rest);
    for (int i = end + 1; i < argc && err == 0; i++)
        err = config_add_arg(&o->config, argv[i]);
    if (err != 0)
        config_free(&o->config);
    return err;
}
