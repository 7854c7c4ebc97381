/*
 * The process behind a client: who it is, the role it takes, and its end.
 *
 * A process domain ends in an order that no process can spoil: first nothing
 * of it sees a granted page any more (it dropped them, or it is dead), then its
 * mappings are unpinned and its ports closed.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.5. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define DEATH_WAIT_MS 2000

int peer_identify(struct client *c, int fd)
{
    struct ucred cred;
    socklen_t n = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n))
        return -errno;
    if (cred.uid != 0 && cred.uid != geteuid()) {
        host_log(c->control->host, RS_LOG_WARN,
                 "control: refused a connection of user %u", cred.uid);
        return -EPERM;
    }
    c->pid = cred.pid;
    return 0;
}

static int open_pidfd(const struct client *c)
{
    int fd;
    socklen_t n = sizeof(fd);

    if (!getsockopt(c->socket.fd, SOL_SOCKET, SO_PEERPIDFD, &fd, &n))
        return fd;
    fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    return fd < 0 ? -errno : fd;
}

static bool is_dead(const struct client *c)
{
    struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

/* ---- the end ---- */

/*
 * In strict windows we see for ourselves what is gone; that also covers a
 * process that shared its memory with another. Otherwise death must do.
 */
static bool sees_nothing(struct client *c)
{
    if (c->domain->grants.used_maps == 0)
        return true;
    return windows_strict(&c->windows) ? windows_dropped(&c->windows)
                                       : is_dead(c);
}

static void destroy_domain(struct client *c)
{
    struct domain *d = c->domain;

    c->domain = NULL;
    host_log(c->control->host, RS_LOG_INFO, "domain %u (%s): process %d left",
             d->domid, d->name, (int)c->pid);
    domain_destroy(d);
}

static void process_died(void *data, uint32_t events)
{
    struct client *c = data;

    (void)events;
    host_unwatch(c->control->host, &c->exit);
    control_reap(c);
}

static void kill_process(struct client *c)
{
    host_log(c->control->host, RS_LOG_WARN,
             "domain %u (%s): left with granted pages mapped, killed",
             c->domain->domid, c->domain->name);
    syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

bool peer_leave(struct client *c)
{
    if (!c->domain)
        return false;
    if (sees_nothing(c)) {
        destroy_domain(c);
        return false;
    }
    /* Dead and still there: another process shares its memory. The pages
     * stay pinned; whoever takes the role next looks again. */
    if (is_dead(c) || c->exit.ready)
        return true;
    kill_process(c);
    if (host_watch(c->control->host, &c->exit, c->pidfd, EPOLLIN, process_died,
                   c))
        c->exit.ready = NULL;
    return true;
}

void peer_leave_now(struct client *c)
{
    struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

    if (!c->domain)
        return;
    if (!sees_nothing(c)) {
        kill_process(c);
        while (poll(&p, 1, DEATH_WAIT_MS) < 0 && errno == EINTR)
            ;
    }
    destroy_domain(c);
}

/* ---- HELLO ---- */

/* Has its process gone, though the event loop has not come to it? */
static bool has_left(struct client *c)
{
    char byte;

    return c->socket.fd < 0 || is_dead(c) ||
           recv(c->socket.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static int free_role(struct control *ctl, enum control_role role)
{
    struct client *holder = control_client_of(ctl, role);

    if (holder && has_left(holder))
        control_reap(holder);
    return control_client_of(ctl, role) ? -EBUSY : 0;
}

static void tell_weak(struct control *ctl)
{
    if (!ctl->warned_weak)
        host_log(ctl->host, RS_LOG_WARN,
                 "control: no userfaultfd: processes that map grants can reach "
                 "all memory of the granter (isolation is weaker)");
    ctl->warned_weak = true;
}

static void open_windows(struct request *rq)
{
    struct client *c = rq->client;
    int uffd = rq->fds[0];

    rq->fds[0] = -1;
    if (rq->host->flags & RS_HOST_NO_USERFAULTFD && uffd >= 0) {
        close(uffd);
        uffd = -1;
    }
    windows_init(&c->windows, rq->host, uffd, c->pid);
    if (!windows_strict(&c->windows))
        tell_weak(c->control);
}

static int join(struct request *rq, enum control_role role)
{
    struct client *c = rq->client;
    domid_t domid = role == CONTROL_STORE ? 0 : RS_DOMID_DRIVER;
    int err = free_role(c->control, role);

    if (err)
        return err;
    c->pidfd = open_pidfd(c);
    if (c->pidfd < 0)
        return c->pidfd;
    err = domain_create_process(rq->host, domid, domid ? "driver" : "Domain-0",
                                &process_ops, &c->domain);
    if (err)
        return err;
    c->domain->process = c;
    c->domain->pid = c->pid;
    open_windows(rq);
    host_log(rq->host, RS_LOG_INFO, "domain %u (%s): process %d joined", domid,
             c->domain->name, (int)c->pid);
    return 0;
}

static void say_welcome(struct request *rq)
{
    const struct client *c = rq->client;
    struct control_welcome *welcome = rq->reply;

    *welcome = (struct control_welcome){
        .version = CONTROL_VERSION,
        .domid = c->domain ? c->domain->domid : DOMID_INVALID,
        .strict = windows_strict(&c->windows),
    };
    rq->reply_size = sizeof(*welcome);
}

long control_hello(struct request *rq)
{
    const struct control_hello *hello = rq->payload;
    struct client *c = rq->client;
    int err = 0;

    if (hello->version != CONTROL_VERSION)
        return -EPROTONOSUPPORT;
    if (hello->role > CONTROL_DRIVER)
        return -EINVAL;
    if (hello->role != CONTROL_TOOL)
        err = join(rq, hello->role);
    if (err)
        return err;
    c->greeted = true;
    c->role = hello->role;
    say_welcome(rq);
    return 0;
}

/*
 * The process runs another program now (execve), with new memory, of which it
 * gives us the userfaultfd. Only the store may: closing the old userfaultfd
 * would open to a dishonest process what it said it had unmapped.
 */
long control_renew(struct request *rq)
{
    struct client *c = rq->client;

    if (!windows_none(&c->windows))
        return -EBUSY;
    windows_free(&c->windows);
    open_windows(rq);
    say_welcome(rq);
    host_log(rq->host, RS_LOG_INFO, "domain %u (%s): process %d goes on",
             c->domain->domid, c->domain->name, (int)c->pid);
    return 0;
}
