/*
 * console_io: what a guest writes to its emergency console (console.h).
 */
#include <errno.h>
#include <limits.h>

#include "console.h"
#include "domain.h"
#include "hypercall.h"
#include "preempt.h"

/* Copied at a time; a continuation does the rest. */
#define WRITE_MAX 4096u
#define WRITE_COST                                             \
    (4 * PREEMPT_COST_SYSCALL) /* and it is shown byte by byte \
                                */

/*
 * HYPERVISOR_console_io(cmd, count, buffer). A write is bounded per call,
 * whatever the count says; like Xen, we take all of a valid buffer and answer
 * 0. A long one is preempted.
 */
long do_console_io(struct vcpu *v, const uint64_t args[6])
{
    unsigned int cmd = (unsigned int)args[0];
    unsigned int count = (unsigned int)args[1];
    char buf[WRITE_MAX];

    if (cmd != CONSOLEIO_write && !domain_is_privileged(v->domain))
        return -EPERM;
    if (cmd == CONSOLEIO_read)
        return count > INT_MAX ? -E2BIG : 0; /* there is no input */
    if (cmd != CONSOLEIO_write)
        return -ENOSYS;
    if (count > WRITE_MAX * 16)
        return -E2BIG;
    for (unsigned int at = 0; at < count; at += WRITE_MAX) {
        unsigned int n = count - at < WRITE_MAX ? count - at : WRITE_MAX;

        if (preempt_check(v, WRITE_COST) && at)
            return preempt_continue(v, cmd, count - at, args[2] + at);
        if (copy_from_guest(v, buf, guest_addr(args[2] + at), n))
            return -EFAULT;
        console_write(v->domain, buf, n);
    }
    return 0;
}
