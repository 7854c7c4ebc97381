/*
 * What a host weighs: memory and processor time of all its processes, and of
 * the kernel for them.
 */
#ifndef RINGSIDE_BENCH_WEIGH_H
#define RINGSIDE_BENCH_WEIGH_H

#include <sys/types.h>

/*
 * KiB in use by processes and by the kernel for them, on the whole machine; the
 * page cache of files, which comes and goes, is not in it.
 */
double weigh_machine_kib(void);

/* KiB that could be had without swapping. */
size_t weigh_available_kib(void);

/*
 * KiB of RAM that the guests of a host have touched: the pages that their
 * memory files have below `ram` bytes. (Behind it are the hypervisor's own.)
 */
double weigh_touched_kib(pid_t ringsided, off_t ram);

/* Processor time of a process and of all that descend from it, ns. */
double weigh_cpu_ns(pid_t root);

/* Descriptors that a process has open. */
unsigned int weigh_descriptors(pid_t pid);

#endif
