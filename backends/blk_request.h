/*
 * Requests of <xen/io/blkif.h>, checked.
 *
 * Input is a private copy of what a guest wrote; output is something that can
 * be done without looking at it again: every segment inside its page, all
 * bytes inside the disk, every count inside its array. No I/O, no grants,
 * no allocation here, so that it can be tested and fuzzed by itself.
 */
#ifndef RINGSIDE_BACKENDS_BLK_REQUEST_H
#define RINGSIDE_BACKENDS_BLK_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "xen_compat.h"

#include <string.h>
#include <xen/io/blkif.h>

#define BLK_SECTOR_SHIFT      9
#define BLK_SECTORS_PER_PAGE  8
#define BLK_SEGS_PER_INDIRECT (PAGE_SIZE / sizeof(struct blkif_request_segment))

/* The protocol's limit; what we offer is in struct blk_limits. */
#define BLK_MAX_INDIRECT_SEGMENTS \
    (BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST * BLK_SEGS_PER_INDIRECT)

/* What the disk can do. */
struct blk_limits {
    uint64_t sectors;          /* of 512 bytes */
    unsigned int max_indirect; /* segments; 0: no indirect requests */
    bool read_only;
    bool can_discard;
};

enum blk_action {
    BLK_READ,
    BLK_WRITE,
    BLK_FLUSH,
    BLK_BARRIER, /* a write (perhaps of nothing) that is a barrier */
    BLK_DISCARD,
};

struct blk_segment {
    grant_ref_t gref;
    uint16_t offset, length; /* bytes in the page; length > 0 */
};

struct blk_request {
    uint64_t id;       /* to be echoed */
    uint8_t operation; /* to be echoed */
    enum blk_action action;
    uint64_t sector;
    uint64_t sectors;        /* of all segments added so far, or to discard */
    unsigned int n_segments; /* that the request has */
    unsigned int n_indirect; /* pages with segments; 0: they are in the slot */
    grant_ref_t indirect[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
};

/*
 * Decodes a slot. Returns 0, -EOPNOTSUPP (an operation that we do not offer)
 * or -EINVAL (nonsense); id and operation are valid in any case.
 */
int blk_request_parse(const struct blkif_request *slot,
                      const struct blk_limits *limits, struct blk_request *r);

/*
 * Checks n segments, copied from the slot or from an indirect page, writes
 * them to out[0..n-1] and counts their sectors. -EINVAL.
 */
int blk_request_add_segments(struct blk_request *r,
                             const struct blkif_request_segment *segs,
                             unsigned int n, struct blk_segment *out);

/* After all segments: is it all inside the disk? -EINVAL. */
int blk_request_check_range(const struct blk_request *r,
                            const struct blk_limits *limits);

#endif
