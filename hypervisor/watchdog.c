/*
 * Watchdogs of domains (SCHEDOP_watchdog): timers that a guest has to set anew
 * before they fire.
 */
#include "clock.h"
#include "domain.h"

#define NS 1000000000ull

static void watchdog_fired(struct vcpu *v)
{
    host_log(v->domain->host, RS_LOG_WARN, "domain %u (%s): its watchdog fired",
             v->domain->domid, v->domain->name);
    domain_shutdown(v->domain, SHUTDOWN_watchdog, 0);
}

void watchdog_arm(struct watchdog *w, uint32_t seconds)
{
    time_set_timer(&w->timer,
                   time_system(w->timer.vcpu->domain->host) + seconds * NS, 0);
}

void watchdogs_init(struct domain *d)
{
    for (unsigned int i = 0; i < DOMAIN_WATCHDOGS; i++)
        time_init_timer(&d->watchdog[i].timer, &d->vcpu[0], watchdog_fired);
}

void watchdogs_stop(struct domain *d)
{
    for (unsigned int i = 0; i < DOMAIN_WATCHDOGS; i++)
        time_set_timer(&d->watchdog[i].timer, 0, 0);
}
