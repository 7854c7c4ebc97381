/*
 * Xen's error numbers as the C library's. See kernel.h.
 */
#include <errno.h>
#include <stddef.h>

#include "guest-kernel/kernel.h"

static const struct {
    int xen, libc;
} differing[] = {
    { XEN_EDEADLK, EDEADLK },
    { XEN_ENAMETOOLONG, ENAMETOOLONG },
    { XEN_ENOSYS, ENOSYS },
    { XEN_ENOTEMPTY, ENOTEMPTY },
    { XEN_ENODATA, ENODATA },
    { XEN_ETIME, ETIME },
    { XEN_EBADMSG, EBADMSG },
    { XEN_EOVERFLOW, EOVERFLOW },
    { XEN_EILSEQ, EILSEQ },
    { XEN_EOPNOTSUPP, EOPNOTSUPP },
    { XEN_EADDRINUSE, EADDRINUSE },
    { XEN_EADDRNOTAVAIL, EADDRNOTAVAIL },
    { XEN_ENOBUFS, ENOBUFS },
    { XEN_EISCONN, EISCONN },
    { XEN_ENOTCONN, ENOTCONN },
    { XEN_ETIMEDOUT, ETIMEDOUT },
    { XEN_ECONNREFUSED, ECONNREFUSED },
};

int errno_from_xen(long result)
{
    if (result >= -34)
        return (int)result;
    for (size_t i = 0; i < sizeof(differing) / sizeof(differing[0]); i++)
        if (differing[i].xen == -result)
            return -differing[i].libc;
    return -EIO;
}
