/*
 * Descriptors in a guest's process: its ports, and the files of foreign pages
 * that it is to map.
 *
 * A vCPU maps a file under a descriptor of its own, and keeps it until it has
 * said that it is done: a mapping that it was allowed to make may not have run
 * yet. A file's number tells the file only within one call, so another call
 * does not use a descriptor of an earlier one.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "sandbox.h"

int guest_fds_set(struct sandbox_domain *sd, int fd, int number)
{
    struct seccomp_notif_addfd add = {
        .id = sd->notif_id,
        .flags = SECCOMP_ADDFD_FLAG_SETFD,
        .srcfd = (uint32_t)fd,
        .newfd = (uint32_t)number,
    };

    if (!sd->in_call)
        return -EBUSY;
    return ioctl(sd->listener.fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno
                                                                       : 0;
}

int guest_fds_install(struct sandbox_domain *sd, int file)
{
    const unsigned int nr = sizeof(sd->foreign) / sizeof(sd->foreign[0]);
    unsigned int i, free = nr;
    int err;

    if (file == sd->domain->memory.fd)
        return SANDBOX_FD_RAM;
    for (i = 0; i < nr; i++) {
        if (sd->foreign[i].to == sd->caller && sd->foreign[i].file == file &&
            sd->foreign[i].notif_id == sd->notif_id)
            return SANDBOX_FD_FOREIGN + (int)i;
        if (!sd->foreign[i].to && free == nr)
            free = i;
    }
    if (free == nr)
        return -EMFILE;
    err = guest_fds_set(sd, file, SANDBOX_FD_FOREIGN + (int)free);
    if (err)
        return err;
    sd->foreign[free].to = sd->caller;
    sd->foreign[free].notif_id = sd->notif_id;
    sd->foreign[free].file = file;
    return SANDBOX_FD_FOREIGN + (int)free;
}

void guest_fds_revoke(struct sandbox_vcpu *sv)
{
    struct sandbox_domain *sd = sv->vcpu->domain->engine;
    const unsigned int nr = sizeof(sd->foreign) / sizeof(sd->foreign[0]);

    for (unsigned int i = 0; i < nr; i++)
        if (sd->foreign[i].to == sv) {
            guest_fds_set(sd, sd->host->dummy_fd, SANDBOX_FD_FOREIGN + (int)i);
            sd->foreign[i].to = NULL;
        }
}
