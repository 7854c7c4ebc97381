/*
 * The kernel's own odds and ends: the ways a guest ends, and boot's results.
 */
#ifndef RINGSIDE_GUEST_KERNEL_H
#define RINGSIDE_GUEST_KERNEL_H

#include <stdint.h>

#include "xen_compat.h"

/* As the builder left it. */
extern const struct start_info *start_info;

/* Flushes the console and powers the domain off with an exit status. */
_Noreturn void kernel_exit(int status);

/*
 * A bug: reports where it happened, with a backtrace, and ends the domain
 * with SHUTDOWN_crash. Any context.
 */
_Noreturn void kernel_panic(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* assert() that needs no stdio, for the kernel itself. */
#define kernel_assert(cond)                                                 \
    do {                                                                    \
        if (!(cond))                                                        \
            kernel_panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, \
                         #cond);                                            \
    } while (0)

/*
 * A hypercall's result with the C library's errno numbers: newlib's differ
 * from Xen's (which are Linux's) above 34. Results >= 0 stay.
 */
int errno_from_xen(long result);

/*
 * EBX of CPUID leaf 7, 0 if there is none. The processor is asked once: in a
 * virtual machine each time costs microseconds.
 */
uint32_t cpuid7_ebx(void);

/* Watches control/shutdown in the store: poweroff, halt → exit(0). */
void shutdown_watch_start(void);

#endif
