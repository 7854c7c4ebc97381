/*
 * The runtime directory: made, locked, removed. See rundir.h.
 */
#include "rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const files[] = { "hypervisor.sock", "xenstored.sock",
                                     "driverd.stats", "ringsided.pid" };
static const char *const subdirs[] = { "log", "console", "pid" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void rundir_file(const struct rundir *r, const char *name, char *out, size_t n)
{
    snprintf(out, n, "%s/%s", r->path, name);
}

static bool fail(char *why, size_t n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(char *why, size_t n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, n, fmt, ap);
    va_end(ap);
    return false;
}

/* In a shared directory such as /tmp the name may be somebody else's. Clients
 * trust what belongs to root; what we write into is our own. */
static bool is_ours(const struct rundir *r, char *why, size_t n)
{
    struct stat st;

    if (rundir_check(r->path, geteuid(), why, n))
        return false;
    if (!lstat(r->path, &st) && st.st_uid == geteuid())
        return true;
    return fail(why, n, "%s belongs to root", r->path);
}

/* The lock of the file that has the name now, not of one just removed. */
static bool take_lock(struct rundir *r, char *why, size_t n)
{
    char path[RUNDIR_FILE_MAX];
    struct stat held, named;

    rundir_file(r, "lock", path, sizeof(path));
    for (;;) {
        r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (r->lock < 0)
            return fail(why, n, "%s: %s", path, strerror(errno));
        if (flock(r->lock, LOCK_EX | LOCK_NB)) {
            close(r->lock);
            return fail(why, n, "a host is running already in %s", r->path);
        }
        if (!fstat(r->lock, &held) && !stat(path, &named) &&
            held.st_ino == named.st_ino)
            return true;
        close(r->lock);
    }
}

static void remove_files(const struct rundir *r)
{
    char path[RUNDIR_FILE_MAX];

    for (size_t i = 0; i < COUNT(files); i++) {
        rundir_file(r, files[i], path, sizeof(path));
        unlink(path);
    }
}

static bool make_subdirs(const struct rundir *r, char *why, size_t n)
{
    char path[RUNDIR_FILE_MAX];

    for (size_t i = 0; i < 2; i++) {
        rundir_file(r, subdirs[i], path, sizeof(path));
        if (mkdir(path, 0700) && errno != EEXIST)
            return fail(why, n, "%s: %s", path, strerror(errno));
    }
    return true;
}

bool rundir_open(struct rundir *r, const char *path, char *why, size_t n)
{
    int len = snprintf(r->path, sizeof(r->path), "%s", path);

    r->lock = -1;
    if (len <= 0 || (size_t)len >= sizeof(r->path))
        return fail(why, n, "the runtime directory's name is too long: %s",
                    path);
    r->made = mkdir(r->path, 0700) == 0;
    if (!r->made && errno != EEXIST)
        return fail(why, n, "%s: %s", r->path, strerror(errno));
    if (!is_ours(r, why, n) || !take_lock(r, why, n))
        return false;
    remove_files(r);
    return make_subdirs(r, why, n);
}

/* The files of one directory, and it; not what others put below. */
static void remove_subdir(const struct rundir *r, const char *name)
{
    char path[RUNDIR_FILE_MAX];
    struct dirent *e;
    DIR *dir;

    rundir_file(r, name, path, sizeof(path));
    dir = opendir(path);
    if (!dir)
        return;
    while ((e = readdir(dir)) != NULL)
        unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
    rmdir(path);
}

void rundir_remove(struct rundir *r)
{
    char path[RUNDIR_FILE_MAX];

    if (r->lock < 0)
        return;
    remove_files(r);
    for (size_t i = 0; r->made && i < COUNT(subdirs); i++)
        remove_subdir(r, subdirs[i]);
    rundir_file(r, "lock", path, sizeof(path));
    unlink(path);
    if (r->made)
        rmdir(r->path);
    close(r->lock);
    r->lock = -1;
}
