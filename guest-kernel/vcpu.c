/*
 * The vCPUs, and what runs on the one that asks. See vcpu.h and upcall.h.
 */
#include "guest-kernel/thread.h"
#include "guest-kernel/upcall.h"

struct vcpu vcpus[VCPUS_MAX];
bool smp_active;

bool in_upcall(void)
{
    return this_vcpu()->upcall_depth != 0;
}

struct thread *thread_current(void)
{
    return this_vcpu()->current;
}
