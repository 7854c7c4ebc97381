/*
 * The images of a guest's disks are locked as long as it lives: by us, since
 * the driver domain may be started again, and by the driver domain, which may
 * have requests under way when we are gone. See image_lock.h for who may use
 * one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "image_lock.h"
#include "say.h"

/*
 * Of two that come at once both may be refused (image_lock.h): who is refused
 * tries again for a while, so that mostly one of them has the image. And who
 * had it last may be closing it just now.
 */
#define PATIENCE_TRIES 100
#define PATIENCE_MS    10

static enum image_use use_of(const struct disk_config *d)
{
    if (d->read_only)
        return IMAGE_READ;
    return d->shared ? IMAGE_WRITE_SHARED : IMAGE_WRITE;
}

/* A block device that is to be written alone must not be mounted, either. */
static int try_lock(const struct disk_config *d, int *fd)
{
    bool claim = d->block_device && use_of(d) == IMAGE_WRITE;
    int err;

    *fd =
        open(d->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (claim ? O_EXCL : 0));
    if (*fd < 0)
        return -errno;
    err = image_lock(*fd, use_of(d));
    if (err == -EBUSY) {
        close(*fd);
        *fd = -1;
    }
    return err;
}

static int lock_patiently(const struct disk_config *d, int *fd)
{
    struct timespec pause = { 0 };
    int err;

    for (int i = 0; i < PATIENCE_TRIES; i++) {
        err = try_lock(d, fd);
        if (err != -EBUSY)
            break;
        pause.tv_nsec = (PATIENCE_MS / 2 + rand() % PATIENCE_MS) * 1000000L;
        nanosleep(&pause, NULL);
    }
    return err;
}

static int lock_disk(const struct disk_config *d, int *fd)
{
    int err = lock_patiently(d, fd);

    if (err == -EBUSY && d->read_only)
        return complain("%s for disk %s is being written by another guest or "
                        "program; end that first",
                        d->path, d->vdev);
    if (err == -EBUSY)
        return complain("%s for disk %s is in use by another guest or program; "
                        "end that first, or share it with access w!",
                        d->path, d->vdev);
    if (*fd < 0)
        return complain("cannot open %s for disk %s: %s", d->path, d->vdev,
                        strerror(-err));
    if (err != 0)
        note("%s for disk %s cannot be locked (%s): nobody else must use it",
             d->path, d->vdev, strerror(-err));
    return 0;
}

int guest_lock_disks(struct guest *g)
{
    int err = 0;

    srand((unsigned int)getpid());
    for (unsigned int i = 0; i < g->config->nr_disks && err == 0; i++) {
        err = lock_disk(&g->config->disks[i], &g->locks[i]);
        if (err == 0)
            g->nr_locks++;
    }
    if (err != 0)
        guest_unlock_disks(g);
    return err;
}

void guest_unlock_disks(struct guest *g)
{
    while (g->nr_locks > 0)
        close(g->locks[--g->nr_locks]);
}
