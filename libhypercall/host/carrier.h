/*
 * The host's carrier: hypercalls over the control socket (see libclient/host.h).
 *
 * A process has at most one connection, as a guest has one hypercall page;
 * without a connection every call answers -ENOTCONN. Structures travel by
 * value: `size` bytes there, `size` bytes back; nested addresses cannot be
 * carried, and calls that need them answer -EINVAL.
 */
#ifndef RINGSIDE_HOST_CARRIER_H
#define RINGSIDE_HOST_CARRIER_H

#include <stddef.h>

long hypercall_op(unsigned int nr, unsigned int cmd, void *arg, size_t size);
long hypercall_op_n(unsigned int nr, unsigned int cmd, void *arg, size_t size,
                    unsigned int n);

#endif
