/*
 * lwIP as a guest has it, in this process: our options, our patches, our
 * timers. A test hands it frames, sees what it sends, and lets time pass. There
 * is one thread. A socket call that waits for its connection (close(), send())
 * lets time pass until it is done; one that waits for data must not.
 */
#ifndef RINGSIDE_TEST_NET_STACK_H
#define RINGSIDE_TEST_NET_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The guest is 10.9.0.2/24 with gateway and name server 10.9.0.1. */
#define NET_GUEST_IP  0x0a090002u
#define NET_SERVER_IP 0x0a090001u

/* What to do when the stack asserts: does not return. */
typedef void net_bug_fn(const char *what, const char *file, int line);

/* Starts the stack of a guest of so many bytes; the first call counts. */
void net_stack_start(size_t guest_memory, net_bug_fn *bug);

/* A card page instead of copied memory holds frames of 512 bytes and more. */
extern bool net_stack_pages;
/* The first buffer of a wrapped frame ends there: a page, or less. */
extern size_t net_stack_first;
/* How many such pages lwIP has; a guest's card has 256. */
extern unsigned int net_stack_pages_held;

/* The stack receives a frame. */
void net_stack_receive(const void *frame, size_t n);

/*
 * The oldest frame that the stack has sent and that was not taken yet: copies
 * at most n bytes and returns its length, or 0. ARP is answered underneath, if
 * net_stack_answers_arp.
 */
size_t net_stack_sent(void *frame, size_t n);
extern bool net_stack_answers_arp;
/* Forgets what was sent. */
void net_stack_forget(void);

/* Time passes, in steps. */
#define NET_STACK_TICK_MS 50
void net_stack_pass(unsigned int ms);

/*
 * What other threads do while a call waits, if not NULL: called again and again
 * until what it waits for is there, and then once with `over`, before the call
 * goes on.
 */
extern void (*net_stack_meanwhile)(bool over);

/* As it was started: address, link, random numbers; tables stay. */
void net_stack_reset(void);

/* How often LWIP_PACKET_ERROR() was reached. */
extern unsigned long net_stack_packet_errors;

#endif
