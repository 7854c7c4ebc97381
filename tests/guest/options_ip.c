/*
 * An address that cannot be is told when the network is to start, which fails.
 *
 * run-guest: --extra="ip=10.0.0.2/24,10.0.0.300"
 * run-guest-expect: 3 ip=10.0.0.2/24,10.0.0.300 is wrong, so that card
 */
#include <errno.h>
#include <ringside/net.h>

int main(void)
{
    return rs_net_up(0) == -EINVAL && rs_net_up(0) == -EINVAL ? 3 : 1;
}
