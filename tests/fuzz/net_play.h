/*
 * Frames for a guest's stack out of bytes: peers that keep track of their
 * connections, so that every state is reached, and break every rule in it. The
 * same bytes make the same frames for a stack in this process (fuzz_stack.c)
 * and for a guest on a TAP device (tests/system/frames.c).
 */
#ifndef RINGSIDE_TEST_NET_PLAY_H
#define RINGSIDE_TEST_NET_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the bytes are read from. At their end, zeros are read. */
struct net_bytes {
    const uint8_t *at, *end;
};

uint32_t net_byte(struct net_bytes *b);
/* Below n, out of two bytes. */
uint32_t net_below(struct net_bytes *b, uint32_t n);

struct net_play {
    uint32_t guest, server; /* addresses */
    void (*give)(const void *frame, size_t n);
    uint64_t frames; /* how many were given */
};

/* All connections are forgotten. */
void net_play_reset(struct net_play *p);

/* Gives one frame, or a few that belong together. */
void net_play_step(struct net_play *p, struct net_bytes *b);

/* A frame that the guest sent: sequence numbers, questions. */
void net_play_saw(struct net_play *p, const unsigned char *frame, size_t n);

#endif
