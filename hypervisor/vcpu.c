/*
 * A vCPU's life and what it does with the machine. See vcpu.h.
 */
#include "vcpu.h"

#include <errno.h>
#include <string.h>

#include "domain.h"
#include "emulate/emulate.h"
#include "preempt.h"

/* A runstate that is younger is not asked of the engine again: state and
 * state_entry_time say how to count on from it. */
#define RUNSTATE_AGE_NS 1000000u

/* Costs in system calls (hypercall.h). */
#define TIMES_COST (8 * PREEMPT_COST_SYSCALL) /* two files of /proc */

static void tick(struct vcpu *v)
{
    evtchn_raise_virq(v, VIRQ_TIMER);
}

void vcpu_init(struct domain *d, unsigned int id)
{
    struct vcpu *v = &d->vcpu[id];

    v->domain = d;
    v->id = id;
    v->initialised = v->up = id == 0;
    v->offline_since = time_system(d->host);
    time_init_timer(&v->timer, v, tick);
    time_init_timer(&v->periodic, v, tick);
}

void vcpu_stop(struct vcpu *v)
{
    time_set_timer(&v->timer, 0, 0);
    time_set_timer(&v->periodic, 0, 0);
    if (v->info)
        memory_unpin(v->domain, v->info_gfn);
    v->info = NULL;
    if (v->emulated)
        v->domain->host->emulate->stop(v);
    v->time_area = v->runstate_area = guest_addr(0);
}

/* ---- what it does with the machine ---- */

static struct vcpu_times times_of(struct vcpu *v)
{
    struct vcpu_times times = { .cpu = -1 };

    if (v->domain->ops->vcpu_times)
        v->domain->ops->vcpu_times(v, &times);
    return times;
}

void vcpu_fill_info(struct vcpu *v, struct rs_vcpu_info *info)
{
    struct vcpu_times times = times_of(v);

    *info = (struct rs_vcpu_info){
        .id = v->id,
        .state = !v->up          ? RS_VCPU_DOWN
                 : times.blocked ? RS_VCPU_BLOCKED
                                 : RS_VCPU_RUNNING,
        .cpu = v->up ? times.cpu : -1,
        .cpu_ns = times.running_ns,
        .stolen_ns = times.runnable_ns,
        .cpus = v->cpus ? v->cpus : ~0ull,
    };
}

int vcpu_pin(struct vcpu *v, uint64_t cpus)
{
    uint64_t before = v->cpus;
    int err = 0;

    if (!cpus)
        return -EINVAL;
    v->cpus = ~cpus ? cpus : 0;
    if (v->domain->ops->vcpu_pin)
        err = v->domain->ops->vcpu_pin(v, cpus);
    if (err)
        v->cpus = before;
    return err;
}

/* ---- runstate ---- */

/*
 * The engine knows how long it ran and how long it waited for a processor
 * (stolen time); what is left of its life it was down, or blocked.
 */
static void read_runstate(struct vcpu *v, uint64_t now)
{
    struct vcpu_runstate_info *info = &v->runstate;
    struct domain *d = v->domain;
    struct vcpu_times times = times_of(v);
    uint64_t known;

    memset(info, 0, sizeof(*info));
    info->state = !v->up          ? RUNSTATE_offline
                  : times.blocked ? RUNSTATE_blocked
                                  : RUNSTATE_running;
    info->state_entry_time = v->up ? now : v->offline_since;
    info->time[RUNSTATE_running] = times.running_ns;
    info->time[RUNSTATE_runnable] = times.runnable_ns;
    info->time[RUNSTATE_offline] =
        v->offline_ns + (v->up ? 0 : now - v->offline_since);
    known = info->time[RUNSTATE_running] + info->time[RUNSTATE_runnable] +
            info->time[RUNSTATE_offline] + d->created_ns - d->host->boot_ns;
    info->time[RUNSTATE_blocked] = now > known ? now - known : 0;
    v->runstate_at = now;
}

/* A vCPU that asks about itself runs, whatever was seen of it before. */
void vcpu_runstate(struct vcpu *v, struct vcpu *caller,
                   struct vcpu_runstate_info *info)
{
    uint64_t now = time_system(v->domain->host);

    if (!v->runstate_at || now - v->runstate_at >= RUNSTATE_AGE_NS ||
        (v == caller && v->runstate.state != RUNSTATE_running)) {
        preempt_charge(caller, TIMES_COST);
        read_runstate(v, now);
    }
    *info = v->runstate;
}

void vcpu_publish_runstate(struct vcpu *v, struct vcpu *caller)
{
    struct vcpu_runstate_info info;

    if (!v->runstate_area.value)
        return;
    vcpu_runstate(v, caller, &info);
    copy_to_guest(v, v->runstate_area, &info, sizeof(info));
}
