/*
 * Engine `sandbox`: a domain is a confined Linux process (docs/engine.md,
 * second part).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sandbox.h"

/* ---- the host ---- */

static int open_buffers(struct sandbox_host *s)
{
    struct seccomp_notif_sizes sizes;

    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes))
        return -errno;
    s->notif_size = sizes.seccomp_notif;
    s->resp_size = sizes.seccomp_notif_resp;
    s->notif = calloc(1, s->notif_size);
    s->resp = calloc(1, s->resp_size);
    return s->notif && s->resp ? 0 : -ENOMEM;
}

static void host_close_sandbox(struct rs_host *h)
{
    struct sandbox_host *s = h->engine_host;

    zygote_close(s);
    if (s->boot_fd >= 0)
        close(s->boot_fd);
    if (s->dummy_fd >= 0)
        close(s->dummy_fd);
    free(s->notif);
    free(s->resp);
    free(s);
    h->engine_host = NULL;
}

/* A pipe's reading end: writing fails, so the hypervisor gets to refuse. */
static int open_dummy(void)
{
    int fd[2];

    if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
        return -errno;
    close(fd[1]);
    return fd[0];
}

/* What a guest's process needs stands at fixed numbers. */
static int check_limit(struct rs_host *h)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_max >= SANDBOX_FDS)
        return 0;
    return host_error(h, -EMFILE,
                      "the hard limit of open files is %llu, and a guest needs "
                      "%d (ulimit -Hn)",
                      (unsigned long long)r.rlim_max, SANDBOX_FDS);
}

static int host_open_sandbox(struct rs_host *h)
{
    struct sandbox_host *s;
    int err = check_limit(h);

    if (err)
        return err;
    s = calloc(1, sizeof(*s));
    if (!s)
        return host_error(h, -ENOMEM, "no memory");
    h->engine_host = s;
    s->host = h;
    s->zygote_fd = s->dummy_fd = -1;
    s->sync_wake = true;
    list_init(&s->ring_active);
    list_init(&s->ring_async);
    s->boot_fd = filter_build();
    if (s->boot_fd < 0)
        return host_error(h, s->boot_fd,
                          "cannot build the system call filter: %s",
                          strerror(-s->boot_fd));
    err = open_buffers(s);
    if (err)
        return host_error(h, err,
                          "this kernel has no seccomp user notification: %s",
                          strerror(-err));
    s->dummy_fd = open_dummy();
    if (s->dummy_fd < 0)
        return host_error(h, s->dummy_fd, "pipe: %s", strerror(-s->dummy_fd));
    err = zygote_open(s);
    if (err)
        return host_error(h, err, "cannot start the zygote: %s",
                          strerror(-err));
    return 0;
}

/* ---- creation ---- */

static void fill_page(struct vcpu *v)
{
    struct domain *d = v->domain;
    struct sandbox_page *p = sandbox_page_of(v);
    const struct domain_image *im = &d->image;
    uint64_t nr = d->memory.nr_pages;

    p->nr_pages = d->memory.nr_pages;
    p->nr_vcpus = d->nr_vcpus;
    p->stack = MEMORY_STACK_GFN(nr, v->id) << PAGE_SHIFT;
    p->stack_offset = (nr + MEMORY_OWN_STACK(v->id)) << PAGE_SHIFT;
    p->stack_size = MEMORY_STACK_PAGES << PAGE_SHIFT;
    sandbox_fill_entry(v);
    p->hypercall_page = im->hypercall_page;
    if (v->emulated)
        p->exit.native =
            d->decode_in_guest ? SANDBOX_NATIVE_STUB : SANDBOX_NATIVE;
    p->nr_segments = im->nr_segments;
    for (unsigned int i = 0; i < im->nr_segments; i++) {
        p->segment[i].start = im->segment[i].start;
        p->segment[i].end = im->segment[i].end;
        p->segment[i].prot = PROT_READ |
                             (im->segment[i].write ? PROT_WRITE : 0) |
                             (im->segment[i].execute ? PROT_EXEC : 0);
    }
}

/*
 * The signal stack is guest memory: upcalls and trap handlers run on it and
 * do hypercalls with arguments there.
 */
static int place_stack(struct vcpu *v)
{
    struct domain *d = v->domain;
    xen_pfn_t gfn = MEMORY_STACK_GFN((xen_pfn_t)d->memory.nr_pages, v->id);
    int err = 0;

    for (uint32_t i = 0; i < MEMORY_STACK_PAGES && !err; i++)
        err = memory_set_own(d, gfn + i, MEMORY_OWN_STACK(v->id) + i);
    return err;
}

static int open_vcpu(struct sandbox_domain *sd, struct vcpu *v)
{
    struct sandbox_vcpu *sv = &sd->vcpu[v->id];

    v->engine = sv;
    sv->vcpu = v;
    sv->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (sv->epfd < 0)
        return -errno;
    fill_page(v);
    return place_stack(v);
}

static int spawn(struct sandbox_domain *sd)
{
    struct domain *d = sd->domain;
    uint64_t page_offset = (uint64_t)(d->memory.nr_pages + MEMORY_OWN_ENGINE(0))
                           << PAGE_SHIFT;
    int sp[2], epfd[SANDBOX_MAX_VCPUS], pid;

    for (unsigned int i = 0; i < d->nr_vcpus; i++)
        epfd[i] = sd->vcpu[i].epfd;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp))
        return -errno;
    pid = zygote_spawn(sd->host, d->memory.fd, sp[1], epfd, d->nr_vcpus,
                       page_offset, &sd->pidfd);
    close(sp[1]);
    sd->socket.fd = sp[0];
    if (pid < 0)
        return pid;
    domain_set_pid(d, pid);
    return host_watch(d->host, &sd->socket, sp[0], EPOLLIN,
                      notify_listener_ready, sd);
}

static int create(struct domain *d)
{
    struct sandbox_domain *sd =
        calloc(1, sizeof(*sd) + d->nr_vcpus * sizeof(sd->vcpu[0]));
    int err = 0;

    if (!sd)
        return -ENOMEM;
    d->engine = sd;
    sd->domain = d;
    sd->host = d->host->engine_host;
    sd->pidfd = sd->socket.fd = sd->listener.fd = -1;
    for (unsigned int i = 0; i < d->nr_vcpus; i++)
        sd->vcpu[i].epfd = -1;
    d->evtchn.max = SANDBOX_PORTS;
    for (unsigned int i = 0; i < d->nr_vcpus && !err; i++)
        err = open_vcpu(sd, &d->vcpu[i]);
    return err ? err : spawn(sd);
}

/* ---- running and stopping ---- */

static void send_signal(struct sandbox_domain *sd, int sig)
{
    if (sd->pidfd >= 0 && !sd->dead)
        syscall(SYS_pidfd_send_signal, sd->pidfd, sig, NULL, 0);
}

static void resume(struct domain *d)
{
    struct sandbox_domain *sd = d->engine;

    if (notify_is_parked(sd))
        notify_start(sd);
    send_signal(sd, SIGCONT);
}

#define SLOW_NS       50000000u
#define STOP_LIMIT_NS 5000000000u

/* No guest can block SIGSTOP: only a crowded machine makes this last. */
static void pause_process(struct domain *d)
{
    struct sandbox_domain *sd = d->engine;
    uint64_t start = host_now(), took = 0;
    struct timespec nap = { 0, 5000 };

    send_signal(sd, SIGSTOP);
    for (unsigned int i = 0; i < d->nr_vcpus && sd->entered; i++)
        while (!sandbox_vcpu_stopped(&sd->vcpu[i]) && took < STOP_LIMIT_NS) {
            nanosleep(&nap, NULL);
            took = host_now() - start;
        }
    if (took > SLOW_NS)
        host_log(d->host, RS_LOG_WARN, "domain %u was slow to stop: %u ms",
                 d->domid, (unsigned int)(took / 1000000u));
}

/* Its vCPUs stop when they next run, which may be a while on a crowded
 * machine; nothing that they ask is answered meanwhile. */
static void stop_process(struct domain *d)
{
    send_signal(d->engine, SIGSTOP);
}

static bool has_ended(const struct sandbox_domain *sd, int wait_ms)
{
    struct pollfd p = { .fd = sd->pidfd, .events = POLLIN };
    int ended = sd->pidfd < 0;

    /* A signal to us does not make it dead: what it sees stays pinned. */
    while (!ended && (ended = poll(&p, 1, wait_ms)) < 0 && errno == EINTR)
        ended = 0;
    return ended == 1;
}

static void process_gone(void *data, uint32_t events)
{
    struct sandbox_domain *sd = data;

    (void)events;
    host_unwatch(sd->domain->host, &sd->exit);
    domain_killed(sd->domain);
}

/* Its memory is unmapped before the pidfd says that it has ended, and that
 * takes long if there is much of it. */
static bool kill_process(struct domain *d)
{
    struct sandbox_domain *sd = d->engine;

    send_signal(sd, SIGKILL);
    sd->dead = true;
    mailbox_close(sd);
    host_unwatch(d->host, &sd->socket);
    host_unwatch(d->host, &sd->listener);
    domain_set_pid(d, 0);
    if (has_ended(sd, 0))
        return true;
    if (host_watch(d->host, &sd->exit, sd->pidfd, EPOLLIN, process_gone, sd))
        sd->exit.ready = NULL;
    else
        return false;
    /* It cannot be watched: then it is waited for. */
    return has_ended(sd, -1);
}

static bool process_has_gone(struct domain *d, int wait_ms)
{
    struct sandbox_domain *sd = d->engine;

    if (!has_ended(sd, wait_ms))
        return false;
    host_unwatch(d->host, &sd->exit);
    return true;
}

void sandbox_vcpu_lost(const struct sandbox_vcpu *sv)
{
    struct sandbox_domain *sd = sv->vcpu->domain->engine;

    if (sd->lost || has_ended(sd, 0))
        return; /* its end will be reported */
    sd->lost = sv;
    send_signal(sd, SIGKILL);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void free_engine(struct domain *d)
{
    struct sandbox_domain *sd = d->engine;

    close_if_open(sd->socket.fd);
    close_if_open(sd->listener.fd);
    for (unsigned int i = 0; i < d->nr_vcpus; i++)
        close_if_open(sd->vcpu[i].epfd);
    close_if_open(sd->pidfd);
    free(sd);
    d->engine = NULL;
}

/* What a wait status says of the guest. */
static void report_end(struct domain *d, int status)
{
    const struct sandbox_domain *sd = d->engine;

    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && sd->lost)
        domain_crash(d, "killed: the thread of its vCPU %u had ended",
                     sd->lost->vcpu->id);
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        domain_crash(d,
                     "killed: it made a system call that is not a hypercall");
    else if (WIFSIGNALED(status))
        domain_crash(d, "its process was killed by signal %d (%s)",
                     WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == SANDBOX_NO_LISTENER)
        domain_crash(d, "its filter was refused: is there a sandbox around "
                        "this host that holds the seccomp listener?");
    else
        domain_crash(d, "its process could not start: step %d failed",
                     WEXITSTATUS(status));
}

/* The engine's part of a domain whose process lives, as far as is known. */
static struct sandbox_domain *alive(struct domain *d)
{
    struct sandbox_domain *sd = d->engine;

    return d->ops == &engine_sandbox && d->pid && sd && !sd->dead ? sd : NULL;
}

void sandbox_process_ended(struct sandbox_host *s, pid_t pid, int status)
{
    struct domain *d = domain_of_pid(s->host, pid);
    struct sandbox_domain *sd = d ? alive(d) : NULL;

    if (sd) {
        sd->dead = true;
        report_end(d, status);
    }
}

void sandbox_zygote_ended(struct sandbox_host *s)
{
    struct list *pos;

    list_for_each(pos, &s->host->domain_list) {
        struct sandbox_domain *sd =
            alive(container_of(pos, struct domain, link));

        if (sd) {
            sd->dead = true;
            domain_crash(sd->domain,
                         "it ended with the process that spawns domains");
        }
    }
}

static void guest_counts(struct domain *d, struct rs_guest_counts *out)
{
    _Static_assert(sizeof(*out) == sizeof(struct sandbox_counts),
                   "the same counters");
    for (unsigned int i = 0; i < d->nr_vcpus; i++) {
        const struct sandbox_page *p = sandbox_page_of(&d->vcpu[i]);
        const volatile uint64_t *from = &p->counts.sends;
        uint64_t *to = &out->sends;

        for (size_t k = 0; k < sizeof(*out) / sizeof(*to); k++)
            to[k] += from[k];
    }
}

/* ---- ports ---- */

static int epoll_add(struct vcpu *v, evtchn_port_t port, int rx)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = port };
    struct sandbox_vcpu *sv = v->engine;

    return epoll_ctl(sv->epfd, EPOLL_CTL_ADD, rx, &ev) ? -errno : 0;
}

static void epoll_del(struct vcpu *v, int rx)
{
    struct sandbox_vcpu *sv = v->engine;

    epoll_ctl(sv->epfd, EPOLL_CTL_DEL, rx, NULL);
}

static int port_attach(struct vcpu *v, evtchn_port_t port, int rx, int tx)
{
    struct sandbox_domain *sd = v->domain->engine;
    int err = epoll_add(v, port, rx);

    /* Before the start it is given with all others (notify_start()). */
    if (!err && tx >= 0 && sd->entered) {
        err = guest_fds_set(sd, tx, (int)port);
        if (err)
            epoll_del(v, rx);
    }
    return err;
}

static void port_detach(struct vcpu *v, evtchn_port_t port, int rx, int tx)
{
    struct sandbox_domain *sd = v->domain->engine;

    epoll_del(v, rx);
    if (tx >= 0 && sd->in_call)
        guest_fds_set(sd, sd->host->dummy_fd, (int)port);
}

/* What was sent before shows at once where it is added: at worst it is told
 * twice. */
static int port_move(struct vcpu *from, struct vcpu *to, evtchn_port_t port,
                     int rx)
{
    int err = epoll_add(to, port, rx);

    if (!err)
        epoll_del(from, rx);
    return err;
}

int sandbox_install_ports(struct sandbox_domain *sd)
{
    struct domain *d = sd->domain;
    int rx, tx, err = 0;

    for (evtchn_port_t p = 1; p < d->evtchn.nr && !err; p++)
        if (!evtchn_fds(d, p, &rx, &tx) && tx >= 0)
            err = guest_fds_set(sd, tx, (int)p);
    return err;
}

const struct engine_ops engine_sandbox = {
    .name = "sandbox",
    .host_open = host_open_sandbox,
    .host_close = host_close_sandbox,
    .poll = mailbox_poll,
    .domain_create = create,
    .domain_resume = resume,
    .domain_pause = pause_process,
    .domain_stop = stop_process,
    .domain_kill = kill_process,
    .domain_gone = process_has_gone,
    .domain_free = free_engine,
    .vcpu_up = sandbox_vcpu_up,
    .vcpu_down = sandbox_vcpu_down,
    .port_attach = port_attach,
    .port_detach = port_detach,
    .port_move = port_move,
    .physmap_set = mappings_queue,
    .guest_counts = guest_counts,
    .cpu_ns = domain_process_cpu_ns,
    .vcpu_times = sandbox_vcpu_times,
    .vcpu_pin = sandbox_vcpu_pin,
};
