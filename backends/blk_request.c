/* See blk_request.h. */
#include <errno.h>
#include <stddef.h>

#include "blk_request.h"

/* The x86-64 protocol: what both ends must agree about. */
_Static_assert(sizeof(struct blkif_request) == 112, "blkif_request");
_Static_assert(offsetof(struct blkif_request, id) == 8, "blkif id");
_Static_assert(offsetof(struct blkif_request, seg) == 24, "blkif seg");
_Static_assert(sizeof(struct blkif_request_segment) == 8, "blkif segment");
_Static_assert(sizeof(struct blkif_response) == 16, "blkif_response");
_Static_assert(offsetof(struct blkif_request_discard, id) == 8, "discard id");
_Static_assert(offsetof(struct blkif_request_indirect, id) == 8, "indirect id");
_Static_assert(sizeof(struct blkif_request_indirect) <=
                   sizeof(struct blkif_request),
               "indirect requests fit into a slot");

static int parse_indirect(const struct blkif_request *slot,
                          const struct blk_limits *limits,
                          struct blk_request *r)
{
    struct blkif_request_indirect in;

    memcpy(&in, slot, sizeof(in));
    if (!limits->max_indirect)
        return -EOPNOTSUPP;
    if (in.indirect_op != BLKIF_OP_READ && in.indirect_op != BLKIF_OP_WRITE)
        return -EINVAL;
    if (in.nr_segments == 0 || in.nr_segments > limits->max_indirect ||
        in.nr_segments > BLK_MAX_INDIRECT_SEGMENTS)
        return -EINVAL;
    r->action = in.indirect_op == BLKIF_OP_READ ? BLK_READ : BLK_WRITE;
    r->sector = in.sector_number;
    r->n_segments = in.nr_segments;
    r->n_indirect = (unsigned int)((r->n_segments + BLK_SEGS_PER_INDIRECT - 1) /
                                   BLK_SEGS_PER_INDIRECT);
    memcpy(r->indirect, in.indirect_grefs,
           r->n_indirect * sizeof(r->indirect[0]));
    return 0;
}

static int parse_discard(const struct blkif_request *slot,
                         const struct blk_limits *limits, struct blk_request *r)
{
    struct blkif_request_discard discard;

    memcpy(&discard, slot, sizeof(discard));
    if (!limits->can_discard || limits->read_only)
        return -EOPNOTSUPP;
    /* We never offer discard-secure: OKAY would promise what is not done. */
    if (discard.flag & BLKIF_DISCARD_SECURE)
        return -EOPNOTSUPP;
    r->action = BLK_DISCARD;
    r->sector = discard.sector_number;
    r->sectors = discard.nr_sectors;
    return r->sectors ? 0 : -EINVAL;
}

static int parse_direct(const struct blkif_request *slot, struct blk_request *r)
{
    r->sector = slot->sector_number;
    r->n_segments = slot->nr_segments;
    if (r->n_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        return -EINVAL;
    /* An empty barrier is one without data; an empty read is a mistake. */
    return r->n_segments || r->action == BLK_BARRIER ? 0 : -EINVAL;
}

int blk_request_parse(const struct blkif_request *slot,
                      const struct blk_limits *limits, struct blk_request *r)
{
    int err;

    r->id = slot->id;
    r->operation = slot->operation;
    r->sectors = 0;
    r->n_segments = 0;
    r->n_indirect = 0;
    switch (slot->operation) {
    case BLKIF_OP_READ:
        r->action = BLK_READ;
        return parse_direct(slot, r);
    case BLKIF_OP_WRITE:
        r->action = BLK_WRITE;
        err = parse_direct(slot, r);
        break;
    case BLKIF_OP_WRITE_BARRIER:
        r->action = BLK_BARRIER;
        err = parse_direct(slot, r);
        break;
    case BLKIF_OP_FLUSH_DISKCACHE:
        r->action = BLK_FLUSH;
        return slot->nr_segments ? -EINVAL : 0;
    case BLKIF_OP_DISCARD:
        return parse_discard(slot, limits, r);
    case BLKIF_OP_INDIRECT:
        err = parse_indirect(slot, limits, r);
        break;
    default:
        return -EOPNOTSUPP;
    }
    if (!err && r->action != BLK_READ && limits->read_only)
        return -EINVAL;
    return err;
}

int blk_request_add_segments(struct blk_request *r,
                             const struct blkif_request_segment *segs,
                             unsigned int n, struct blk_segment *out)
{
    for (unsigned int i = 0; i < n; i++) {
        unsigned int first = segs[i].first_sect, last = segs[i].last_sect;

        if (first > last || last >= BLK_SECTORS_PER_PAGE)
            return -EINVAL;
        out[i].gref = segs[i].gref;
        out[i].offset = (uint16_t)(first << BLK_SECTOR_SHIFT);
        out[i].length = (uint16_t)((last - first + 1) << BLK_SECTOR_SHIFT);
        r->sectors += last - first + 1;
    }
    return 0;
}

int blk_request_check_range(const struct blk_request *r,
                            const struct blk_limits *limits)
{
    if (r->action == BLK_FLUSH || (r->action == BLK_BARRIER && !r->sectors))
        return 0;
    if (r->sector > limits->sectors || r->sectors > limits->sectors - r->sector)
        return -EINVAL;
    return 0;
}
