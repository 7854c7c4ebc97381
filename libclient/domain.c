/*
 * Control operations: what the toolstack asks of the hypervisor.
 *
 * Each function is one exchange. Images travel as sealed memory files, so that
 * the hypervisor can read them without trust in this process or in whatever
 * file system they came from.
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

#include "host.h"
#include "connection.h"

#define IMAGE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

/* An exchange that carries one struct there and at most one back. */
static long ask(enum control_type type, const void *out, size_t out_size,
                void *in, size_t in_size)
{
    struct control_message m = CONTROL_MESSAGE(out, out_size);
    struct control_reply r = CONTROL_REPLY(in, in_size);
    long ret = control_exchange(type, &m, &r);

    return ret >= 0 && r.size != in_size ? -EPROTO : ret;
}

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

/* The last kernel of which there is a sealed copy: many guests have one. */
static struct {
    struct stat st; /* st_nlink 0: none */
    int fd;
} last;

static bool is_last(const struct stat *st)
{
    return last.st.st_nlink && st->st_dev == last.st.st_dev &&
           st->st_ino == last.st.st_ino && st->st_size == last.st.st_size &&
           !memcmp(&st->st_mtim, &last.st.st_mtim, sizeof(st->st_mtim)) &&
           !memcmp(&st->st_ctim, &last.st.st_ctim, sizeof(st->st_ctim));
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

void hypercall_forget_kernel(void)
{
    if (last.st.st_nlink)
        close(last.fd);
    last.st.st_nlink = 0;
}

/* The same of a kernel, which is kept for the next domain. */
static int seal_kernel(int from)
{
    struct stat st;

    if (fstat(from, &st))
        return -errno;
    if (!is_last(&st)) {
        int copy = seal_image(from, "ringside-kernel");

        if (copy < 0)
            return copy;
        hypercall_forget_kernel();
        last.st = st;
        last.fd = copy;
    }
    int fd = fcntl(last.fd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static int say_why(char *why, size_t n, const char *what, int err)
{
    if (n)
        snprintf(why, n, "%s: %s", what, strerror(-err));
    return err;
}

static int send_create(const struct hypercall_create *c,
                       struct control_message *m, struct hypercall_created *out,
                       char *why, size_t n)
{
    struct control_create create = {
        .memory_kib = c->memory_kib,
        .vcpus = c->vcpus,
        .flags =
            (c->flags & HYPERCALL_CREATE_STORE ? CONTROL_CREATE_STORE : 0) |
            (c->flags & HYPERCALL_CREATE_CONSOLE ? CONTROL_CREATE_CONSOLE : 0) |
            (c->flags & HYPERCALL_CREATE_TRAP ? CONTROL_CREATE_TRAP : 0) |
            (c->flags & HYPERCALL_CREATE_TRAP_STUB ? CONTROL_CREATE_TRAP_STUB
                                                   : 0) |
            (c->flags & HYPERCALL_CREATE_RING ? CONTROL_CREATE_RING : 0),
    };
    struct control_created created = { 0 };
    struct control_reply r = CONTROL_REPLY(&created, sizeof(created));

    memcpy(create.name, c->name, sizeof(create.name));
    memcpy(create.cmdline, c->cmdline, sizeof(create.cmdline));
    m->head = &create;
    m->head_size = sizeof(create);
    long err = control_exchange(CONTROL_CREATE, m, &r);
    if (err < 0) {
        created.why[CONTROL_WHY_MAX - 1] = '\0';
        if (n && created.why[0]) {
            snprintf(why, n, "%s", created.why);
            return err;
        }
        return say_why(why, n, "hypervisor", err);
    }
    *out = (struct hypercall_created){
        .domid = created.domid,
        .store_gfn = created.store_gfn,
        .store_port = created.store_port,
        .console_gfn = created.console_gfn,
        .console_port = created.console_port,
    };
    return 0;
}

int hypercall_domain_create(const struct hypercall_create *c, int kernel_fd,
                            int module_fd, int console_fd,
                            struct hypercall_created *out, char *why, size_t n)
{
    struct control_message m = CONTROL_MESSAGE(NULL, 0);
    int err;

    m.fds[2] = console_fd;
    m.fds[0] = seal_kernel(kernel_fd);
    if (m.fds[0] < 0)
        return say_why(why, n, "kernel image", m.fds[0]);
    if (module_fd >= 0) {
        m.fds[1] = seal_image(module_fd, "ringside-module");
        if (m.fds[1] < 0) {
            err = say_why(why, n, "module", m.fds[1]);
            goto out;
        }
    }
    err = send_create(c, &m, out, why, n);
out:
    close(m.fds[0]);
    if (m.fds[1] >= 0)
        close(m.fds[1]);
    return err;
}

static void take_info(struct hypercall_info *out,
                      const struct control_domain_info *i)
{
    *out = (struct hypercall_info){
        .domid = i->domid,
        .state = i->state,
        .shutdown_reason = i->shutdown_reason,
        .exit_status = i->exit_status,
        .memory_kib = i->memory_kib,
        .cpu_ns = i->cpu_ns,
        .hypercalls = i->hypercalls,
        .ring_calls = i->ring_calls,
        .traps = i->traps,
        .created_ns = i->created_ns,
        .main_ns = i->started_ns,
        .ports = i->ports,
        .grants_mapped = i->grants_mapped,
        .pid = i->pid,
        .vcpus = i->vcpus,
        .flags = (i->flags & CONTROL_CREATE_RING ? HYPERCALL_CREATE_RING : 0) |
                 (i->flags & CONTROL_CREATE_TRAP ? HYPERCALL_CREATE_TRAP : 0),
    };
    _Static_assert(sizeof(out->name) == sizeof(i->name), "name");
    _Static_assert(sizeof(out->crash) == sizeof(i->crash), "crash");
    memcpy(out->name, i->name, sizeof(out->name) - 1);
    memcpy(out->crash, i->crash, sizeof(out->crash) - 1);
}

int hypercall_domain_info(domid_t domid, struct hypercall_info *out)
{
    struct control_domain d = { .domid = domid };
    struct control_domain_info info;
    long err = ask(CONTROL_INFO, &d, sizeof(d), &info, sizeof(info));

    if (!err)
        take_info(out, &info);
    return err;
}

int hypercall_domain_list(struct hypercall_info *out, unsigned int max)
{
    struct control_domain_info infos[CONTROL_LIST_MAX];
    struct control_domain d = { 0 };
    unsigned int count = 0;

    while (count < max) {
        struct control_message m = CONTROL_MESSAGE(&d, sizeof(d));
        struct control_reply r = CONTROL_REPLY(infos, sizeof(infos));

        d.max = max - count < CONTROL_LIST_MAX ? max - count : CONTROL_LIST_MAX;
        long n = control_exchange(CONTROL_LIST, &m, &r);
        if (n < 0)
            return n;
        if (n > d.max || r.size != n * sizeof(infos[0]))
            return -EPROTO;
        for (long i = 0; i < n; i++)
            take_info(&out[count++], &infos[i]);
        if (n < d.max)
            break;
        d.domid = out[count - 1].domid + 1;
    }
    return count;
}

int hypercall_domain_stats(domid_t domid, struct hypercall_stats *out)
{
    struct control_calls calls[CONTROL_CALLS_MAX];
    struct control_domain d = { .domid = domid };
    struct control_stats stats = { 0 };
    struct control_message m = CONTROL_MESSAGE(&d, sizeof(d));
    struct control_reply r = CONTROL_REPLY(&stats, sizeof(stats));

    r.body = calls;
    r.body_size = sizeof(calls);
    long err = control_exchange(CONTROL_STATS, &m, &r);
    if (err)
        return err;
    if (stats.calls > CONTROL_CALLS_MAX ||
        r.size != sizeof(stats) + stats.calls * sizeof(calls[0]))
        return -EPROTO;
    _Static_assert(sizeof(out->guest) == sizeof(stats.guest) &&
                       sizeof(out->calls) == sizeof(calls),
                   "as on the wire");
    memset(out, 0, sizeof(*out));
    memcpy(&out->guest, &stats.guest, sizeof(out->guest));
    memcpy(out->calls, calls, stats.calls * sizeof(calls[0]));
    out->nr_calls = stats.calls;
    for (unsigned int i = 0; i < out->nr_calls; i++)
        out->calls[i].name[sizeof(out->calls[i].name) - 1] = '\0';
    return 0;
}

int hypercall_vcpu_list(domid_t domid,
                        struct hypercall_vcpu_info out[HYPERCALL_VCPUS_MAX])
{
    struct control_vcpu in[HYPERCALL_VCPUS_MAX];
    struct control_domain d = { .domid = domid };
    struct control_message m = CONTROL_MESSAGE(&d, sizeof(d));
    struct control_reply r = CONTROL_REPLY(in, sizeof(in));
    long n = control_exchange(CONTROL_VCPUS, &m, &r);

    if (n < 0)
        return n;
    if (n > HYPERCALL_VCPUS_MAX || r.size != n * sizeof(in[0]))
        return -EPROTO;
    for (long i = 0; i < n; i++)
        out[i] = (struct hypercall_vcpu_info){ .id = in[i].id,
                                               .state = in[i].state,
                                               .cpu = in[i].cpu,
                                               .cpu_ns = in[i].cpu_ns,
                                               .stolen_ns = in[i].stolen_ns,
                                               .cpus = in[i].cpus };
    return n;
}

int hypercall_vcpu_pin(domid_t domid, unsigned int vcpu, uint64_t cpus)
{
    struct control_vcpu_pin p = { .domid = domid, .vcpu = vcpu, .cpus = cpus };

    return ask(CONTROL_VCPU_PIN, &p, sizeof(p), NULL, 0);
}

static int act_on(enum control_type type, domid_t domid)
{
    struct control_domain d = { .domid = domid };

    return ask(type, &d, sizeof(d), NULL, 0);
}

int hypercall_domain_pause(domid_t domid)
{
    return act_on(CONTROL_PAUSE, domid);
}

int hypercall_domain_unpause(domid_t domid)
{
    return act_on(CONTROL_UNPAUSE, domid);
}

int hypercall_domain_destroy(domid_t domid)
{
    return act_on(CONTROL_DESTROY, domid);
}

int hypercall_host_info(struct hypercall_host_info *out)
{
    struct control_host_info info;
    long err = ask(CONTROL_HOST_INFO, NULL, 0, &info, sizeof(info));

    if (err)
        return err;
    *out = (struct hypercall_host_info){
        .pid = info.pid,
        .domains = info.domains,
        .cpus = info.cpus,
        .engine_flags = info.flags,
        .memory_kib = info.memory_kib,
        .memory_free_kib = info.memory_free_kib,
        .uptime_ns = info.uptime_ns,
    };
    memcpy(out->engine, info.engine, sizeof(out->engine) - 1);
    memcpy(out->version, info.version, sizeof(out->version) - 1);
    return 0;
}
