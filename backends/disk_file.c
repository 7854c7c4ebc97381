/*
 * A raw file (or a block device) as a disk.
 *
 * A request runs at once, in the loop, where it cannot block: on tmpfs always,
 * elsewhere if the kernel does it under RWF_NOWAIT. Large ones are done a slice
 * at a time, when file_work() is called. The rest goes to the carrier through
 * the disk's queue (disk_io.h). Flushing and discarding may always block,
 * except on tmpfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "disk_io.h"
#include "list.h"

#define SECTOR 512

struct disk_file {
    struct disk disk;
    int fd;
    uint64_t size;            /* in bytes, when it was opened */
    bool at_once;             /* never offload */
    bool nowait[2];           /* RWF_NOWAIT works for DISK_READ, _WRITE */
    struct disk_async *async; /* NULL only if at_once */
    struct disk_queue queue;  /* to async */
    struct disk_io *slices, **last_slice; /* requests done in slices */
};

int disk_io_mode_parse(const char *name)
{
    static const char *const names[] = {
        [DISK_IO_AUTO] = "auto",
        [DISK_IO_INLINE] = "inline",
        [DISK_IO_URING] = "uring",
        [DISK_IO_THREADS] = "threads",
    };

    for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(name, names[i]))
            return (int)i;
    }
    return -EINVAL;
}

/* For tests, and as ringside(1) promises. */
static bool uring_is_off(void)
{
    const char *off = getenv("RINGSIDE_NO_IO_URING");

    return off && !strcmp(off, "1");
}

int disk_async_new(struct event_base *base, enum disk_io_mode mode,
                   struct disk_async **out)
{
    *out = NULL;
    if (mode == DISK_IO_INLINE)
        return 0;
    if (mode == DISK_IO_AUTO && uring_is_off())
        mode = DISK_IO_THREADS;
    if (mode != DISK_IO_THREADS) {
        int err = disk_uring_new(base, out);

        if (!err || mode == DISK_IO_URING)
            return err;
    }
    return disk_threads_new(base, out);
}

void disk_async_free(struct disk_async *a)
{
    if (a)
        a->free(a);
}

/* Will io be tried in the loop? */
static bool may_run_now(const struct disk_file *f, const struct disk_io *io)
{
    bool vector = io->op == DISK_READ || io->op == DISK_WRITE;

    return f->at_once || (vector && f->nowait[io->op]);
}

/* A slice of io. false: there is more, for another time. */
static bool run_slice(struct disk_file *f, struct disk_io *io)
{
    uint64_t before = io->length;
    int err = disk_io_slice(io, f->at_once ? 0 : RWF_NOWAIT);

    f->disk.loop_pages +=
        1 + (unsigned int)((before - io->length) >>
                           (io->op == DISK_DISCARD ? 16 : 12));
    if (err == -EINPROGRESS)
        return false;
    if (!f->at_once && (err == -EOPNOTSUPP || err == -EINVAL))
        f->nowait[io->op] = false;
    if (!f->at_once && (err == -EAGAIN || err == -EOPNOTSUPP || err == -EINVAL))
        disk_queue_add(&f->queue, io);
    else
        io->done(io, err);
    return true;
}

static void file_submit(struct disk *disk, struct disk_io *io)
{
    struct disk_file *f = container_of(disk, struct disk_file, disk);

    io->fd = f->fd;
    io->file_end = f->size;
    if (!may_run_now(f, io)) {
        disk_queue_add(&f->queue, io);
        return;
    }
    if (io->length <= DISK_SLICE && run_slice(f, io))
        return;
    io->next = NULL;
    *f->last_slice = io;
    f->last_slice = &io->next;
}

static void file_work(struct disk *disk, unsigned int budget)
{
    struct disk_file *f = container_of(disk, struct disk_file, disk);

    while (f->slices && disk->loop_pages < budget) {
        struct disk_io *io = f->slices;

        f->slices = io->next;
        if (!f->slices)
            f->last_slice = &f->slices;
        if (run_slice(f, io))
            continue;
        io->next = f->slices;
        if (!f->slices)
            f->last_slice = &io->next;
        f->slices = io;
    }
}

static void file_kick(struct disk *disk)
{
    struct disk_file *f = container_of(disk, struct disk_file, disk);

    if (f->async)
        disk_queue_kick(f->async);
}

static void file_leave(struct disk *disk)
{
    disk_queue_fini(&container_of(disk, struct disk_file, disk)->queue);
}

static void file_close(struct disk *disk)
{
    struct disk_file *f = container_of(disk, struct disk_file, disk);

    close(f->fd);
    free(f);
}

static const struct disk_ops file_ops = {
    .submit = file_submit,
    .kick = file_kick,
    .work = file_work,
    .leave = file_leave,
    .close = file_close,
};

/* A limit of a block device's queue, which a partition has from its disk; 0:
 * it has none, or this machine does not tell. */
static uint64_t queue_limit(dev_t dev, const char *name)
{
    static const char *const places[] = { "", "../" };
    unsigned long long value = 0;
    char path[128];

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        FILE *file;

        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/%s",
                 major(dev), minor(dev), places[i], name);
        file = fopen(path, "re");
        if (!file)
            continue;
        if (fscanf(file, "%llu", &value) != 1)
            value = 0;
        fclose(file);
        break;
    }
    return value;
}

/* To try would destroy data: holes are punched by writing zeros without data,
 * and are worth it where the device forgets what it discards. */
static void find_discard(struct disk_file *f, dev_t dev)
{
    uint64_t granularity = queue_limit(dev, "discard_granularity");

    f->disk.can_discard = queue_limit(dev, "discard_max_bytes") &&
                          queue_limit(dev, "write_zeroes_max_bytes");
    if (granularity % SECTOR == 0 && granularity && granularity <= UINT32_MAX)
        f->disk.discard_granularity = (uint32_t)granularity;
}

static int measure_device(struct disk_file *f, dev_t dev)
{
    unsigned int physical = SECTOR;
    int logical = SECTOR, read_only = 0;

    if (ioctl(f->fd, BLKGETSIZE64, &f->size) ||
        ioctl(f->fd, BLKROGET, &read_only))
        return -errno;
    if (read_only && !f->disk.read_only)
        return -EROFS; /* its writes would fail: that is known now */
    /* The page cache lets us write single sectors of 512 bytes in any case. */
    if (ioctl(f->fd, BLKSSZGET, &logical) == 0 &&
        ioctl(f->fd, BLKPBSZGET, &physical) == 0 && physical % SECTOR == 0)
        f->disk.physical_sector_size = physical;
    if (!f->disk.read_only)
        find_discard(f, dev);
    return 0;
}

/* Punching behind the end changes nothing but tells whether it is possible. */
static bool can_punch(int fd, uint64_t size)
{
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     (off_t)((size + 4095) & ~4095ull), 4096) == 0;
}

/* Size in bytes, sector sizes, and discard, of what fd is. */
static int measure(struct disk_file *f)
{
    struct stat st;

    if (fstat(f->fd, &st))
        return -errno;
    f->disk.sector_size = SECTOR;
    f->disk.physical_sector_size = SECTOR;
    f->disk.discard_granularity = 4096;
    if (S_ISBLK(st.st_mode))
        return measure_device(f, st.st_rdev);
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -ENOTBLK;
    f->size = (uint64_t)st.st_size;
    f->disk.can_discard = !f->disk.read_only && can_punch(f->fd, f->size);
    return 0;
}

static bool is_tmpfs(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 &&
           (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC ||
            fs.f_type == HUGETLBFS_MAGIC);
}

int disk_file_open(const char *path, enum image_use use, enum disk_io_mode mode,
                   struct disk_async *async, struct disk **out)
{
    struct disk_file *f = calloc(1, sizeof(*f));
    bool read_only = use == IMAGE_READ;
    int err;

    if (!f)
        return -ENOMEM;
    f->disk.ops = &file_ops;
    f->disk.read_only = read_only;
    f->async = async;
    f->last_slice = &f->slices;
    disk_queue_init(&f->queue, async);
    /* NONBLOCK: opening a FIFO must not hang; files do not care. */
    f->fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY |
                           O_NONBLOCK);
    err = f->fd < 0 || fcntl(f->fd, F_SETFL, 0) ? -errno : measure(f);
    if (err)
        goto fail;
    image_hold(f->fd, use); /* where there are no locks there is nobody's */
    f->disk.sectors = (f->size + SECTOR - 1) / SECTOR;
    f->at_once = mode == DISK_IO_INLINE || !async ||
                 (mode == DISK_IO_AUTO && is_tmpfs(f->fd));
    f->nowait[DISK_READ] = f->nowait[DISK_WRITE] = mode == DISK_IO_AUTO;
    *out = &f->disk;
    return 0;
fail:
    if (f->fd >= 0)
        close(f->fd);
    free(f);
    return err;
}
