/*
 * The machine as it is from boot on: what the hypervisor handed over, and what
 * the processor can do.
 */
#include <cpuid.h>
#include <stdbool.h>

#include "guest-kernel/kernel.h"
#include "guest-kernel/upcall.h"

const struct start_info *start_info;
struct shared_info *shared_info;

uint32_t cpuid7_ebx(void)
{
    static bool asked;
    static unsigned int ebx;
    unsigned int a, b, c, d;

    if (!asked && __get_cpuid_count(7, 0, &a, &b, &c, &d))
        ebx = b;
    asked = true;
    return ebx;
}
