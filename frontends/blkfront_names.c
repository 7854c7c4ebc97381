/*
 * Names and numbers of disks, and which ones there are.
 */
#include "frontends/blkfront.h"

#include <errno.h>
#include <stdlib.h>

/* Xen's numbers: major 202, 16 per disk; from the 17th on the extended ones. */
int blkfront_devid(const char *name, unsigned int *devid)
{
    unsigned int disk, part = 0;
    char *end;

    if (strncmp(name, "xvd", 3) || name[3] < 'a' || name[3] > 'z') {
        unsigned long n = strtoul(name, &end, 10);

        *devid = (unsigned int)n;
        return *name >= '0' && *name <= '9' && !*end && n <= INT32_MAX
                   ? 0
                   : -EINVAL;
    }
    disk = (unsigned int)(name[3] - 'a');
    if (name[4]) {
        unsigned long n = strtoul(name + 4, &end, 10);

        if (name[4] < '1' || name[4] > '9' || *end || n > 255)
            return -EINVAL;
        part = (unsigned int)n;
    }
    if (disk < 16 && part < 16)
        *devid = 202u << 8 | disk << 4 | part;
    else
        *devid = 1u << 28 | disk << 8 | part;
    return 0;
}

static int compare_devids(const void *a, const void *b)
{
    unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

    return x < y ? -1 : x > y;
}

int rs_blk_list(unsigned int *devids, unsigned int max)
{
    IN_KERNEL();
    char **names;
    size_t n;
    unsigned int found = 0;

    if (xenbus_ls(XENBUS_NO_TX, "device/vbd", &names, &n))
        return 0;
    for (size_t i = 0; i < n && found < max; i++) {
        if (names[i][0] >= '0' && names[i][0] <= '9' &&
            blkfront_devid(names[i], &devids[found]) == 0)
            found++;
    }
    free(names);
    qsort(devids, found, sizeof(*devids), compare_devids);
    return (int)found;
}
