/*
 * The tar index on arbitrary bytes: it accepts or refuses, and what it accepts
 * can be walked, looked up and lies inside the archive.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "guest-kernel/fs/tar_index.h"

struct input {
    const uint8_t *data;
    size_t size;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int input_read(void *ctx, uint64_t offset, void *buf, size_t len)
{
    const struct input *in = ctx;

    assert(offset <= in->size && len <= in->size - offset);
    memcpy(buf, in->data + offset, len);
    return 0;
}

/* Repairs the checksums, so that mutations get past them. */
static void mend(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + TAR_BLOCK <= size; at += TAR_BLOCK) {
        struct tar_header *h = (struct tar_header *)(data + at);
        unsigned int sum = 0;

        if (h->checksum[7] != '*')
            continue;
        memset(h->checksum, ' ', sizeof(h->checksum));
        for (size_t i = 0; i < sizeof(*h); i++)
            sum += data[at + i];
        for (int i = 5; i >= 0; i--, sum /= 8)
            h->checksum[i] = (char)('0' + sum % 8);
        h->checksum[6] = '\0';
    }
}

static void walk(const struct tar *t, const struct tar_member *dir, size_t size,
                 unsigned int depth)
{
    const struct tar_member *m = NULL, *found;

    assert(depth < TAR_PATH_MAX);
    while ((m = tar_next(t, dir, m))) {
        assert(tar_lookup(t, m->path, 0, &found) == 0 && found == m);
        assert((m->target != NULL) == (m->type == TAR_SYMLINK));
        if (m->type == TAR_FILE)
            assert(m->offset <= size && m->size <= size - m->offset);
        if (m->type == TAR_SYMLINK)
            (void)tar_lookup(t, m->path, 1, &found);
        if (m->type == TAR_DIRECTORY)
            walk(t, m, size, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t copy[1 << 17];
    struct input in = { copy, size };
    const struct tar_member *root;
    char why[100] = "";
    struct tar *t;

    if (size > sizeof(copy))
        return 0;
    memcpy(copy, data, size);
    mend(copy, size);
    if (tar_open(input_read, &in, size, &t, why, sizeof(why))) {
        assert(why[0]);
        return 0;
    }
    assert(tar_lookup(t, "/", 1, &root) == 0);
    walk(t, root, size, 0);
    tar_close(t);
    return 0;
}
