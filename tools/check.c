/* What can be known to be wrong with a guest beforehand; see check.h. */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/fs.h>

#include "image.h"
#include "say.h"

/* A disk's file that does not answer: told of, and given up. */
#define TELL_MS    1000
#define GIVE_UP_MS 9000

/* ---- the kernel ---- */

bool is_elf_file(const char *path)
{
    char magic[4] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool elf;

    if (fd < 0)
        return false;
    elf = read(fd, magic, 4) == 4 && memcmp(magic, "\177ELF", 4) == 0;
    close(fd);
    return elf;
}

static int check_image(const struct guest_config *c, int fd)
{
    struct image_info info;
    const char *why;
    uint64_t need;

    if (image_probe(fd, &info, &why) != 0)
        return complain("%s is not a guest: %s", c->kernel, why);
    need = (info.end + IMAGE_BOOT_BYTES + 0xfffff) >> 20;
    if (c->memory_mib < need)
        return complain("%u MiB of memory is too little for %s, which needs "
                        "at least %llu MiB",
                        c->memory_mib, c->kernel, (unsigned long long)need);
    return 0;
}

static int check_kernel(const struct guest_config *c)
{
    struct stat st;
    int fd, err;

    if (c->kernel == NULL)
        return complain("no kernel given; name a guest's ELF file with "
                        "--kernel, or a configuration with kernel = \"…\"");
    fd = open(c->kernel, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return complain("cannot open the kernel %s: %s", c->kernel,
                        strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        err = complain("the kernel %s is not a file", c->kernel);
    else
        err = check_image(c, fd);
    close(fd);
    return err;
}

static int check_ramdisk(const struct guest_config *c)
{
    struct stat st;

    if (c->ramdisk == NULL)
        return 0;
    if (stat(c->ramdisk, &st) != 0 || access(c->ramdisk, R_OK) != 0)
        return complain("cannot open the ramdisk %s: %s", c->ramdisk,
                        strerror(errno));
    return S_ISREG(st.st_mode)
               ? 0
               : complain("the ramdisk %s is not a file", c->ramdisk);
}

static int check_cmdline(const struct guest_config *c)
{
    if (c->cmdline != NULL && strlen(c->cmdline) > 1023)
        return complain("the guest's command line has %zu bytes; 1023 fit",
                        strlen(c->cmdline));
    return 0;
}

/* ---- disks ---- */

/* What is to be learnt of a disk's file by opening it. */
struct look {
    int err; /* -errno: it cannot be opened */
    mode_t mode;
    uint64_t bytes;
    int writes_fail; /* a block device that is only to be read */
};

static struct look look_at(const struct disk_config *d)
{
    struct look l = { 0 };
    struct stat st;
    int fd = open(d->path,
                  (d->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        l.err = -errno;
        return l;
    }
    if (fstat(fd, &st) == 0) {
        l.mode = st.st_mode;
        l.bytes = (uint64_t)st.st_size;
    }
    if (S_ISBLK(l.mode) && ioctl(fd, BLKGETSIZE64, &l.bytes) != 0)
        l.bytes = 0;
    if (S_ISBLK(l.mode) && !d->read_only)
        ioctl(fd, BLKROGET, &l.writes_fail);
    close(fd);
    return l;
}

/* In a process that nobody waits for, with nothing open that others read. */
static void look_and_tell(const struct disk_config *d, int to)
{
    struct look l;

    if (to != STDIN_FILENO)
        dup2(to, STDIN_FILENO);
    close_range(STDERR_FILENO - 1, ~0U, 0);
    l = look_at(d);
    if (write(STDIN_FILENO, &l, sizeof(l)) != sizeof(l))
        _exit(1);
    _exit(0);
}

/* Until what comes from the process that looks. -ETIMEDOUT. */
static int await_look(const struct disk_config *d, int from, struct look *l)
{
    struct pollfd p = { .fd = from, .events = POLLIN };

    if (poll(&p, 1, TELL_MS) == 0) {
        note("waiting for %s, disk %s", d->path, d->vdev);
        if (poll(&p, 1, GIVE_UP_MS) == 0)
            return -ETIMEDOUT;
    }
    return read(from, l, sizeof(*l)) == sizeof(*l) ? 0 : -EIO;
}

/*
 * The server of a file system may hang, and who asks it then cannot even be
 * killed: so another process asks.
 */
static int look_patiently(const struct disk_config *d, struct look *l)
{
    int ends[2], err;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        look_and_tell(d, ends[1]);
    err = pid < 0 ? -errno : 0;
    close(ends[1]);
    if (pid > 0)
        err = await_look(d, ends[0], l);
    close(ends[0]);
    if (pid > 0 && err == -ETIMEDOUT)
        kill(pid, SIGKILL);
    else if (pid > 0)
        waitpid(pid, NULL, 0);
    return err;
}

static int check_disk(struct disk_config *d)
{
    struct look l;
    int err = look_patiently(d, &l);

    if (err == -ETIMEDOUT)
        return complain("%s for disk %s does not answer; is the server of its "
                        "file system there?",
                        d->path, d->vdev);
    if (err == 0)
        err = l.err;
    if (err != 0)
        return complain("cannot open %s for disk %s: %s%s", d->path, d->vdev,
                        strerror(-err),
                        err == -EACCES && !d->read_only &&
                                access(d->path, R_OK) == 0
                            ? "; access r would need no right to write"
                            : "");
    d->block_device = S_ISBLK(l.mode);
    d->bytes = l.bytes;
    if (!d->block_device && !S_ISREG(l.mode))
        return complain("%s for disk %s is neither a file nor a block device",
                        d->path, d->vdev);
    if (l.writes_fail)
        return complain("%s for disk %s may only be read; access r would do",
                        d->path, d->vdev);
    if (d->bytes < 512)
        return complain("%s for disk %s is smaller than one sector", d->path,
                        d->vdev);
    return 0;
}

/* ---- network ---- */

/* Binds the port as the backend will, to learn whether it can. */
static int try_port(struct forward *f)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_port = htons(f->host_port) };
    socklen_t len = sizeof(sa);
    int one = 1, err = 0;
    int fd =
        socket(AF_INET, (f->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (!f->udp)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    inet_pton(AF_INET, f->host_addr, &sa.sin_addr);
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
        (!f->udp && listen(fd, 1) != 0) ||
        getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        err = -errno;
    else
        f->host_port = ntohs(sa.sin_port);
    close(fd);
    return err;
}

static int check_forward(struct forward *f)
{
    const char *kind = f->udp ? "udp" : "tcp";
    int err = try_port(f);

    if (err == -EADDRINUSE)
        return complain("%s port %u of %s is taken; choose another, or 0 for "
                        "any free one",
                        kind, f->host_port, f->host_addr);
    if (err == -EACCES)
        return complain("%s port %u needs privileges; choose one above 1023",
                        kind, f->host_port);
    if (err != 0)
        return complain("cannot use %s port %u of %s: %s", kind, f->host_port,
                        f->host_addr, strerror(-err));
    return 0;
}

static bool is_any(const struct forward *f)
{
    return strcmp(f->host_addr, "0.0.0.0") == 0;
}

static bool same_port(const struct forward *a, const struct forward *b)
{
    return a->udp == b->udp && a->host_port == b->host_port &&
           a->host_port != 0 &&
           (is_any(a) || is_any(b) || strcmp(a->host_addr, b->host_addr) == 0);
}

static int check_forwards_differ(const struct guest_config *c,
                                 const struct vif_config *v, unsigned int n)
{
    const struct forward *f = &v->forwards[n];

    for (const struct vif_config *w = c->vifs; w <= v; w++) {
        unsigned int end = w == v ? n : w->nr_forwards;

        for (unsigned int i = 0; i < end; i++) {
            if (same_port(&w->forwards[i], f))
                return complain("%s port %u is forwarded twice",
                                f->udp ? "udp" : "tcp", f->host_port);
        }
    }
    return 0;
}

/* Is there a network device of that name, and does it have `entry`? */
static bool net_device_has(const char *dev, const char *entry)
{
    char path[80];

    snprintf(path, sizeof(path), "/sys/class/net/%s/%s", dev, entry);
    return access(path, F_OK) == 0;
}

static int check_vif(const struct guest_config *c, struct vif_config *v)
{
    int err = 0;

    if (v->type == VIF_TAP && !net_device_has(v->dev, "tun_flags"))
        return complain("there is no TAP device %s; make one with "
                        "'ip tuntap add %s mode tap user $USER'",
                        v->dev, v->dev);
    if (v->type == VIF_BRIDGE && !net_device_has(v->dev, "bridge"))
        return complain("there is no bridge %s; make one with "
                        "'ip link add %s type bridge'",
                        v->dev, v->dev);
    for (unsigned int i = 0; i < v->nr_forwards && err == 0; i++) {
        err = check_forwards_differ(c, v, i);
        if (err == 0)
            err = check_forward(&v->forwards[i]);
    }
    return err;
}

/* ---- all of it ---- */

/* "build/examples/hello.elf" → "hello". */
static int name_after_kernel(struct guest_config *c)
{
    const char *slash = strrchr(c->kernel, '/');
    char name[64];
    size_t n = 0;

    for (const char *p = slash != NULL ? slash + 1 : c->kernel;
         *p != '\0' && n < 48 && strcmp(p, ".elf") != 0; p++)
        name[n++] = strchr("/ :@~", *p) != NULL ? '-' : *p;
    name[n] = '\0';
    if (n == 0 || strspn(name, "0123456789.-") == n)
        snprintf(name, sizeof(name), "guest");
    c->name_derived = true;
    return config_set_name(c, "name of the kernel", name);
}

static int check_vcpus(const struct guest_config *c)
{
    if (c->vcpus <= config_max_vcpus(c))
        return 0;
    return complain("vcpus = %u is more than maxvcpus = %u", c->vcpus,
                    config_max_vcpus(c));
}

#define TWIN ".native.elf"

/* In mode trap "hello.elf" means "hello.native.elf", if that stands beside it:
 * both are made from one source. */
static int find_twin(struct guest_config *c)
{
    size_t n = strlen(c->kernel), cut = strlen(".elf");
    char path[PATH_MAX];

    if (c->mode == MODE_PV || n < cut || strcmp(c->kernel + n - cut, ".elf"))
        return 0;
    if (snprintf(path, sizeof(path), "%.*s" TWIN, (int)(n - cut), c->kernel) >=
            (int)sizeof(path) ||
        access(path, R_OK) != 0)
        return 0;
    return config_set(&c->kernel, path);
}

static int check_mode(const struct guest_config *c)
{
    if (c->mode == MODE_PV || config_max_vcpus(c) == 1)
        return 0;
    return complain("a guest in mode trap has one vCPU, not %u",
                    config_max_vcpus(c));
}

int check_guest(struct guest_config *c)
{
    int err = check_kernel(c);

    if (err == 0)
        err = check_vcpus(c);
    if (err == 0)
        err = check_mode(c);
    if (err == 0 && c->name == NULL)
        err = name_after_kernel(c);
    if (err == 0)
        err = find_twin(c);
    if (err == 0)
        err = check_ramdisk(c);
    if (err == 0)
        err = check_cmdline(c);
    for (unsigned int i = 0; i < c->nr_disks && err == 0; i++)
        err = check_disk(&c->disks[i]);
    for (unsigned int i = 0; i < c->nr_vifs && err == 0; i++)
        err = check_vif(c, &c->vifs[i]);
    return err;
}
