/*
 * What the builder left at entry: start_info, shared_info, memory.
 */
#include <string.h>

#include "guest-kernel/kernel.h"
#include "guest-kernel/pages.h"
#include "guest-kernel/upcall.h"
#include "tests/guest/tap.h"

extern char image_start[], image_end[];

int main(void)
{
    const struct start_info *si = start_info;
    uintptr_t ram = si->nr_pages << PAGE_SHIFT;
    uintptr_t here = (uintptr_t)&here;

    plan(8);
    point(strncmp(si->magic, "xen-3.0", 7) == 0, "magic is Xen's: %s",
          si->magic);
    point((uintptr_t)si >= (uintptr_t)image_end && (uintptr_t)si < ram,
          "start_info lies behind the image");
    point((uintptr_t)image_start >= 0x100000, "the image is above 1 MiB");
    point((uintptr_t)shared_info >= ram && (uintptr_t)shared_info % 4096 == 0,
          "shared_info lies behind RAM");
    point(si->pt_base > (uintptr_t)si && si->pt_base < ram,
          "free memory begins behind the boot pages");
    point((si->flags & ~SIF_RINGSIDE_NO_FSBASE) == 0 && si->nr_pt_frames == 0,
          "no privileges");
    point(here >= si->pt_base && here < ram, "main has a stack of its own");
    point(memchr(si->cmd_line, 0, sizeof(si->cmd_line)) != NULL,
          "the command line ends");
    return done();
}
