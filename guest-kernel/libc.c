/*
 * What newlib asks of a system: descriptors and the end of the program.
 *
 * newlib calls these by their plain names and takes errors in errno; behind
 * them everything returns -errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-kernel/console.h"
#include "guest-kernel/file.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/libc.h"
#include "guest-kernel/vcpu.h"

/* From guest.lds. */
extern void (*init_array_start[])(void), (*init_array_end[])(void);
extern void (*fini_array_start[])(void), (*fini_array_end[])(void);

static ssize_t tty_read(struct file *f, void *buf, size_t n)
{
    (void)f;
    return (ssize_t)console_read(buf, n);
}

static ssize_t tty_write(struct file *f, const void *buf, size_t n)
{
    (void)f;
    console_write(buf, n);
    return (ssize_t)n;
}

static ssize_t tty_write_error(struct file *f, const void *buf, size_t n)
{
    (void)f;
    console_write_error(buf, n);
    return (ssize_t)n;
}

static const struct file_ops tty_ops = {
    .name = "console",
    .read = tty_read,
    .write = tty_write,
    .is_tty = true,
};

static const struct file_ops error_ops = {
    .name = "console",
    .write = tty_write_error,
    .is_tty = true,
};

/* At exit(), after what the program registered. */
static void run_destructors(void)
{
    for (void (**fn)(void) = fini_array_end; fn > fini_array_start;)
        (*--fn)();
}

void libc_init(void)
{
    for (int i = 0; i < 3; i++)
        if (file_open(i == 2 ? &error_ops : &tty_ops, NULL,
                      i ? O_WRONLY : O_RDONLY) != i)
            kernel_panic("no memory for the console's descriptors");
    libc_lock_init();
    atexit(run_destructors);
    for (void (**fn)(void) = init_array_start; fn < init_array_end; fn++)
        (*fn)();
}

/* -errno to errno and -1. */
static long result(long r)
{
    if (r >= 0)
        return r;
    errno = (int)-r;
    return -1;
}

/* `call` on the file of fd as `f`, or EBADF; ENOSYS-like where op is NULL. */
#define WITH_FILE(fd, op, otherwise, call)           \
    ({                                               \
        IN_KERNEL();                                 \
        struct file *f = file_get((fd), NULL);       \
        long r_ = -EBADF;                            \
                                                     \
        if (f) {                                     \
            r_ = f->ops->op ? (call) : -(otherwise); \
            file_put(f);                             \
        }                                            \
        result(r_);                                  \
    })

_READ_WRITE_RETURN_TYPE read(int fd, void *buf, size_t n)
{
    return (_READ_WRITE_RETURN_TYPE)WITH_FILE(fd, read, EBADF,
                                              f->ops->read(f, buf, n));
}

_READ_WRITE_RETURN_TYPE write(int fd, const void *buf, size_t n)
{
    return (_READ_WRITE_RETURN_TYPE)WITH_FILE(fd, write, EBADF,
                                              f->ops->write(f, buf, n));
}

off_t lseek(int fd, off_t offset, int whence)
{
    return WITH_FILE(fd, lseek, ESPIPE, f->ops->lseek(f, offset, whence));
}

int close(int fd)
{
    IN_KERNEL();
    return (int)result(file_close(fd));
}

int open(const char *path, int flags, ...)
{
    IN_KERNEL();
    return (int)result(fs_open(path, flags));
}

int stat(const char *path, struct stat *st)
{
    IN_KERNEL();
    memset(st, 0, sizeof(*st));
    return (int)result(fs_stat(path, st));
}

static int file_stat(struct file *f, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    if (f->ops->fstat)
        return f->ops->fstat(f, st);
    st->st_mode = f->ops->is_tty ? S_IFCHR | 0600 : 0600;
    return 0;
}

int fstat(int fd, struct stat *st)
{
    return (int)WITH_FILE(fd, name, EBADF, file_stat(f, st));
}

int isatty(int fd)
{
    return (int)WITH_FILE(fd, name, EBADF, f->ops->is_tty ? 1 : -ENOTTY);
}

static int file_fcntl(struct file *f, int cmd, long arg)
{
    if (f->ops->fcntl)
        return f->ops->fcntl(f, cmd, arg);
    if (cmd == F_GETFL)
        return f->flags;
    return -EINVAL;
}

int fcntl(int fd, int cmd, ...)
{
    va_list ap;
    long arg;

    va_start(ap, cmd);
    arg = va_arg(ap, long);
    va_end(ap);
    return (int)WITH_FILE(fd, name, EBADF, file_fcntl(f, cmd, arg));
}

/* Nothing that is mounted can be written by name. */
int link(const char *from, const char *to)
{
    (void)from;
    (void)to;
    return (int)result(-EROFS);
}

int unlink(const char *path)
{
    (void)path;
    return (int)result(-EROFS);
}

int mkdir(const char *path, mode_t mode)
{
    (void)path;
    (void)mode;
    return (int)result(-EROFS);
}

/* One program, one process. */
pid_t getpid(void)
{
    return 1;
}

/* abort() ends here: nobody catches signals of others. */
int kill(pid_t pid, int sig)
{
    if (pid != getpid())
        return (int)result(-ESRCH);
    kernel_panic("%s", sig == SIGABRT ? "abort() was called"
                                      : "the program killed itself");
}

_Noreturn void _exit(int status)
{
    kernel_exit(status);
}
