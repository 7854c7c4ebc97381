/*
 * A file system whose server hangs, for tests: hung_disk DIR mounts it there
 * (FUSE, by hand) with one file, "disk". Whoever asks what the file is gets an
 * answer; whoever opens it gets none until this program ends. Writes a line
 * when it serves. It needs root, and ends with its standard input.
 *
 * hung_disk DIR FLAG hangs, in opening, closing, reading and writing, as long
 * as there is a file FLAG, and serves zeros when there is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fuse.h>

#define FILE_ID 2

#define SIZE (1u << 20)

static int fuse;
static const char *flag; /* NULL: it always hangs */

/* Requests that wait until it hangs no more. */
#define WAITING_MAX 64
static struct fuse_in_header waiting[WAITING_MAX];
static uint32_t sizes[WAITING_MAX];
static unsigned int n_waiting;

static void reply(uint64_t unique, int error, const void *body, size_t n)
{
    struct fuse_out_header h = { .len = (uint32_t)(sizeof(h) + n),
                                 .error = error,
                                 .unique = unique };
    struct iovec iov[] = { { &h, sizeof(h) }, { (void *)body, n } };

    if (writev(fuse, iov, n ? 2 : 1) < 0)
        perror("hung_disk: reply");
}

static struct fuse_attr attributes(uint64_t id)
{
    return (struct fuse_attr){
        .ino = id,
        .size = id == FILE_ID ? SIZE : 0,
        .mode = id == FILE_ID ? S_IFREG | 0600 : S_IFDIR | 0700,
        .nlink = 1,
    };
}

static int hangs(void)
{
    return !flag || access(flag, F_OK) == 0;
}

/* n: how much is to be read or written. */
static void answer(const struct fuse_in_header *in, uint32_t n)
{
    static const char zeros[1 << 17];
    struct fuse_open_out opened = { .fh = 1 };
    struct fuse_write_out written = { .size = n };

    if (in->opcode == FUSE_OPEN)
        reply(in->unique, 0, &opened, sizeof(opened));
    else if (in->opcode == FUSE_READ)
        reply(in->unique, 0, zeros, n < sizeof(zeros) ? n : sizeof(zeros));
    else if (in->opcode == FUSE_WRITE)
        reply(in->unique, 0, &written, sizeof(written));
    else
        reply(in->unique, 0, NULL, 0);
}

static void answer_or_wait(const struct fuse_in_header *in, uint32_t n)
{
    if (!hangs()) {
        answer(in, n);
    } else if (n_waiting < WAITING_MAX) {
        waiting[n_waiting] = *in;
        sizes[n_waiting++] = n;
    }
}

static void answer_waiting(void)
{
    if (hangs())
        return;
    for (unsigned int i = 0; i < n_waiting; i++)
        answer(&waiting[i], sizes[i]);
    n_waiting = 0;
}

static void serve(const struct fuse_in_header *in, const char *body)
{
    struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
                                  .minor = FUSE_KERNEL_MINOR_VERSION,
                                  .max_write = 4096 };
    struct fuse_attr_out attr = { .attr = attributes(in->nodeid) };
    struct fuse_entry_out entry = { .nodeid = FILE_ID,
                                    .attr = attributes(FILE_ID) };

    switch (in->opcode) {
    case FUSE_INIT:
        reply(in->unique, 0, &init, sizeof(init));
        break;
    case FUSE_GETATTR:
        reply(in->unique, 0, &attr, sizeof(attr));
        break;
    case FUSE_LOOKUP:
        if (strcmp(body, "disk"))
            reply(in->unique, -ENOENT, NULL, 0);
        else
            reply(in->unique, 0, &entry, sizeof(entry));
        break;
    case FUSE_OPEN:
    case FUSE_FLUSH:
        answer_or_wait(in, 0);
        break;
    case FUSE_READ:
        answer_or_wait(in, ((const struct fuse_read_in *)body)->size);
        break;
    case FUSE_WRITE:
        answer_or_wait(in, ((const struct fuse_write_in *)body)->size);
        break;
    case FUSE_RELEASE:
        reply(in->unique, 0, NULL, 0);
        break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        break;
    default:
        reply(in->unique, -ENOSYS, NULL, 0);
    }
}

static void serve_all(void)
{
    static char buf[FUSE_MIN_READ_BUFFER + 1]
        __attribute__((aligned(_Alignof(struct fuse_in_header))));
    struct pollfd p[] = { { .fd = fuse, .events = POLLIN },
                          { .fd = STDIN_FILENO, .events = POLLIN } };

    while (poll(p, 2, flag ? 20 : -1) >= 0 && !p[1].revents) {
        ssize_t n;

        answer_waiting();
        if (!p[0].revents)
            continue;
        n = read(fuse, buf, sizeof(buf) - 1);
        if (n < (ssize_t)sizeof(struct fuse_in_header))
            break;
        buf[n] = '\0';
        serve((void *)buf, buf + sizeof(struct fuse_in_header));
    }
}

int main(int argc, char **argv)
{
    char options[80];

    fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    snprintf(options, sizeof(options),
             "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
    flag = argc == 3 ? argv[2] : NULL;
    if (argc < 2 || argc > 3 || fuse < 0 ||
        mount("hung_disk", argv[1], "fuse", MS_NOSUID | MS_NODEV, options)) {
        fprintf(stderr, "hung_disk: %s\n", strerror(errno));
        return 1;
    }
    puts("serves");
    fflush(stdout);
    serve_all();
    umount2(argv[1], MNT_DETACH);
    return 0;
}
