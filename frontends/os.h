/*
 * What the frontends ask of the kernel that they are linked with: the one
 * header of it that this folder includes. The kernel, for its part, includes
 * no header of this folder but consfront.h, netfront.h and <ringside/blk.h>.
 *
 * Here by subject, with the header that has the contracts:
 */
#ifndef RINGSIDE_FRONTENDS_OS_H
#define RINGSIDE_FRONTENDS_OS_H

/* clock_now() */
#include "guest-kernel/clock.h"
/* console_report(): a line in the domain's log, from any context */
#include "guest-kernel/console.h"
/* Ports with handlers, event_notify() */
#include "guest-kernel/events.h"
/* Pages that the backend may use: grant_access(), grant_end_and_free() */
#include "guest-kernel/grants.h"
/* struct poller: a ring that the idle loop polls */
#include "guest-kernel/idle.h"
/* invariant() */
#include "guest-kernel/invariant.h"
/* Pages to grant */
#include "guest-kernel/pages.h"
/* Threads, and what they wait on */
#include "guest-kernel/thread.h"
/* upcalls_mask(): what an event handler changes too */
#include "guest-kernel/upcall.h"
/* IN_KERNEL(): at the beginning of what programs call */
#include "guest-kernel/vcpu.h"
/* The store: nodes, watches, the states of both ends */
#include "guest-kernel/xenbus.h"

#endif
