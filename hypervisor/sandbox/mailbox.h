/*
 * Which hypercalls a mailbox may carry: those that are over when they return.
 *
 * A vCPU that asks by its mailbox is running, not stopped in a notification:
 * the hypervisor can neither give it a descriptor, nor know what its address
 * space is like, nor hold its answer back. So a call may be carried if it
 * needs none of that: it makes no port, changes no mapping, does not block, and
 * raises, lowers or ends nobody. A batch (multicall) can be of anything and
 * spreads the price of its notification by itself: it is not carried.
 *
 * The stub asks this table to guess, the hypervisor to decide, about its copy.
 */
#ifndef RINGSIDE_SANDBOX_MAILBOX_H
#define RINGSIDE_SANDBOX_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "xen_compat.h"

#define CMD(c) (1u << (c))

/* The commands (first argument) of hypercall nr that may be carried, as bits.
 */
static inline uint32_t mailbox_commands(unsigned int nr)
{
    switch (nr) {
    case __HYPERVISOR_xen_version:
        return ~0u;
    case __HYPERVISOR_console_io:
        return CMD(CONSOLEIO_write) | CMD(CONSOLEIO_read);
    case __HYPERVISOR_memory_op:
        return CMD(XENMEM_maximum_ram_page) | CMD(XENMEM_current_reservation) |
               CMD(XENMEM_maximum_reservation) | CMD(XENMEM_maximum_gpfn) |
               CMD(XENMEM_memory_map);
    case __HYPERVISOR_grant_table_op:
        return CMD(GNTTABOP_copy) | CMD(GNTTABOP_swap_grant_ref) |
               CMD(GNTTABOP_query_size) | CMD(GNTTABOP_set_version) |
               CMD(GNTTABOP_get_version);
    case __HYPERVISOR_event_channel_op:
        return CMD(EVTCHNOP_status);
    case __HYPERVISOR_vcpu_op:
        return CMD(VCPUOP_is_up) | CMD(VCPUOP_get_runstate_info);
    default:
        return 0;
    }
}

#undef CMD

static inline bool mailbox_carries(unsigned int nr, uint64_t cmd)
{
    return cmd < 32 && (mailbox_commands(nr) >> cmd & 1);
}

#endif
