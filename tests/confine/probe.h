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
#define PROBE_SLOTS   0x1d0000ull /* a struct probe_slot for each vCPU */
#define PROBE_ARGS    0x1d1000ull /* a page for each vCPU */
#define PROBE_RAM     0x1e0000ull /* PROBE_RAM_PAGES that nothing else uses */
#define PROBE_TARGETS 16

#define PROBE_RAM_PAGES 16u

struct probe_shared {
    uint64_t count; /* goes up while the guest runs */
    uint64_t wrong; /* results that were not what they had to be */
    uint64_t traps; /* trap handler entries */
    uint64_t upcalls;
    uint64_t port;                     /* that it made */
    uint64_t go;                       /* the host lets it go on */
    uint64_t target[PROBE_TARGETS][2]; /* address, bytes: to scribble over */
};

/* What a puppet is to do, and what came of it. */
struct probe_slot {
    uint64_t asked, done; /* numbers: it is to do one, it has done one */
    uint64_t int80;       /* by `int 0x80`, else by `syscall` */
    uint64_t nr, args[6];
    int64_t ret;
};

/* probe_puppet.c, in the guest. */
/* Runs fn(arg) with all signals blocked and without a signal stack. */
_Noreturn void probe_run_deaf(void (*fn)(unsigned long), unsigned long arg,
                              unsigned long stack);
/* Does system calls as the host says, for ever. */
_Noreturn void probe_puppet(unsigned long vcpu);

/* probe_race.c, in the guest. */
_Noreturn void probe_race(uint16_t self, unsigned long rounds,
                          unsigned long aperture);

/* probe_mail.c, in the guest. What is wrong is counted in `wrong`. */
void probe_mail_same(void);
void probe_mail_sweep(bool carries);
_Noreturn void probe_mail_vandal(unsigned long vcpu);

#endif
