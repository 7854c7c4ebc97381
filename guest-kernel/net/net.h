/*
 * The network stack inside the guest kernel: how its files call each other.
 */
#ifndef RINGSIDE_NET_NET_H
#define RINGSIDE_NET_NET_H

#include <stdbool.h>
#include <stdint.h>

struct netfront;
struct netif;
struct tcpip_callback_msg;

/*
 * Starts lwIP with its loopback interface, once; then the cards, and again
 * those that could not be started before. Their addresses come later. 0 if the
 * first one is there, or -errno; the loopback works anyway.
 */
int net_start(void);

/* sys_arch.c: has the network's thread begin, if it did not. False: there is no
 * memory for it. */
bool net_thread_start(void);

/* By socket.c and resolve.c: net_start(), and the first time waits for an
 * address. 0, or -ENOMEM: there is no stack, and no call must be made of it. */
int net_want(void);

/* ---- ethif.c: the card as an interface of lwIP ---- */

/* Finds the card device/vif/<devid> and adds it; the first becomes the default
 * route. 0 or -errno: it can be tried again. */
int ethif_add(struct netif *netif, unsigned int devid);

/* What is under such an interface. */
struct netfront *ethif_netfront(const struct netif *netif);

/*
 * Has a message's function called in the network's thread. Any context. False:
 * too many messages wait there.
 */
bool net_post(struct tcpip_callback_msg *msg);

#endif
