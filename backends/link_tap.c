/*
 * A TAP device of the host: frames as they are, to a bridge, a router or an
 * observer that the administrator has set up.
 *
 * The device is named by the toolstack. One that exists must be ours to use
 * (owner or CAP_NET_ADMIN); with the capability one that does not exist is made
 * and lasts until the link is closed. The administrator gives it addresses and
 * brings it up; a device for a bridge we attach to it and bring up ourselves.
 *
 * A device may be deleted under us. Then the link's user learns that it is
 * down, and we look every RETRY_MS whether we can attach to a device of that
 * name again. Only what was made for a bridge is made anew: one that the
 * administrator deleted is the administrator's to bring back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <sys/socket.h>

#include <net/if.h>

#include <linux/if_tun.h>
#include <linux/sockios.h>

#include <event2/event.h>

#include "link.h"
#include "list.h"

#define TAP_BATCH 64  /* frames read in one turn of the loop */
#define RETRY_MS  500 /* between two looks for a device that went away */

struct tap {
    struct link link;
    struct event_base *base;
    char device[IFNAMSIZ], bridge[IFNAMSIZ];
    int fd; /* -1: the device went away */
    bool paused;
    struct event *ready, *retry;
    char frame[LINK_FRAME_MAX];
};

static struct tap *tap_of(struct link *link)
{
    return container_of(link, struct tap, link);
}

/* A request about the device of that name, which fits. */
static void request_for(struct ifreq *r, const char *name)
{
    memset(r, 0, sizeof(*r));
    memcpy(r->ifr_name, name, strlen(name) + 1);
}

/* Attaches to the device; errno tells what went wrong. */
static int tap_attach(struct tap *tap, const char *device)
{
    struct ifreq r;

    request_for(&r, device);
    r.ifr_flags = IFF_TAP | IFF_NO_PI;
    tap->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap->fd < 0)
        return -1;
    return ioctl(tap->fd, TUNSETIFF, &r);
}

/* Makes the device a port of the bridge and brings it up. -1: errno. */
static int tap_join(const char *device, const char *bridge)
{
    struct ifreq r;
    int s, index, saved, rc = -1;

    s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return -1;
    request_for(&r, device);
    if (ioctl(s, SIOCGIFINDEX, &r))
        goto out;
    index = r.ifr_ifindex;
    request_for(&r, bridge);
    r.ifr_ifindex = index;
    if (ioctl(s, SIOCBRADDIF, &r))
        goto out;
    request_for(&r, device);
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    rc = ioctl(s, SIOCSIFFLAGS, &r);
out:
    saved = errno;
    close(s);
    errno = saved;
    return rc;
}

static void tap_unplug(struct tap *tap)
{
    if (tap->ready)
        event_free(tap->ready);
    if (tap->fd >= 0)
        close(tap->fd);
    tap->ready = NULL;
    tap->fd = -1;
}

/* Waits for a device of that name. */
static void tap_lost(struct tap *tap, int err)
{
    const struct timeval pause = { .tv_usec = RETRY_MS * 1000 };
    char why[100];

    tap_unplug(tap);
    snprintf(why, sizeof(why), "TAP device %s went away (%s)", tap->device,
             strerror(err));
    event_add(tap->retry, &pause);
    tap->link.user.carrier(tap->link.user.arg, why);
}

static void tap_readable(evutil_socket_t fd, short what, void *arg)
{
    struct tap *tap = arg;

    (void)what;
    for (int i = 0; i < TAP_BATCH && !tap->paused; i++) {
        ssize_t n = read(fd, tap->frame, sizeof(tap->frame));

        if (n < 0) {
            /* A device that is down has nothing to read, and is no error. */
            if (errno != EAGAIN && errno != EINTR)
                tap_lost(tap, errno);
            return;
        }
        if (n >= LINK_HEADER)
            tap->link.user.receive(tap->link.user.arg, tap->frame, (size_t)n);
    }
}

/* Attaches to the device; -errno with a reason, and then nothing is open. */
static int tap_plug(struct tap *tap, char *why, size_t n)
{
    int err = 0;

    if (tap_attach(tap, tap->device)) {
        err = -errno;
        snprintf(why, n, "cannot use TAP device %s: %s", tap->device,
                 strerror(-err));
    } else if (tap->bridge[0] && tap_join(tap->device, tap->bridge)) {
        err = -errno;
        snprintf(why, n, "cannot attach %s to bridge %s: %s", tap->device,
                 tap->bridge, strerror(-err));
    } else {
        tap->ready = event_new(tap->base, tap->fd, EV_READ | EV_PERSIST,
                               tap_readable, tap);
        if (!tap->ready || (!tap->paused && event_add(tap->ready, NULL)))
            err = -ENOMEM;
    }
    if (err)
        tap_unplug(tap);
    return err;
}

/* One that we may attach to; what is made for a bridge we make. */
static bool tap_is_there(const struct tap *tap)
{
    return tap->bridge[0] || if_nametoindex(tap->device);
}

static void tap_retry(evutil_socket_t fd, short what, void *arg)
{
    const struct timeval pause = { .tv_usec = RETRY_MS * 1000 };
    struct tap *tap = arg;
    char why[160];

    (void)fd;
    (void)what;
    if (tap_is_there(tap) && !tap_plug(tap, why, sizeof(why)))
        tap->link.user.carrier(tap->link.user.arg, NULL);
    else
        event_add(tap->retry, &pause);
}

static void tap_close(struct link *link)
{
    struct tap *tap = tap_of(link);

    tap_unplug(tap);
    if (tap->retry)
        event_free(tap->retry);
    free(tap);
}

static int tap_open(struct event_base *base, const struct link_config *config,
                    const struct link_user *user, struct link **out, char *why,
                    size_t n)
{
    struct tap *tap;
    int err;

    if (!config->device[0] || strlen(config->device) >= IFNAMSIZ ||
        strlen(config->bridge) >= IFNAMSIZ) {
        snprintf(why, n, "bad name of a TAP device");
        return -EINVAL;
    }
    tap = calloc(1, sizeof(*tap));
    if (!tap)
        return -ENOMEM;
    tap->link.ops = &link_tap;
    tap->link.user = *user;
    tap->base = base;
    tap->fd = -1;
    memcpy(tap->device, config->device, strlen(config->device));
    memcpy(tap->bridge, config->bridge, strlen(config->bridge));
    tap->retry = evtimer_new(base, tap_retry, tap);
    err = -ENOMEM;
    if (tap->retry && config->again && !tap_is_there(tap)) {
        tap_lost(tap, ENODEV);
        err = 0;
    } else if (tap->retry) {
        err = tap_plug(tap, why, n);
    }
    if (err)
        tap_close(&tap->link);
    else
        *out = &tap->link;
    return err;
}

static void tap_send(struct link *link, const void *frame, size_t len)
{
    const struct tap *tap = tap_of(link);
    ssize_t n = tap->fd < 0 ? 0 : write(tap->fd, frame, len);

    (void)n; /* a frame that the device does not take is lost, as on a wire */
}

static void tap_flush(struct link *link)
{
    (void)link;
}

static void tap_pause(struct link *link, bool paused)
{
    struct tap *tap = tap_of(link);

    if (tap->paused == paused)
        return;
    tap->paused = paused;
    if (!tap->ready)
        return;
    if (paused)
        event_del(tap->ready);
    else
        event_add(tap->ready, NULL);
}

const struct link_ops link_tap = {
    .type = "tap",
    .trusted = false,
    .open = tap_open,
    .send = tap_send,
    .flush = tap_flush,
    .pause = tap_pause,
    .close = tap_close,
};
