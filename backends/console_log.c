/* See console_log.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "console_log.h"
#include "log_file.h"

/* Names of domains come from users; here they must stay inside the directory.
 */
static void make_safe(char *name)
{
    if (*name == '.')
        *name = '_';
    for (; *name; name++) {
        if (*name == '/')
            *name = '_';
    }
}

int console_log_open(const char *dir, const char *name, size_t limit,
                     struct log_file **out)
{
    char *path;
    int err = 0;

    if (asprintf(&path, "%s/%s.log", dir, name) < 0)
        return -ENOMEM;
    make_safe(path + snprintf(NULL, 0, "%s/", dir));
    if (mkdir(dir, 0700) && errno != EEXIST)
        err = -errno;
    if (!err)
        err = log_file_open(path, 0600, limit, 0, out);
    free(path);
    return err;
}
