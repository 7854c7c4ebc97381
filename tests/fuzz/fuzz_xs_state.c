/*
 * The file that carries a store through a live update, broken in any way: it
 * is refused, or makes a store; nothing of it is left afterwards.
 */
#include <stdlib.h>

#include "state/state.h"
#include "tree/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int any_daemon(void *ctx, const struct state_daemon *d, char *why)
{
    (void)ctx;
    (void)d;
    (void)why;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[STATE_WHY_MAX];

    (void)state_check(data, size, any_daemon, NULL, why);
    if (node_stats.nodes || node_stats.bytes)
        abort();
    return 0;
}
