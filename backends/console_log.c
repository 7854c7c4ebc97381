/* See console_log.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* The directory, and the one that it is in. */
static int make_dir(const char *dir)
{
    char *parent = strdup(dir), *slash = parent ? strrchr(parent, '/') : NULL;

    if (slash && slash != parent) {
        *slash = '\0';
        mkdir(parent, 0700); /* mostly it is there */
    }
    free(parent);
    return mkdir(dir, 0700) && errno != EEXIST ? -errno : 0;
}

int console_log_open(const char *dir, const char *name, size_t limit,
                     struct log_file **out)
{
    char *path;
    int err;

    if (asprintf(&path, "%s/%s.log", dir, name) < 0)
        return -ENOMEM;
    make_safe(path + snprintf(NULL, 0, "%s/", dir));
    err = make_dir(dir);
    if (!err)
        err = log_file_open(path, 0600, limit, 0, out);
    free(path);
    return err;
}
