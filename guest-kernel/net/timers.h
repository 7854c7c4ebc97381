/*
 * The network's timers beyond lwip/timeouts.h: what starts them. The caller
 * has the core lock.
 */
#ifndef RINGSIDE_NET_TIMERS_H
#define RINGSIDE_NET_TIMERS_H

#include <stdbool.h>

/* A frame came or goes: tables that age do so for a while. */
void net_timers_traffic(void);

/* DHCP was started or a link came back. */
void net_timers_dhcp(void);

/* By net.c: the network thread looks at its timeouts again. */
void net_thread_wake(void);

#endif
