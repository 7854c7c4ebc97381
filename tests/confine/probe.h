/*
 * What the probe (the guest of these tests) and its host agree on: the page
 * through which they talk while it runs.
 */
#ifndef TESTS_CONFINE_PROBE_H
#define TESTS_CONFINE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#define PROBE_KIB     2048u
#define PROBE_SHARED  0x180000ull /* struct probe_shared, at this address */
#define PROBE_GRANTED 0x181000ull /* a page that probes grant */
#define PROBE_STACK   0x190000ull /* guard page, then two pages of stack */
#define PROBE_TABLES  0x1c0000ull /* four pages */
#define PROBE_TARGETS 16

struct probe_shared {
    uint64_t count; /* goes up while the guest runs */
    uint64_t wrong; /* results that were not what they had to be */
    uint64_t traps; /* trap handler entries */
    uint64_t upcalls;
    uint64_t port;                     /* that it made */
    uint64_t go;                       /* the host lets it go on */
    uint64_t target[PROBE_TARGETS][2]; /* address, bytes: to scribble over */
};

/* probe_race.c, in the guest. */
_Noreturn void probe_race(uint16_t self, unsigned long rounds,
                          unsigned long aperture);

/* probe_mail.c, in the guest. What is wrong is counted in `wrong`. */
void probe_mail_same(void);
void probe_mail_sweep(bool carries);
_Noreturn void probe_mail_vandal(unsigned long vcpu);

#endif
