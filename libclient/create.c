/*
 * Creation of a domain. Images travel as sealed memory files, so that the
 * hypervisor can read them without trust in this process or in whatever file
 * system they came from.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define IMAGE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

/*
 * How much of a file is worth sending: of an ELF file what its program headers
 * name, and not the debug information that follows; of others all.
 */
static off_t useful_size(int fd, off_t size)
{
    Elf64_Ehdr eh;
    Elf64_Phdr ph;
    off_t end = sizeof(eh);

    if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) ||
        memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
        eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_phentsize != sizeof(ph))
        return size;
    for (unsigned int i = 0; i < eh.e_phnum; i++) {
        off_t at = (off_t)(eh.e_phoff + i * sizeof(ph));

        if (pread(fd, &ph, sizeof(ph), at) != sizeof(ph) ||
            ph.p_offset > (uint64_t)size ||
            ph.p_filesz > (uint64_t)size - ph.p_offset)
            return size; /* the hypervisor says what is wrong with it */
        if (at + (off_t)sizeof(ph) > end)
            end = at + (off_t)sizeof(ph);
        if ((off_t)(ph.p_offset + ph.p_filesz) > end)
            end = (off_t)(ph.p_offset + ph.p_filesz);
    }
    return end;
}

static int copy_file(int to, int from, off_t size)
{
    ssize_t n;
    off_t at = 0;

    do {
        n = sendfile(to, from, &at, (size_t)(size - at));
    } while ((n > 0 && at < size) || (n < 0 && errno == EINTR));
    return n < 0 ? -errno : 0;
}

/* A sealed copy of a file's bytes, or -errno. */
static int seal_copy(int from, off_t size, const char *what)
{
    int to = memfd_create(what, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (to < 0)
        return -errno;
    int err = copy_file(to, from, useful_size(from, size));
    if (!err && fcntl(to, F_ADD_SEALS, IMAGE_SEALS))
        err = -errno;
    if (err) {
        close(to);
        return err;
    }
    return to;
}

static bool is_last(const struct rs_client *c, const struct stat *st)
{
    const struct stat *last = &c->kernel.st;

    return last->st_nlink && st->st_dev == last->st_dev &&
           st->st_ino == last->st_ino && st->st_size == last->st_size &&
           !memcmp(&st->st_mtim, &last->st_mtim, sizeof(st->st_mtim)) &&
           !memcmp(&st->st_ctim, &last->st_ctim, sizeof(st->st_ctim));
}

/* A sealed copy as the caller's own descriptor, or -errno. */
static int seal_image(int from, const char *what)
{
    struct stat st;

    if (fstat(from, &st))
        return -errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    return seal_copy(from, st.st_size, what);
}

void rs_client_forget_kernel(struct rs_client *c)
{
    if (c->kernel.st.st_nlink)
        close(c->kernel.fd);
    c->kernel.st.st_nlink = 0;
}

/* The same of a kernel, which is kept for the next domain. */
static int seal_kernel(struct rs_client *c, int from)
{
    struct stat st;

    if (fstat(from, &st))
        return -errno;
    if (!is_last(c, &st)) {
        int copy = seal_image(from, "ringside-kernel");

        if (copy < 0)
            return copy;
        rs_client_forget_kernel(c);
        c->kernel.st = st;
        c->kernel.fd = copy;
    }
    int fd = fcntl(c->kernel.fd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static int say_why(char *why, size_t n, const char *what, int err)
{
    if (n)
        snprintf(why, n, "%s: %s", what, strerror(-err));
    return err;
}

static int send_create(struct rs_client *c, const struct rs_client_create *want,
                       struct control_message *m, struct rs_client_created *out,
                       char *why, size_t n)
{
    struct control_create create = {
        .memory_kib = want->memory_kib,
        .vcpus = want->vcpus,
        .flags = want->flags,
    };
    struct control_created created = { 0 };
    struct control_reply r = CONTROL_REPLY(&created, sizeof(created));

    memcpy(create.name, want->name, sizeof(create.name));
    memcpy(create.cmdline, want->cmdline, sizeof(create.cmdline));
    m->head = &create;
    m->head_size = sizeof(create);
    long err = control_exchange(c, CONTROL_CREATE, m, &r);
    if (err < 0) {
        created.why[CONTROL_WHY_MAX - 1] = '\0';
        if (n && created.why[0]) {
            snprintf(why, n, "%s", created.why);
            return err;
        }
        return say_why(why, n, "hypervisor", err);
    }
    *out = (struct rs_client_created){
        .domid = created.domid,
        .store_gfn = created.store_gfn,
        .store_port = created.store_port,
        .console_gfn = created.console_gfn,
        .console_port = created.console_port,
    };
    return 0;
}

int rs_client_domain_create(struct rs_client *c,
                            const struct rs_client_create *want, int kernel_fd,
                            int module_fd, int console_fd,
                            struct rs_client_created *out, char *why, size_t n)
{
    struct control_message m = CONTROL_MESSAGE(NULL, 0);
    int err;

    m.fds[2] = console_fd;
    m.fds[0] = seal_kernel(c, kernel_fd);
    if (m.fds[0] < 0)
        return say_why(why, n, "kernel image", m.fds[0]);
    if (module_fd >= 0) {
        m.fds[1] = seal_image(module_fd, "ringside-module");
        if (m.fds[1] < 0) {
            err = say_why(why, n, "module", m.fds[1]);
            goto out;
        }
    }
    err = send_create(c, want, &m, out, why, n);
out:
    close(m.fds[0]);
    if (m.fds[1] >= 0)
        close(m.fds[1]);
    return err;
}
