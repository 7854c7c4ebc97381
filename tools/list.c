/*
 * ringside list: the domains of the host, in xl's columns.
 */
#include <stdio.h>
#include <stdlib.h>

#include "xen_compat.h"

#include "guest.h"
#include "options.h"
#include "printable.h"
#include "say.h"
#include "verbs.h"

/* xl's letters: running, blocked, paused, shut down, crashed, dying. */
static void state_letters(const struct rs_domain_info *d, char s[7])
{
    snprintf(s, 7, "------");
    switch (d->state) {
    case RS_DOMAIN_PAUSED:
        s[2] = 'p';
        break;
    case RS_DOMAIN_SHUTDOWN:
        s[3] = 's';
        if (d->shutdown_reason == SHUTDOWN_crash)
            s[4] = 'c';
        break;
    case RS_DOMAIN_DYING:
        s[5] = 'd';
        break;
    default:
        s[0] = 'r';
    }
}

static void show(const struct host *h, const struct rs_domain_info *d)
{
    char state[7], name[sizeof(d->name) * PRINTABLE_GROWTH];

    (void)h;
    state_letters(d, state);
    printable_string(name, sizeof(name), d->name);
    printf("%-40s %5u %5llu %5u     %s  %8.1f\n", name, d->domid,
           (unsigned long long)d->memory_kib / 1024, d->vcpus, state,
           (double)d->cpu_ns / 1e9);
}

int verb_list(int argc, char **argv)
{
    return domain_table(argc, argv,
                        "Name                                        ID   "
                        "Mem VCPUs\tState\tTime(s)",
                        show);
}
