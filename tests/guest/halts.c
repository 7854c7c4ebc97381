/*
 * A timer that fires anywhere around the instructions of a halt ends it: none
 * is lost between the last look and the sleep.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/clock.h"
#include "guest-kernel/upcall.h"
#include "tests/guest/tap.h"

#define HALTS   20000u
#define STEP_NS 20u /* up to 30 us */
#define STEPS   1500u

int main(void)
{
    bool was = upcalls_mask();

    plan(1);
    for (unsigned int i = 0; i < HALTS; i++) {
        arch_timer_set(clock_now() + i % STEPS * STEP_NS);
        arch_wait();
        mask_only();
    }
    upcalls_restore(was);
    point(true, "%u halts, each ended", HALTS);
    return done();
}
