/*
 * The far end of a guest's TAP device, as a raw socket, and one TCP connection
 * over it that keeps the rules. Addresses are those of tests/unit/net_stack.h.
 */
#ifndef RINGSIDE_TEST_FRAMES_WIRE_H
#define RINGSIDE_TEST_FRAMES_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_GUEST  0x0a090002u
#define WIRE_SERVER 0x0a090001u
#define WIRE_CLIENT                                           \
    0x0a0900c9u /* who connects here; frames_guest.c knows it \
                 */

/* Is told each frame of the guest's, after ARP was answered. */
typedef void wire_saw_fn(const unsigned char *frame, size_t n);

/* A socket on that device; ends the program when there is none. */
void wire_open(const char *device, wire_saw_fn *saw);

/*
 * Sends a frame, after the frames of the guest that are there were read. False
 * if the device takes no frame of this length.
 */
bool wire_send(const void *frame, size_t n);

/* Reads what the guest sent; waits at most so many ms for the first frame. */
void wire_read(int ms);

/*
 * Returns when the guest's stack has had all frames so far, which it shows by
 * answers to ARP. False if it gives none for a minute.
 */
bool wire_flush(void);

/* A connection from WIRE_CLIENT to port 80. */
struct wire_connection {
    uint16_t port, window;
    uint32_t seq, ack; /* what is sent next, and acknowledged */
    uint32_t seen;     /* what the guest sends next */
    bool open, reset;
    unsigned char got[16]; /* the first bytes */
    size_t got_n;          /* how many there were in all */
};

/* A try: a SYN from a port of its own, with these options. */
bool wire_connect(struct wire_connection *c, uint16_t window,
                  const void *options, size_t options_n);

/* A segment, `ahead` beyond what was sent. Numbers do not advance. */
void wire_send_segment(const struct wire_connection *c, uint8_t flags,
                       uint32_t ahead, const void *options, size_t options_n,
                       const void *data, size_t n);

/* Waits until so many bytes came in all; false if not within so many ms. */
bool wire_await(const struct wire_connection *c, size_t n, int ms);

/* The guest accepts a connection and repeats what is sent on it. One try. */
bool wire_served(void);

#endif
