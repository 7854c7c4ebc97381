/* The command line; see options.h. */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "conn/wire.h"
#include "rundir_check.h"

enum {
    OPT_SOCKET = 256,
    OPT_RUNDIR,
    OPT_HYPERVISOR,
    OPT_DB,
    OPT_LOG,
    OPT_PID,
    OPT_READY,
    OPT_QUOTA,
    OPT_TRACE,
    OPT_TAKE_OVER,
    OPT_CHECK_STATE,
    OPT_VERSION
};

static const struct option long_options[] = {
    { "socket", required_argument, NULL, OPT_SOCKET },
    { "rundir", required_argument, NULL, OPT_RUNDIR },
    { "hypervisor", required_argument, NULL, OPT_HYPERVISOR },
    { "db", required_argument, NULL, OPT_DB },
    { "log", required_argument, NULL, OPT_LOG },
    { "pid-file", required_argument, NULL, OPT_PID },
    { "ready-fd", required_argument, NULL, OPT_READY },
    { "quota", required_argument, NULL, OPT_QUOTA },
    { "trace", no_argument, NULL, OPT_TRACE },
    { "take-over", required_argument, NULL, OPT_TAKE_OVER },
    { "check-state", required_argument, NULL, OPT_CHECK_STATE },
    { "foreground", no_argument, NULL, 'F' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

static const char usage[] =
    "Usage: ringside-xenstored [OPTION]...\n"
    "Serves a xenstore on a UNIX socket and on the rings of guests.\n"
    "\n"
    "  --rundir DIR        runtime directory of the host, by default that\n"
    "                      of ringside(1)\n"
    "  --socket PATH       listen here (DIR/xenstored.sock)\n"
    "  --hypervisor none   a store without guests; without this option\n"
    "                      ringsided(8) must have started the daemon\n"
    "  --db FILE           keep the tree in this file: it survives the "
    "daemon\n"
    "  -F, --foreground    stay in the foreground\n"
    "  --log FILE          write the log here instead of stderr\n"
    "  --pid-file FILE     write the process id here\n"
    "  --quota NAME=VALUE  limit for guests; 0 for none (see the man page)\n"
    "  --trace             log every request\n"
    "  --ready-fd N        write a line to this descriptor when serving;\n"
    "                      implies --foreground\n"
    "  -h, --help          print this and exit\n"
    "  --version           print the version and exit\n"
    "\n"
    "Clients of libxenstore find it by XENSTORED_PATH=PATH.\n";

__attribute__((noreturn, format(printf, 1, 2))) static void
mistake(const char *fmt, ...)
{
    va_list ap;

    fputs("ringside-xenstored: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t number(const char *option, const char *s, uint64_t max)
{
    uint64_t n;

    if (wire_number(s, max, &n))
        mistake("--%s: '%s' is not a number from 0 to %llu", option, s,
                (unsigned long long)max);
    return n;
}

static void set_quota(struct options *o, char *arg)
{
    char *value = strchr(arg, '=');
    int which;

    if (!value)
        mistake("--quota: '%s' is not of the form NAME=VALUE", arg);
    *value++ = '\0';
    which = quota_by_stored_name(arg);
    if (which < 0)
        mistake("--quota: there is no quota '%s'", arg);
    o->quota.limit[which] = (uint32_t)number("quota", value, UINT32_MAX);
}

/* A path in the runtime directory, which must belong to this user. */
static char *in_rundir(const char *rundir, const char *name)
{
    char dir[RUNDIR_MAX], why[RUNDIR_WHY_MAX], *path;

    if (!rundir && !rundir_default(dir, sizeof(dir)))
        mistake("the runtime directory's name is too long");
    if (!rundir)
        rundir = dir;
    if (rundir_check(rundir, geteuid(), why, sizeof(why)) == -EPERM)
        mistake("%s", why);
    if (asprintf(&path, "%s/%s", rundir, name) < 0)
        mistake("no memory");
    return path;
}

static char *copy(const char *s)
{
    char *c = strdup(s);

    if (!c)
        mistake("no memory");
    return c;
}

struct paths {
    const char *rundir, *socket;
};

static void finish(struct options *o, const struct paths *p)
{
    o->socket =
        p->socket ? copy(p->socket) : in_rundir(p->rundir, "xenstored.sock");
    if (o->ready_fd >= 0)
        o->foreground = true;
}

/*
 * Takes one option; getopt_long() has printed what is wrong with an unknown
 * one.
 */
static void take(struct options *o, struct paths *p, int c)
{
    switch (c) {
    case OPT_SOCKET:
        p->socket = optarg;
        break;
    case OPT_RUNDIR:
        p->rundir = optarg;
        break;
    case OPT_HYPERVISOR:
        if (strcmp(optarg, "none"))
            mistake("--hypervisor: '%s' is not none", optarg);
        o->alone = true;
        break;
    case OPT_DB:
        o->db = optarg;
        break;
    case OPT_LOG:
        o->log = optarg;
        break;
    case OPT_PID:
        o->pid_file = optarg;
        break;
    case OPT_READY:
        o->ready_fd = (int)number("ready-fd", optarg, INT32_MAX);
        break;
    case OPT_QUOTA:
        set_quota(o, optarg);
        break;
    case OPT_TRACE:
        o->trace = true;
        break;
    case OPT_TAKE_OVER:
        o->state_fd = (int)number("take-over", optarg, INT32_MAX);
        break;
    case OPT_CHECK_STATE:
        o->check_fd = (int)number("check-state", optarg, INT32_MAX);
        break;
    case 'F':
        o->foreground = true;
        break;
    case 'h':
        fputs(usage, stdout);
        exit(0);
    case OPT_VERSION:
        puts("ringside-xenstored " PACKAGE_VERSION);
        exit(0);
    default:
        exit(1);
    }
}

void options_parse(struct options *o, int argc, char **argv)
{
    struct paths p = { NULL, NULL };
    int c;

    *o = (struct options){ .ready_fd = -1, .state_fd = -1, .check_fd = -1 };
    quota_defaults(&o->quota);
    while ((c = getopt_long(argc, argv, "Fh", long_options, NULL)) != -1)
        take(o, &p, c);
    if (optind < argc)
        mistake("'%s' is not an option", argv[optind]);
    finish(o, &p);
}

void options_free(struct options *o)
{
    free(o->socket);
}
