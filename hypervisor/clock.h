/*
 * Time: the paravirtual clock of guests and the timers of vCPUs.
 *
 * System time is CLOCK_MONOTONIC since the host began. Guests read it from
 * the TSC with a scale and offset in shared_info (struct vcpu_time_info);
 * the host measures the scale, and writes it anew when it drifted.
 */
#ifndef RINGSIDE_CLOCK_H
#define RINGSIDE_CLOCK_H

#include <stdint.h>

struct domain;
struct rs_host;
struct vcpu;

int time_open(struct rs_host *h);
void time_close(struct rs_host *h);

/* System time in ns, now. */
uint64_t time_system(const struct rs_host *h);

/* Writes clock and wall clock into the domain's shared_info. */
void time_publish(struct domain *d);

/* VIRQ_TIMER for v at system time ns; 0 or UINT64_MAX: never. */
void time_set_timer(struct vcpu *v, uint64_t ns);

#endif
