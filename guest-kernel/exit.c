/*
 * The end of a guest that ends by itself.
 */
#include "guest-kernel/console.h"
#include "guest-kernel/kernel.h"
#include "libhypercall/hypercall.h"

_Noreturn void kernel_exit(int status)
{
    console_flush();
    console_flush_error();
    for (;;)
        hypercall_shutdown(SHUTDOWN_poweroff, (unsigned int)status);
}
