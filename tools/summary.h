/*
 * What `run` and `create` tell about a guest on standard error.
 */
#ifndef RINGSIDE_TOOLS_SUMMARY_H
#define RINGSIDE_TOOLS_SUMMARY_H

#include "guest.h"

/* Name, memory, devices, where its ports are, how to stop it. */
void summary_start(const struct guest *g, const char *stop);

/* "web: all devices connected 4.1 ms after its start". */
void summary_connected(const struct guest *g,
                       const struct rs_domain_info *info);

/* How it ended. ran_ns: how long it was there. */
void summary_end(const struct guest *g, enum guest_end end,
                 const struct rs_domain_info *info);

/* Why it crashed, in words. */
const char *crash_reason(const struct rs_domain_info *info);

#endif
