/* Whose runtime directory it is; see rundir_check.h. */
#include "rundir_check.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer.h"

/* In a user namespace, the owner of all that belongs to users outside. */
#define OVERFLOW_UID 65534u

bool rundir_default(char *path, size_t n)
{
    const char *given = getenv("RINGSIDE_RUNDIR");
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    int len;

    if (given && *given)
        len = snprintf(path, n, "%s", given);
    else if (geteuid() == 0)
        len = snprintf(path, n, "/run/ringside");
    else if (xdg && *xdg == '/')
        len = snprintf(path, n, "%s/ringside", xdg);
    else
        len = snprintf(path, n, "/tmp/ringside-%u", geteuid());
    return len > 0 && (size_t)len < n;
}

static int refuse(char *why, size_t n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(char *why, size_t n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, n, fmt, ap);
    va_end(ap);
    return -EPERM;
}

#define ELSEWHERE "set RINGSIDE_RUNDIR to a directory of your own"

static int check_owner(const char *path, const struct stat *st, uid_t self,
                       char *why, size_t n)
{
    if (!user_is_trusted(st->st_uid, self) && self == 0)
        return refuse(why, n,
                      "%s belongs to user %u; run this as that user, or "
                      "set RINGSIDE_RUNDIR to a directory of root's",
                      path, st->st_uid);
    if (!user_is_trusted(st->st_uid, self))
        return refuse(why, n,
                      "%s belongs to user %u, neither to you nor to "
                      "root; " ELSEWHERE,
                      path, st->st_uid);
    if (st->st_mode & 022)
        return refuse(
            why, n,
            "%s can be written by other users (mode %04o); %s" ELSEWHERE, path,
            st->st_mode & 07777,
            st->st_uid == self ? "'chmod go-w' it, or " : "");
    return 0;
}

/* Who can write the directory that the name is in can replace what it names. */
static int check_parent(const char *path, uid_t self, char *why, size_t n)
{
    struct stat st;
    char *copy = strdup(path), *parent = copy ? dirname(copy) : NULL;
    int err = 0;

    if (!parent)
        return refuse(why, n, "no memory");
    if (stat(parent, &st))
        err = refuse(why, n, "%s: %s", parent, strerror(errno));
    else if (!user_is_trusted(st.st_uid, self) && st.st_uid != OVERFLOW_UID)
        err = refuse(why, n,
                     "%s is in a directory of user %u, who can replace "
                     "it; " ELSEWHERE,
                     path, st.st_uid);
    else if (st.st_mode & 002 && !(st.st_mode & S_ISVTX))
        err = refuse(why, n,
                     "%s is in a directory that everybody can write (mode "
                     "%04o), and can be replaced; " ELSEWHERE,
                     path, st.st_mode & 07777);
    free(copy);
    return err;
}

static int explain_open(const char *path, int err, char *why, size_t n)
{
    struct stat st;

    if (err == ENOENT)
        return -ENOENT;
    if (!lstat(path, &st) && S_ISLNK(st.st_mode))
        return refuse(why, n,
                      "%s is a symbolic link; name the directory itself", path);
    if (err == ENOTDIR)
        return refuse(why, n, "%s is not a directory", path);
    refuse(why, n, "%s: %s", path, strerror(err));
    return -err;
}

int rundir_check(const char *path, uid_t self, char *why, size_t n)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), err;
    struct stat st;

    if (fd < 0)
        return explain_open(path, errno, why, n);
    err = fstat(fd, &st) ? refuse(why, n, "%s: %s", path, strerror(errno))
                         : check_owner(path, &st, self, why, n);
    if (!err)
        err = check_parent(path, self, why, n);
    close(fd);
    return err;
}
