/*
 * Buffers for block I/O without copying: pages that stay granted for as long as
 * the caller has them, so that a request only names them.
 */
#include "frontends/blkfront.h"

#include <stdlib.h>

static size_t bytes_of(const struct blkfront_buffer *buffer)
{
    return buffer->n_pages * PAGE_SIZE;
}

const struct blkfront_buffer *blkfront_buffer_of(const struct rs_blk *b,
                                                 const struct rs_blk_io *io)
{
    uintptr_t at = (uintptr_t)io->buf;
    const struct blkfront_buffer *buffer = b->buffers;
    uint64_t pages;

    if (!buffer || (io->op != RS_BLK_READ && io->op != RS_BLK_WRITE) ||
        at % RS_BLK_SECTOR)
        return NULL;
    while (buffer && (at < (uintptr_t)buffer->base ||
                      at - (uintptr_t)buffer->base >= bytes_of(buffer)))
        buffer = buffer->next;
    if (!buffer || io->sectors * RS_BLK_SECTOR >
                       bytes_of(buffer) - (at - (uintptr_t)buffer->base))
        return NULL;
    pages = (at % PAGE_SIZE + io->sectors * RS_BLK_SECTOR + PAGE_SIZE - 1) /
            PAGE_SIZE;
    return pages <= BLKFRONT_SEGMENTS ? buffer : NULL;
}

static void buffer_free(struct blkfront_buffer *buffer)
{
    for (size_t i = 0; i < buffer->n_pages; i++) {
        char *page = buffer->base + i * PAGE_SIZE;

        if (buffer->ref[i] == GRANT_REF_NONE)
            pages_free(page, 1);
        else
            grant_end_and_free(buffer->ref[i], page);
    }
    free(buffer);
}

void *rs_blk_buffer_alloc(struct rs_blk *b, size_t bytes)
{
    IN_KERNEL();
    size_t n = pages_for(bytes);
    struct blkfront_buffer *buffer;
    bool was;
    int err = 0;

    buffer = calloc(1, sizeof(*buffer) + n * sizeof(buffer->ref[0]));
    if (!buffer)
        return NULL;
    buffer->base = pages_alloc_zeroed(n);
    if (!buffer->base) {
        free(buffer);
        return NULL;
    }
    buffer->n_pages = n;
    for (size_t i = 0; i < n && !err; i++)
        err = grant_access(b->backend_id, buffer->base + i * PAGE_SIZE, false,
                           &buffer->ref[i]);
    if (err) {
        buffer_free(buffer);
        return NULL;
    }
    was = upcalls_mask();
    buffer->next = b->buffers;
    b->buffers = buffer;
    upcalls_restore(was);
    return buffer->base;
}

void rs_blk_buffer_free(struct rs_blk *b, void *buf)
{
    IN_KERNEL();
    bool was = upcalls_mask();
    struct blkfront_buffer **p = &b->buffers, *buffer;

    while (*p && (*p)->base != buf)
        p = &(*p)->next;
    buffer = *p;
    if (buffer)
        *p = buffer->next;
    upcalls_restore(was);
    if (buffer)
        buffer_free(buffer);
}

void blkfront_free_buffers(struct rs_blk *b)
{
    while (b->buffers)
        rs_blk_buffer_free(b, b->buffers->base);
}
