/* What can be known to be wrong with a guest beforehand; see check.h. */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "image.h"
#include "say.h"

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

static int check_disk(struct disk_config *d)
{
    struct stat st;
    int fd, writes_fail = 0;

    fd = open(d->path,
              (d->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return complain("cannot open %s for disk %s: %s%s", d->path, d->vdev,
                        strerror(errno),
                        errno == EACCES && !d->read_only &&
                                access(d->path, R_OK) == 0
                            ? "; access r would need no right to write"
                            : "");
    if (fstat(fd, &st) != 0)
        st.st_mode = 0;
    d->block_device = S_ISBLK(st.st_mode);
    d->bytes = (uint64_t)st.st_size;
    if (d->block_device && ioctl(fd, BLKGETSIZE64, &d->bytes) != 0)
        d->bytes = 0;
    if (d->block_device && !d->read_only)
        ioctl(fd, BLKROGET, &writes_fail);
    close(fd);
    if (!d->block_device && !S_ISREG(st.st_mode))
        return complain("%s for disk %s is neither a file nor a block device",
                        d->path, d->vdev);
    if (writes_fail)
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
