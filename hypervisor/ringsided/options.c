/*
 * The command line of ringsided. See options.h.
 */
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringside/ringside.h"
#include "rundir.h"

static const char usage[] =
    "Usage: ringsided [OPTION]...\n"
    "Runs a Ringside host: the hypervisor, its store and its driver domain.\n"
    "\n"
    "  --rundir DIR      runtime directory (default: $RINGSIDE_RUNDIR, else\n"
    "                    /run/ringside for root, $XDG_RUNTIME_DIR/ringside or\n"
    "                    /tmp/ringside-UID for others)\n"
    "  --memory MIB      memory for all guests (default: 3/4 of the machine's)\n"
    "  --engine NAME     what runs guests: sandbox (default) or test\n"
    "  --no-store        do not start ringside-xenstored\n"
    "  --no-driver       do not start ringside-driverd\n"
    "  --driver PROGRAM  start PROGRAM as the driver domain instead of it\n"
    "  --ready-fd N      write a newline to descriptor N when all serve\n"
    "  --lifeline-fd N   end when descriptor N reaches its end\n"
    "  --daemon          go to the background when all serve\n"
    "  --log FILE        log to FILE (default: standard error; with --daemon\n"
    "                    DIR/log/ringsided.log)\n"
    "  --help, --version\n";

static bool number(const char *s, uint64_t max, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(s, &end, 10);
    return *s >= '0' && *s <= '9' && !*end && !errno && *out <= max;
}

static bool descriptor(const char *name, const char *s, int *out)
{
    uint64_t n;

    if (!number(s, 1 << 20, &n) || fcntl((int)n, F_GETFD) < 0) {
        complain("--%s %s: not an open descriptor", name, s);
        return false;
    }
    *out = (int)n;
    return true;
}

static bool memory(const char *s, uint64_t *mib)
{
    if (number(s, 1u << 30, mib) && *mib)
        return true;
    complain("--memory %s: not a number of MiB", s);
    return false;
}

static bool set_rundir(struct options *o, const char *dir)
{
    int n = snprintf(o->rundir, sizeof(o->rundir), "%s", dir);

    if (n > 0 && (size_t)n < sizeof(o->rundir))
        return true;
    complain("--rundir %s: not a usable name", dir);
    return false;
}

/* By its full name: --daemon leaves this directory. */
static bool driver_program(struct options *o, const char *program)
{
    free(o->driver_program);
    o->driver_program = realpath(program, NULL);
    if (o->driver_program && !access(o->driver_program, X_OK))
        return true;
    complain("--driver %s: %s", program, strerror(errno));
    return false;
}

enum {
    OPT_RUNDIR = 1,
    OPT_MEMORY,
    OPT_ENGINE,
    OPT_NO_STORE,
    OPT_NO_DRIVER,
    OPT_DRIVER,
    OPT_READY,
    OPT_LIFELINE,
    OPT_DAEMON,
    OPT_LOG,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    { "rundir", required_argument, NULL, OPT_RUNDIR },
    { "memory", required_argument, NULL, OPT_MEMORY },
    { "engine", required_argument, NULL, OPT_ENGINE },
    { "no-store", no_argument, NULL, OPT_NO_STORE },
    { "no-driver", no_argument, NULL, OPT_NO_DRIVER },
    { "driver", required_argument, NULL, OPT_DRIVER },
    { "ready-fd", required_argument, NULL, OPT_READY },
    { "lifeline-fd", required_argument, NULL, OPT_LIFELINE },
    { "daemon", no_argument, NULL, OPT_DAEMON },
    { "log", required_argument, NULL, OPT_LOG },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

static bool take_option(struct options *o, int opt)
{
    switch (opt) {
    case OPT_RUNDIR:
        return set_rundir(o, optarg);
    case OPT_MEMORY:
        return memory(optarg, &o->memory_mib);
    case OPT_ENGINE:
        o->engine = optarg;
        return true;
    case OPT_NO_STORE:
        o->store = false;
        return true;
    case OPT_NO_DRIVER:
        o->driver = false;
        return true;
    case OPT_DRIVER:
        return driver_program(o, optarg);
    case OPT_READY:
        return descriptor("ready-fd", optarg, &o->ready_fd);
    case OPT_LIFELINE:
        return descriptor("lifeline-fd", optarg, &o->lifeline_fd);
    case OPT_DAEMON:
        o->daemon = true;
        return true;
    case OPT_LOG:
        o->log = optarg;
        return true;
    case OPT_HELP:
        fputs(usage, stdout);
        exit(0);
    case OPT_VERSION:
        printf("ringsided %s\n", rs_version());
        exit(0);
    default:
        return false; /* getopt has said what is wrong */
    }
}

bool options_parse(struct options *o, int argc, char **argv)
{
    int opt;

    *o = (struct options){
        .store = true, .driver = true, .ready_fd = -1, .lifeline_fd = -1
    };
    while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        if (!take_option(o, opt))
            return false;
    if (optind < argc) {
        complain("unexpected argument '%s' (see --help)", argv[optind]);
        return false;
    }
    if (!o->rundir[0] && !rundir_default(o->rundir, sizeof(o->rundir))) {
        complain("the runtime directory's name is too long");
        return false;
    }
    return true;
}
