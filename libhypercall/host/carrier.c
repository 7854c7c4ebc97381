/* See carrier.h. */
#include <errno.h>

#include "carrier.h"
#include "ringside/client.h"

static struct rs_client *carrier;

void hypercall_carry_over(struct rs_client *client)
{
    carrier = client;
}

long hypercall_op(unsigned int nr, unsigned int cmd, void *arg, size_t size)
{
    return hypercall_op_n(nr, cmd, arg, size, 1);
}

long hypercall_op_n(unsigned int nr, unsigned int cmd, void *arg, size_t size,
                    unsigned int n)
{
    return carrier ? rs_client_hypercall(carrier, nr, cmd, arg, size, n)
                   : -ENOTCONN;
}
