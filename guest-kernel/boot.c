/*
 * From the first instruction to main().
 *
 * boot() runs on the one-page boot stack and starts what needs no thread; then
 * it becomes thread "main", which starts the rest and calls the application.
 */
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/arch.h"
#include "guest-kernel/clock.h"
#include "guest-kernel/console.h"
#include "guest-kernel/events.h"
#include "guest-kernel/grants.h"
#include "guest-kernel/idle.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/libc.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/scheduler.h"
#include "guest-kernel/smp.h"
#include "guest-kernel/traps.h"
#include "guest-kernel/upcall.h"
#include "guest-kernel/xenbus.h"

#define ARGV_MAX 128

int main(int argc, char **argv);
_Noreturn void boot(const struct start_info *si); /* for entry.S */

#define POLL_US_MAX 1000000

static void set_poll_us(unsigned int us)
{
    idle_set_poll_max(us * NS_PER_US);
}

static const struct cmdline_option options[] = {
    { "poll_us", 0, POLL_US_MAX, set_poll_us },
    { "vcpus", 1, VCPUS_MAX, smp_set_max },
};

static int make_argv(char **argv)
{
    static char line[MAX_GUEST_CMDLINE];

    memcpy(line, start_info->cmd_line, sizeof(line) - 1);
    argv[0] = (char *)"guest";
    cmdline_split(line, argv + 1, ARGV_MAX - 1);
    return cmdline_take_options(argv, options,
                                sizeof(options) / sizeof(options[0]));
}

static void run_main(void)
{
    static char *argv[ARGV_MAX];
    int argc;
    int err = grants_init(start_info->nr_pages);

    if (err)
        kernel_panic("no grant table: error %d", -err);
    console_init(start_info);
    libc_init();
    argc = make_argv(argv);
    if (xenbus_init(start_info) == 0)
        shutdown_watch_start();
    smp_start();
    exit(main(argc, argv));
}

_Noreturn void boot(const struct start_info *si)
{
    static struct tcb tcb = { .vcpu = &vcpus[0] };

    start_info = si;
    shared_info = (struct shared_info *)si->shared_info;
    for (unsigned int i = 0; i < VCPUS_MAX; i++) {
        vcpus[i].id = i;
        vcpus[i].info = &shared_info->vcpu_info[i];
    }
    traps_init();
    arch_fs_init();
    arch_fs_set((uintptr_t)&tcb);
    memory_init();
    clock_init();
    events_init();
    pages_init(si->pt_base, si->nr_pages << PAGE_SHIFT);
    arch_memory_init(si->nr_pages << PAGE_SHIFT);
    heap_init();
    schedule_init();
    idle_init(0);
    thread_start_main(run_main);
}
