/*
 * netfront: a virtual network card of this guest, <xen/io/netif.h>.
 *
 * Frames lie in two pools of pages that are granted to the backend once and
 * for all (feature-persistent), so that traffic needs no hypercall but
 * the event that wakes a sleeping backend. The card's own thread connects to
 * the backend, and again whenever the backend went away and came back; frames
 * on their way are lost then, as on a wire.
 *
 * One thread at a time may be inside the calls below (the network stack's lock
 * sees to that), except netfront_release().
 */
#ifndef RINGSIDE_NETFRONT_H
#define RINGSIDE_NETFRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netfront;

#define NETFRONT_PAGES      256 /* in each pool, as many as the rings have slots */
#define NETFRONT_PIECES_MAX 18 /* pages of one frame */

/* A part of a received frame: a whole page or the end of the frame. */
struct netfront_piece {
    void *data;
    unsigned int len;
    unsigned int page; /* for netfront_release() */
};

struct netfront_user {
    /*
     * Frames have come, or the card can send again: somebody should call
     * netfront_poll(). In upcall context, perhaps repeatedly.
     */
    void (*wake)(void *arg);
    /*
     * From netfront_poll(): a frame of n pieces, len bytes in all. The pieces
     * belong to the user until it releases each of them. checked: no need to
     * verify TCP and UDP checksums.
     */
    void (*receive)(void *arg, const struct netfront_piece *pieces,
                    unsigned int n, size_t len, bool checked);
    /* The card was connected or lost its backend. In the card's thread. */
    void (*link)(void *arg, bool up);
    void *arg;
};

/*
 * Starts card `devid` (device/vif/<devid>). It lives as long as the guest.
 * -ENODEV: there is no such card; -ENOMEM; or an error of the store.
 */
int netfront_start(unsigned int devid, const struct netfront_user *user,
                   struct netfront **out);

void netfront_mac(const struct netfront *nf, uint8_t mac[6]);
/* The largest packet without the Ethernet header; known when connected. */
unsigned int netfront_mtu(const struct netfront *nf);

/* Hands frames that have come to receive(). */
void netfront_poll(struct netfront *nf);

/* Gives a received page back to the card. */
void netfront_release(struct netfront *nf, unsigned int page);

/*
 * True: so many received pages are with the user that the card runs short of
 * them; the user should copy what it keeps and release.
 */
bool netfront_short_of_pages(const struct netfront *nf);

/*
 * Sends a frame of len bytes: begin, then append all of it in order, then end.
 * begin waits for a while when the ring is full: -ENOBUFS; -ENETDOWN: not
 * connected; -EMSGSIZE. The other calls cannot fail. TCP and UDP checksums are
 * left to the backend.
 */
int netfront_send_begin(struct netfront *nf, size_t len);
void netfront_send_append(struct netfront *nf, const void *data, size_t n);
void netfront_send_end(struct netfront *nf);

#endif
