/*
 * The little of POSIX beside the C library that programs lean on most.
 */
#include <cpuid.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-kernel/file.h"
#include "guest-kernel/vcpu.h"
#include "xen_compat.h"

#define CPUID1_ECX_RDRAND (1u << 30)
#define RDRAND_TRIES      10 /* Intel's advice */
#define ENTROPY_MAX       256

int posix_memalign(void **out, size_t align, size_t size)
{
    if (align < sizeof(void *) || (align & (align - 1)))
        return EINVAL;
    *out = memalign(align, size);
    return *out ? 0 : ENOMEM;
}

int getpagesize(void)
{
    return (int)PAGE_SIZE;
}

/* Everybody may read what is mounted, nobody may write it. */
int access(const char *path, int mode)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return -1;
    if (mode & W_OK) {
        errno = EROFS;
        return -1;
    }
    return 0;
}

int dup(int fd)
{
    IN_KERNEL();
    int copy = file_dup(fd);

    if (copy >= 0)
        return copy;
    errno = -copy;
    return -1;
}

static bool rdrand(uint64_t *v)
{
    unsigned char ok = 0;

    for (int i = 0; i < RDRAND_TRIES && !ok; i++)
        __asm__ __volatile__("rdrand %0; setc %1" : "=r"(*v), "=qm"(ok));
    return ok;
}

/* From the processor; ENOSYS where it has no generator. */
int getentropy(void *buf, size_t n)
{
    unsigned int a, b, c = 0, d;
    char *to = buf;
    uint64_t v;

    if (n > ENTROPY_MAX) {
        errno = EIO;
        return -1;
    }
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & CPUID1_ECX_RDRAND)) {
        errno = ENOSYS;
        return -1;
    }
    for (size_t part; n > 0; n -= part, to += part) {
        if (!rdrand(&v)) {
            errno = EIO;
            return -1;
        }
        part = n < sizeof(v) ? n : sizeof(v);
        memcpy(to, &v, part);
    }
    return 0;
}
