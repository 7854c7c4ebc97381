/*
 * ringside: the command. A table of verbs; each is a function of its own argc
 * and argv, in the file that is named after it or its group.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "say.h"
#include "verbs.h"

#define GUEST_OPTIONS                                                        \
    "  -k, --kernel ELF     the guest (instead of a CONFIG)\n"               \
    "  -n, --name NAME      its name; default: after its kernel\n"           \
    "  -m, --memory MIB     its memory; default: 16\n"                       \
    "  -u, --vcpus N        its virtual CPUs; default: 1\n"                  \
    "  -U, --maxvcpus N     as many may be added; default: none\n"           \
    "  -M, --mode MODE      pv (default), or trap: its kernel's native "     \
    "twin,\n"                                                                \
    "                       by trap-and-emulate\n"                           \
    "  -H, --hypercall WAY  how its calls go: trap (default) or polled\n"    \
    "  -e, --extra WORDS    appended to its command line, as are the ARGs\n" \
    "  -d, --disk SPEC      TARGET,FORMAT,VDEV,ACCESS as in "                \
    "xl-disk-configuration(5),\n"                                            \
    "                       e.g. site.tar,raw,xvda,r; again for more\n"      \
    "  -v, --vif SPEC       type=nat,forward=tcp:8080:80 | tap=DEV | "       \
    "bridge=DEV,\n"                                                          \
    "                       mac=…; again for more\n"                       \
    "  -r, --ramdisk FILE   a module for its kernel\n"                       \
    "  -q, --quiet          say nothing but what is wrong\n"

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *help, *more;
} verbs[] = {
    { "run", verb_run, "[OPTION]... [CONFIG | ELF] [-- ARG...]",
      "run a guest here, until it ends",
      "Its console is standard input and output. Ctrl-C asks it to shut down, "
      "a second\n"
      "one destroys it. Without a running host a private one is started and "
      "taken down.\n"
      "\n" GUEST_OPTIONS
      "  -E, --engine NAME    what runs it, on a private host: sandbox\n"
      "\n"
      "Exit status: the guest's; 134 if it crashed, 137 if it was destroyed "
      "(128 + n\n"
      "by signal n), 1 if it could not run.\n" },
    { "create", verb_create, "[OPTION]... [CONFIG | ELF] [-- ARG...]",
      "start a guest in the background",
      "On the user's host, which is started if it is not running. A child of "
      "this\n"
      "command stays until the guest's end, to remove it.\n"
      "\n" GUEST_OPTIONS "  -p, --paused         do not start it yet\n"
      "  -c, --console        go to its console, before it starts\n" },
    { "list", verb_list, "[DOMAIN]", "list domains", NULL },
    { "console", verb_console, "DOMAIN", "go to a guest's console",
      "It begins with the last 16 KiB of what the guest said. Ctrl-] leaves it; "
      "so does\n"
      "the guest's end. Standard input that is no terminal goes to the guest, "
      "too, but not\n"
      "its end: 'ringside console DOMAIN </dev/null' only looks on.\n" },
    { "shutdown", verb_shutdown, "[-w] DOMAIN | --all",
      "ask a guest to shut down",
      "  -w, --wait           wait until it has\n"
      "  -a, --all            all guests\n" },
    { "destroy", verb_destroy, "DOMAIN", "end a guest at once", NULL },
    { "pause", verb_pause, "DOMAIN", "stop a guest's virtual CPUs", NULL },
    { "unpause", verb_unpause, "DOMAIN", "let a paused guest go on", NULL },
    { "vcpu-list", verb_vcpu_list, "[DOMAIN]", "list guests' virtual CPUs",
      NULL },
    { "vcpu-set", verb_vcpu_set, "DOMAIN N",
      "let a guest use N of its virtual CPUs",
      "At most as many as it was created with (maxvcpus).\n" },
    { "vcpu-pin", verb_vcpu_pin, "DOMAIN VCPU CPUS",
      "choose the processors that a virtual CPU runs on",
      "VCPU is a number or all; CPUS is all, or numbers and ranges as in "
      "0-3,5.\n" },
    { "info", verb_info, "[--json] [DOMAIN]", "tell about the host or a domain",
      "  -j, --json           as one JSON object\n" },
    { "top", verb_top, "[-d SECONDS] [-n N] [-b] [DOMAIN]...",
      "watch what domains do",
      "Processor time, hypercalls, events and I/O per second, the busiest "
      "first, until q.\n"
      "\n"
      "  -d, --delay SECONDS  between two looks; default: 2\n"
      "  -n, --iterations N   end after so many\n"
      "  -b, --batch          print blocks of lines, in exact numbers, as "
      "without a terminal\n" },
    { "stop-host", verb_stop_host, "", "end the user's host and all its guests",
      NULL },
    { "doctor", verb_doctor, "[--json]",
      "see whether this machine can run guests",
      "Each line is ok, weaker (it works, with the consequence that is told) "
      "or missing.\n"
      "Exit status: 0 if guests can run, else 1.\n" },
    { "bench", verb_bench, "[OPTION]... [boot|hypercall|blk|net|...]...",
      "measure this machine, with and without us",
      "Each figure stands beside a native baseline of the same run; medians.\n"
      "Benches: boot hypercall event grant vchan blk net xenstore scale.\n"
      "\n"
      "  -j, --json           one JSON object a line\n"
      "  -c, --csv            comma-separated values\n"
      "  -p, --plot FILE      a chart of hypercall's figures, as SVG\n"
      "  -r, --runs N         of each figure; default: 31 of hypercall and "
      "its\n"
      "                       parts event, grant and vchan; of others 7\n"
      "  -g, --guests N       scale: so many guests; default: 1000\n"
      "  -f, --growth FILE    scale: what each guest cost, as CSV, or as SVG\n" },
};
#define NR_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static int show_help(void)
{
    printf("Usage: ringside VERB [OPTION]... [ARGUMENT]...\n"
           "Paravirtual guests without Xen. A DOMAIN is a name or a number.\n"
           "\n");
    for (size_t i = 0; i < NR_VERBS; i++)
        printf("  %s%-10s%s %s\n", paint(stdout, "bold"), verbs[i].name,
               paint(stdout, "reset"), verbs[i].help);
    printf("\nThe host that a verb works on is in $RINGSIDE_RUNDIR, or "
           "without that variable in\n/run/ringside for root, "
           "$XDG_RUNTIME_DIR/ringside or /tmp/ringside-UID for others.\n"
           "\n'ringside VERB --help' tells more about a verb, ringside(1) "
           "everything.\n");
    return EXIT_SUCCESS;
}

static int show_verb_help(const struct verb *v)
{
    printf("Usage: ringside %s%s%s\n%c%s.\n", v->name,
           v->usage[0] != '\0' ? " " : "", v->usage, v->help[0] - 'a' + 'A',
           v->help + 1);
    if (v->more != NULL)
        printf("\n%s", v->more);
    return EXIT_SUCCESS;
}

/* Help is asked for before "--", behind which a guest's words stand. */
static int wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return 1;
    }
    return 0;
}

static int run_verb(int argc, char **argv)
{
    for (size_t i = 0; i < NR_VERBS; i++) {
        if (strcmp(verbs[i].name, argv[0]) != 0)
            continue;
        if (wants_help(argc, argv))
            return show_verb_help(&verbs[i]);
        return verbs[i].run(argc, argv);
    }
    complain("there is no verb '%s'; 'ringside --help' lists those that there "
             "are",
             argv[0]);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    int status;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        complain("which verb? 'ringside --help' lists them");
        return EXIT_FAILURE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        status = show_help();
    } else if (strcmp(argv[1], "--version") == 0) {
        printf("ringside %s\n", PACKAGE_VERSION);
        status = EXIT_SUCCESS;
    } else {
        status = run_verb(argc - 1, argv + 1);
    }
    if (fflush(stdout) != 0 && status == EXIT_SUCCESS) {
        complain("cannot write to standard output");
        status = EXIT_FAILURE;
    }
    return status;
}
