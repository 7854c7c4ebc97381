/*
 * Who may use a disk image at the same time: as Xen's block script has it,
 * readers share an image, and a writer has it alone.
 *
 * The locks are on the file itself (open file description locks), so they hold
 * whatever name it is opened by, between hosts and users, and go with the last
 * copy of the descriptor, also when its process is killed. They lie on the
 * bytes that QEMU locks, so its programs and ours see each other. They only
 * hinder whoever looks for them.
 */
#ifndef RINGSIDE_IMAGE_LOCK_H
#define RINGSIDE_IMAGE_LOCK_H

enum image_use {
    IMAGE_READ,         /* beside other readers */
    IMAGE_WRITE,        /* alone */
    IMAGE_WRITE_SHARED, /* whoever else uses it: access w! */
};

/*
 * Marks the file as used in this way, as long as fd is open; asks nobody. fd
 * must be readable. -errno: this file system has no such locks.
 */
int image_hold(int fd, enum image_use use);

/*
 * The same, if the use agrees with those of all others; -EBUSY: it does not,
 * and nothing is marked. Of two that come at the same moment both may be
 * refused, but never none. IMAGE_WRITE_SHARED agrees with everybody.
 */
int image_lock(int fd, enum image_use use);

#endif
