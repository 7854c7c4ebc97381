/*
 * vCPUs come and go at run time: at boot all that the store does not call
 * offline, later as cpu/K/availability there says (`ringside vcpu-set`).
 */
#ifndef RINGSIDE_GUEST_SMP_H
#define RINGSIDE_GUEST_SMP_H

/* Use at most so many (a word of the command line, NULL: all). */
void smp_set_max(const char *word);

/* Raises the others, in a thread of its own. */
void smp_start(void);

/* How many vCPUs run threads now. */
unsigned int smp_online(void);

#endif
