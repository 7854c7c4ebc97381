/* Live update: the new program's side; see handover.h. */
#include "conn/transport.h"
#include "daemon/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conn/conn.h"
#include "serve/store_life.h"
#include "serve/turn.h"
#include "state/state.h"
#include "store/hv.h"
#include "store/store.h"
#include "transport/conn_socket.h"
#include "transport/hv_ringside.h"

struct file {
    void *data;
    size_t len;
};

static int map_file(int fd, struct file *out)
{
    struct stat st;

    if (fstat(fd, &st))
        return -errno;
    if (st.st_size <= 0)
        return -ENODATA;
    out->len = (size_t)st.st_size;
    out->data = mmap(NULL, out->len, PROT_READ, MAP_PRIVATE, fd, 0);
    return out->data == MAP_FAILED ? -errno : 0;
}

/* ---- looking ---- */

/*
 * Checks what a new command line must not change: the socket and whether there
 * is a hypervisor.
 */
static int check_daemon(void *ctx, const struct state_daemon *d, char *why)
{
    const struct options *o = ctx;

    if (strcmp(o->socket, d->socket))
        snprintf(why, STATE_WHY_MAX,
                 "the socket is %.80s, and cannot change in a live update",
                 d->socket);
    else if ((d->hv.fd >= 0) == o->alone)
        snprintf(why, STATE_WHY_MAX,
                 "there is %s hypervisor, which cannot "
                 "change in a live update",
                 d->hv.fd >= 0 ? "a" : "no");
    else
        return 0;
    return -EINVAL;
}

int handover_check(const struct options *o)
{
    char why[STATE_WHY_MAX];
    struct file f;
    int err = map_file(o->check_fd, &f);

    if (err)
        snprintf(why, sizeof(why), "--check-state: %s", strerror(-err));
    else
        err = state_check(f.data, f.len, check_daemon, (void *)o, why);
    puts(why);
    return err ? 1 : 0;
}

/* ---- taking over ---- */

static void mark(int fd)
{
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int take_hypervisor(struct daemon *d, const struct state_daemon *s)
{
    int err;

    mark(s->hv.fd);
    mark(s->hv.virq_rx);
    err = hv_ringside_adopt(d->base, &s->hv, &d->hv);
    if (err)
        return err;
    d->store->hv = &hv_ringside_ops;
    d->store->hv_ctx = d->hv;
    return 0;
}

static void take_log(const struct state_daemon *s)
{
    int err = log_open(s->log[0] ? s->log : NULL);

    if (err)
        log_line("%s: %s", s->log, strerror(-err));
    log_set_trace(s->trace);
    for (int i = 0; i < LOG_SWITCHES; i++)
        log_set_switch((enum log_switch)i, s->switches[i]);
}

static int take_daemon(void *ctx, const struct state_daemon *s, char *why)
{
    struct daemon *d = ctx;
    int err = 0;

    mark(s->listener);
    if (s->hv.fd >= 0)
        err = take_hypervisor(d, s);
    if (!err)
        err = listener_continue(d->base, d->store, s->socket, s->listener,
                                &d->listener);
    if (err)
        snprintf(why, STATE_WHY_MAX, "descriptors: %s", strerror(-err));
    if (s->new_arguments)
        d->store->quota = d->options.quota;
    else
        take_log(s);
    return err;
}

static struct conn *take_conn(void *ctx, struct store *s, struct domain *dom,
                              const struct transport *t)
{
    struct daemon *d = ctx;

    mark(t->fd);
    mark(t->rx);
    mark(t->tx);
    if (t->ring)
        return d->hv ? hv_ringside_ring(d->hv, s, dom, t) : NULL;
    return listener_adopt(d->listener, t->fd);
}

int handover_take(struct daemon *d)
{
    static const struct state_ops ops = { take_daemon, take_conn };
    char why[STATE_WHY_MAX] = "";
    struct file f;
    int err = map_file(d->options.state_fd, &f);

    if (!err) {
        d->store = store_new(&hv_none, NULL);
        err = d->store ? 0 : -ENOMEM;
    }
    if (!err)
        store_clock(d->store);
    if (!err)
        err = state_load(d->store, f.data, f.len, &ops, d, why);
    if (err) {
        log_line("live update: %s", why[0] ? why : strerror(-err));
        return err;
    }
    munmap(f.data, f.len);
    close(d->options.state_fd);
    state_summary(d->store, why, sizeof(why));
    log_line("live update: going on with %s", why);
    return 0;
}
