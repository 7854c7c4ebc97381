/* ringside pause, unpause, destroy, shutdown: one domain's life. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"
#include "options.h"
#include "say.h"
#include "verbs.h"

#define STOP_HOST_MS 10000
#define KEEPER_MS    10000

/* Refuses the toolstack's own domain and the driver domain. */
static int find_guest(const struct host *h, const char *domain,
                      struct rs_domain_info *info)
{
    int err = domain_find(h, domain, info);

    if (err == 0 && info->domid <= RS_DOMID_DRIVER)
        return complain("domain %u belongs to the host itself", info->domid);
    return err;
}

static int failed(const char *what, const struct rs_domain_info *info, int err)
{
    if (err == -ESRCH)
        return complain("%s is gone", info->name);
    return complain("cannot %s %s: %s", what, info->name, strerror(-err));
}

/* ---- the work ---- */

static int do_pause(struct host *h, const struct rs_domain_info *info)
{
    int err = rs_client_domain_pause(h->client, (uint16_t)info->domid);

    return err == 0 ? 0 : failed("pause", info, err);
}

static int do_unpause(struct host *h, const struct rs_domain_info *info)
{
    int err = rs_client_domain_unpause(h->client, (uint16_t)info->domid);

    return err == 0 ? 0 : failed("unpause", info, err);
}

/* The guest's keeper has the locks of its disks until it hears of the end. */
static int do_destroy(struct host *h, const struct rs_domain_info *info)
{
    struct guest g = { .host = h, .d.domid = info->domid };
    struct pollfd keeper = { .fd = guest_keeper(&g), .events = POLLIN };

    guest_remove(&g, NULL, NULL);
    if (keeper.fd >= 0) {
        poll(&keeper, 1, KEEPER_MS);
        close(keeper.fd);
    }
    return 0;
}

static int do_shutdown(struct host *h, const struct rs_domain_info *info)
{
    if (info->state == RS_DOMAIN_SHUTDOWN)
        return complain("%s has shut down already", info->name);
    return guest_ask_shutdown(h->store, info->domid, "poweroff");
}

/* One domain, one deed. */
static int act(int argc, char **argv,
               int (*deed)(struct host *h, const struct rs_domain_info *info))
{
    struct rs_domain_info info;
    const char *domain;
    struct host h;
    int err = options_domain(argc, argv, &domain);

    if (err == 0)
        err = host_open(&h);
    if (err != 0)
        return EXIT_FAILURE;
    err = find_guest(&h, domain, &info);
    if (err == 0)
        err = deed(&h, &info);
    host_close(&h);
    return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int verb_pause(int argc, char **argv)
{
    return act(argc, argv, do_pause);
}

int verb_unpause(int argc, char **argv)
{
    return act(argc, argv, do_unpause);
}

int verb_destroy(int argc, char **argv)
{
    return act(argc, argv, do_destroy);
}

/* ---- shutdown, with its options ---- */

struct shutdown_options {
    bool wait, all;
};

static int set_shutdown_option(void *arg, int letter, const char *value)
{
    struct shutdown_options *o = arg;

    (void)value;
    if (letter == 'w')
        o->wait = true;
    else
        o->all = true;
    return 0;
}

/*
 * Until the domain is gone with all that it had, or its keeper is: that leaves
 * a domain behind that is to be kept after its end.
 */
static void wait_gone(struct host *h, const struct rs_domain_info *info)
{
    struct guest g = { .host = h, .d.domid = info->domid };
    struct pollfd keeper = { .fd = guest_keeper(&g), .events = POLLIN };
    struct rs_domain_info now;

    if (guest_watch(&g) == 0) {
        while (guest_look(&g, &now) == GUEST_LIVES)
            guest_wait(&g, 250);
        for (int i = 0; i < KEEPER_MS / 50 && keeper.fd >= 0; i++) {
            if (guest_look(&g, &now) == GUEST_DESTROYED ||
                poll(&keeper, 1, 0) == 1)
                break;
            guest_wait(&g, 50);
        }
        guest_unwatch(&g);
    }
    if (keeper.fd >= 0)
        close(keeper.fd);
}

static int shutdown_one(struct host *h, const char *domain, bool wait)
{
    struct rs_domain_info info;
    int err = find_guest(h, domain, &info);

    if (err == 0)
        err = do_shutdown(h, &info);
    if (err == 0 && wait)
        wait_gone(h, &info);
    return err;
}

static int shutdown_all(struct host *h, bool wait)
{
    struct rs_domain_info *list;
    int n = domain_list(h, &list), err = n < 0 ? n : 0;

    for (int i = 0; i < n; i++) {
        if (list[i].domid > RS_DOMID_DRIVER &&
            list[i].state != RS_DOMAIN_SHUTDOWN &&
            do_shutdown(h, &list[i]) != 0)
            err = -EINVAL;
    }
    for (int i = 0; i < n && wait; i++) {
        if (list[i].domid > RS_DOMID_DRIVER)
            wait_gone(h, &list[i]);
    }
    if (n >= 0)
        free(list);
    return err;
}

int verb_shutdown(int argc, char **argv)
{
    static const char *const names[] = { "wait", "all" };
    struct option_spec spec = {
        .letters = "wa",
        .names = names,
        .set = set_shutdown_option,
        .max = 1,
    };
    struct shutdown_options o = { .wait = false };
    struct host h;
    int rest, err = options_parse(argc, argv, &spec, &o, &rest);

    if (err == 0 && o.all == (rest < argc))
        err = complain("'ringside shutdown' needs a DOMAIN (name or id), or "
                       "--all");
    if (err != 0 || host_open(&h) != 0)
        return EXIT_FAILURE;
    if (o.all)
        err = shutdown_all(&h, o.wait);
    else
        err = shutdown_one(&h, argv[rest], o.wait);
    host_close(&h);
    return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the end of the user's host ---- */

/* SIGTERM, and then it must end: 0, or -errno. */
static int stop_process(pid_t pid)
{
    struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0),
                        .events = POLLIN };
    int err = 0;

    if (p.fd < 0)
        return -errno;
    if (syscall(SYS_pidfd_send_signal, p.fd, SIGTERM, NULL, 0) != 0)
        err = -errno;
    else if (poll(&p, 1, STOP_HOST_MS) != 1)
        err = -ETIMEDOUT;
    close(p.fd);
    return err;
}

int verb_stop_host(int argc, char **argv)
{
    static const struct option_spec spec = { .letters = "" };
    struct rs_host_info info;
    struct host h;
    int rest, err;

    if (options_parse(argc, argv, &spec, NULL, &rest) != 0 ||
        host_open(&h) != 0)
        return EXIT_FAILURE;
    err = rs_client_host_info(h.client, &info);
    if (err == 0)
        err = stop_process((pid_t)info.pid);
    if (err != 0)
        complain("cannot stop the host in %s (process %u): %s", h.rundir,
                 info.pid, strerror(-err));
    host_close(&h);
    return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
