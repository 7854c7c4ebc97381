/*
 * Traps of this guest. All that the architecture does not expect (arch.h) end
 * it with a report; see traps.c.
 */
#ifndef RINGSIDE_GUEST_TRAPS_H
#define RINGSIDE_GUEST_TRAPS_H

#include <stdint.h>

/* First thing after boot; what faults before is the engine's to report. */
void traps_init(void);

/* ---- panic.c: what reports of traps and of panics share ---- */

/*
 * Before a report. Returns once only: a crash within the report ends the
 * domain, one on another vCPU waits for the end. What the program wrote before
 * comes out before the report.
 */
void crash_begin(void);
_Noreturn void crash_end(void);
/* `before`, the address, and the function that it is in. */
void report_place(const char *before, uintptr_t addr);
/* Callers, by the frames of the current thread's stack from `fp` on. */
void report_backtrace(uintptr_t fp);

#endif
