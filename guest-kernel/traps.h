/*
 * Traps of this guest. All that the architecture does not expect (arch.h) end
 * it with a report; see traps.c.
 */
#ifndef RINGSIDE_GUEST_TRAPS_H
#define RINGSIDE_GUEST_TRAPS_H

/* First thing after boot; what faults before is the engine's to report. */
void traps_init(void);

#endif
