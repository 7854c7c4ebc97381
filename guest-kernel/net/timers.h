/*
 * The network's timers beyond lwip/timeouts.h: what starts them. The caller
 * has the core lock, except where it says otherwise.
 */
#ifndef RINGSIDE_NET_TIMERS_H
#define RINGSIDE_NET_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct pbuf;

/* A frame is about to be handed to lwIP. */
void net_timers_receives(void);
/* One goes; if it is a question, it may have to be repeated. */
void net_timers_sends(const struct pbuf *frame);
/* A name is looked up, also if no frame can be sent. Takes the core lock. */
void net_timers_resolve(void);

/*
 * The retransmission timer of a connection, as it was started or started anew,
 * is up in so many ms: net_rtx_run() is called then.
 */
void net_timers_rtx(uint32_t ms);
/* By recovery.c: does what is due; returns in how many ms to call it again, or
 * SYS_TIMEOUTS_SLEEPTIME_INFINITE. */
uint32_t net_rtx_run(void);

/* DHCP was started or a link came back. */
void net_timers_dhcp(void);

/* By net.c: the network thread looks at its timeouts again. */
void net_thread_wake(void);

#endif
