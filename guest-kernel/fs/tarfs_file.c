/*
 * Reading a file of a tar archive, ahead of the program.
 *
 * A file is read in chunks, each one request to the disk. While the program
 * handles one chunk the disk reads the next ones, so that streaming a file
 * keeps disk and network busy at once. Chunk i lives in slot i % CHUNKS.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-kernel/fs/tarfs.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/upcall.h"

#define CHUNKS      3
#define CHUNK_BYTES ((uint64_t)RS_BLK_IO_SECTORS * RS_BLK_SECTOR)

struct chunk {
    struct rs_blk_io io;
    uint64_t index;
    bool valid; /* index is what it holds, or will when not busy */
    bool busy;  /* the disk has it */
    int err;
    char *data;
};

struct tar_file {
    struct tarfs *fs;
    const struct tar_member *member;
    uint64_t next; /* where a sequential read would go on */
    struct mutex lock;
    struct wait_queue done;
    struct chunk chunks[CHUNKS];
};

static uint64_t chunk_bytes(const struct tar_file *t, uint64_t index)
{
    uint64_t rest = t->member->size - index * CHUNK_BYTES;

    return rest < CHUNK_BYTES ? rest : CHUNK_BYTES;
}

/* In upcall context. */
static void chunk_done(struct rs_blk_io *io, int err)
{
    struct chunk *c = container_of(io, struct chunk, io);
    struct tar_file *t = io->arg;

    c->err = err;
    c->busy = false;
    wait_queue_wake_all(&t->done);
}

static void chunk_wait(struct tar_file *t, struct chunk *c)
{
    wait_event(&t->done, !READ_ONCE(c->busy), NEVER);
}

/* Has chunk `index` read into its slot, unless it is there already. */
static int chunk_start(struct tar_file *t, uint64_t index)
{
    struct chunk *c = &t->chunks[index % CHUNKS];
    uint64_t sectors =
        (chunk_bytes(t, index) + RS_BLK_SECTOR - 1) / RS_BLK_SECTOR;
    int err;

    if (c->valid && c->index == index)
        return 0;
    chunk_wait(t, c);
    c->valid = false;
    if (!c->data)
        c->data = malloc(t->member->size < CHUNK_BYTES ? sectors * RS_BLK_SECTOR
                                                       : CHUNK_BYTES);
    if (!c->data)
        return -ENOMEM;
    c->index = index;
    c->err = 0;
    c->io = (struct rs_blk_io){
        .op = RS_BLK_READ,
        .sector = t->member->offset / RS_BLK_SECTOR + index * RS_BLK_IO_SECTORS,
        .sectors = sectors,
        .buf = c->data,
        .done = chunk_done,
        .arg = t,
    };
    c->valid = c->busy = true;
    err = rs_blk_submit(t->fs->disk, &c->io);
    if (err)
        c->valid = c->busy = false;
    return err;
}

/* Copies out of one chunk what is wanted of it; how much, or -errno. */
static ssize_t chunk_read(struct tar_file *t, uint64_t pos, char *buf, size_t n)
{
    uint64_t index = pos / CHUNK_BYTES, at = pos % CHUNK_BYTES;
    struct chunk *c = &t->chunks[index % CHUNKS];
    bool sequential = pos == t->next;
    int err = chunk_start(t, index);

    if (err)
        return err;
    for (uint64_t i = index + 1; sequential && i < index + CHUNKS; i++)
        if (i * CHUNK_BYTES < t->member->size && chunk_start(t, i))
            break; /* it is tried again when it is needed */
    chunk_wait(t, c);
    if (c->err) {
        c->valid = false;
        return c->err;
    }
    if (n > chunk_bytes(t, index) - at)
        n = chunk_bytes(t, index) - at;
    memcpy(buf, c->data + at, n);
    t->next = pos + n;
    return (ssize_t)n;
}

static ssize_t tar_file_read(struct file *f, void *buf, size_t n)
{
    struct tar_file *t = f->priv;
    size_t done = 0;
    ssize_t got = 0;

    mutex_lock(&t->lock);
    while (done < n && (uint64_t)f->pos < t->member->size) {
        got = chunk_read(t, (uint64_t)f->pos, (char *)buf + done, n - done);
        if (got < 0)
            break;
        done += (size_t)got;
        f->pos += got;
    }
    mutex_unlock(&t->lock);
    return done ? (ssize_t)done : got;
}

static off_t tar_file_lseek(struct file *f, off_t offset, int whence)
{
    struct tar_file *t = f->priv;
    off_t from = whence == SEEK_CUR   ? f->pos
                 : whence == SEEK_END ? (off_t)t->member->size
                                      : 0;

    if ((whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) ||
        __builtin_add_overflow(from, offset, &offset) || offset < 0)
        return -EINVAL;
    f->pos = offset;
    return offset;
}

static int tar_file_fstat(struct file *f, struct stat *st)
{
    tarfs_stat(((struct tar_file *)f->priv)->member, st);
    return 0;
}

static int tar_file_close(struct file *f)
{
    struct tar_file *t = f->priv;

    for (int i = 0; i < CHUNKS; i++) {
        chunk_wait(t, &t->chunks[i]);
        free(t->chunks[i].data);
    }
    free(t);
    return 0;
}

const struct file_ops tarfs_file_ops = {
    .name = "tarfs",
    .read = tar_file_read,
    .lseek = tar_file_lseek,
    .fstat = tar_file_fstat,
    .close = tar_file_close,
};

int tarfs_file_open(struct tarfs *fs, const struct tar_member *m, void **priv)
{
    struct tar_file *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->fs = fs;
    t->member = m;
    mutex_init(&t->lock);
    wait_queue_init(&t->done);
    *priv = t;
    return 0;
}
