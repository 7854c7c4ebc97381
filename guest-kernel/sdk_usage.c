/*
 * <ringside/guest.h>: what is in use, of everything that can leak.
 */
#include <ringside/guest.h>

#include "guest-kernel/events.h"
#include "guest-kernel/grants.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/thread.h"

void rs_usage(struct rs_usage *out)
{
    *out = (struct rs_usage){
        .pages_free = pages_free_count(),
        .grants = grant_used_count(),
        .events = event_count(),
        .threads = thread_count(),
    };
}
