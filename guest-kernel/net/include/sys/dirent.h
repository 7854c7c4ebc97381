/* What <dirent.h> of the C library leaves to the system. */
#ifndef RINGSIDE_POSIX_SYS_DIRENT_H
#define RINGSIDE_POSIX_SYS_DIRENT_H

#include <sys/types.h>

#define DT_UNKNOWN 0
#define DT_DIR     4
#define DT_REG     8
#define DT_LNK     10

struct dirent {
    ino_t d_ino; /* 0: there are no such numbers */
    unsigned char d_type;
    char d_name[256];
};

typedef struct {
    int fd;
    struct dirent entry;
} DIR;

#endif
