/*
 * vCPUs come and go at run time: at boot all that the store does not call
 * offline, later as cpu/K/availability there says (`ringside vcpu-set`).
 */
#ifndef RINGSIDE_GUEST_SMP_H
#define RINGSIDE_GUEST_SMP_H

#include <stdint.h>

/* Use at most so many, 1 to VCPUS_MAX. */
void smp_set_max(unsigned int n);

/* Raises the others, in a thread of its own. */
void smp_start(void);

/* How many vCPUs run threads now. */
unsigned int smp_online(void);

/*
 * ns for which the domain's vCPUs have had a processor, as the hypervisor
 * accounts for them: also what polling took, and since before boot.c.
 */
uint64_t smp_cpu_time(void);

#endif
