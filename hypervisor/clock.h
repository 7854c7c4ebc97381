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

#include "list.h"

struct domain;
struct rs_host;
struct vcpu;
struct watch;

/* One of a vCPU's timers, or of its domain's. */
struct timer {
    struct list link; /* among the host's, by deadline */
    struct vcpu *vcpu;
    void (*fire)(struct vcpu *v);
    uint64_t at, period; /* system time in ns; 0: only once */
};

int time_open(struct rs_host *h);
void time_close(struct rs_host *h);

/* Opens a timerfd that the host's loop watches; `ready` reads it. The owner
 * closes it. 0, or a negative errno with rs_error() set. */
int time_open_watch(struct rs_host *h, struct watch *w,
                    void (*ready)(void *, uint32_t));
/* It is due in ns, once; 0: not at all. 0 or a negative errno. */
int time_arm(const struct watch *w, uint64_t ns);

/* System time in ns, now. */
uint64_t time_system(const struct rs_host *h);
/* How long so many ticks of the TSC are, in ns; and the reverse, roughly. */
uint64_t time_from_ticks(const struct rs_host *h, uint64_t ticks);
uint64_t time_to_ticks(const struct rs_host *h, uint64_t ns);

/* Writes clock and wall clock where the domain's vCPUs look. */
void time_publish(struct domain *d);
/* The clock alone, to the area that v registered; -EFAULT: it is not there. */
int time_publish_area(struct vcpu *v);

void time_init_timer(struct timer *t, struct vcpu *v,
                     void (*fire)(struct vcpu *v));
/* Fires at system time ns, then every `period`; ns 0 or UINT64_MAX: never,
 * period 0: once. */
void time_set_timer(struct timer *t, uint64_t ns, uint64_t period);

#endif
