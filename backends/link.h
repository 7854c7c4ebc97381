/*
 * Links: where the frames of a virtual network card go.
 *
 * netback speaks the ring protocol to a guest and hands whole Ethernet frames
 * to a link, and the other way round. A link knows nothing about guests. All
 * calls are made, and all callbacks run, on the event loop's thread.
 *
 * Frames that a guest sends are hostile: a link that looks into them checks
 * what it reads. Frames are private copies by the time a link sees them, so
 * they do not change under its eyes.
 */
#ifndef RINGSIDE_BACKENDS_LINK_H
#define RINGSIDE_BACKENDS_LINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;

#define LINK_MTU_MIN   68
#define LINK_MTU_MAX   65520 /* with its header a frame fits into 16 pages */
#define LINK_HEADER    14    /* of Ethernet */
#define LINK_FRAME_MAX (LINK_MTU_MAX + LINK_HEADER)

#define LINK_FORWARDS_MAX 32

/* A port of the host that leads to a port of the guest. */
struct link_forward {
    bool udp;
    struct in_addr host;
    uint16_t host_port, guest_port;
};

struct link_config {
    unsigned int mtu;   /* LINK_MTU_MIN to LINK_MTU_MAX */
    char device[32];    /* tap: the device's name */
    char bridge[32];    /* tap: the bridge to attach it to, or "" */
    bool again;         /* tap: it was there before, and may come again */
    bool host_loopback; /* nat: the guest reaches the host's 127.0.0.1 */
    uint8_t mac[6];     /* nat: of the card; zero: of the first frame */
    unsigned int n_forwards;
    struct link_forward forwards[LINK_FORWARDS_MAX];
};

/*
 * What a link did since it was opened. A flow is a connection, or a socket for
 * datagrams, that the link holds a descriptor for.
 */
struct link_stats {
    uint64_t flows;         /* that there are now */
    uint64_t flows_evicted; /* ended, idle longest, to make room */
    uint64_t flows_refused; /* for which there was no room */
    uint64_t filtered;      /* frames of the guest that it may not send */
};

/* Who uses the link. */
struct link_user {
    /* A frame arrived; valid during the call only. May come inside send(). */
    void (*receive)(void *arg, const void *frame, size_t len);
    /*
     * What the link leads to went away, `why` says how, and frames are lost;
     * or (NULL) it is there again. From the loop, or from an open() that is
     * told to wait for it; never from a link whose other end cannot go.
     */
    void (*carrier)(void *arg, const char *why);
    void *arg;
};

struct link {
    const struct link_ops *ops;
    struct link_user user;
};

struct link_ops {
    const char *type; /* "nat", "tap" */

    /* Frames never cross a wire: received checksums need no check. */
    bool trusted;

    /*
     * Opens a link that runs on `base`. 0 or -errno with one line in why[n]
     * that names what is wrong (-EADDRINUSE: a forwarded port is taken).
     */
    int (*open)(struct event_base *base, const struct link_config *config,
                const struct link_user *user, struct link **out, char *why,
                size_t n);

    /* Sends one frame of LINK_HEADER to LINK_FRAME_MAX bytes, or drops it. */
    void (*send)(struct link *link, const void *frame, size_t len);

    /* Called once after a batch of send(). */
    void (*flush)(struct link *link);

    /*
     * true: receive() should not be called for now, the user has no room
     * (frames may still come, for example inside send()); false: go on.
     */
    void (*pause)(struct link *link, bool paused);

    void (*close)(struct link *link);

    /* NULL: it counts nothing. */
    void (*get_stats)(const struct link *link, struct link_stats *out);
};

extern const struct link_ops link_slirp;
extern const struct link_ops link_tap;

/*
 * Parses forwards separated by spaces or commas, each "PROTO:PORT:GUESTPORT"
 * or "PROTO:ADDRESS:PORT:GUESTPORT" with PROTO tcp or udp; the address is
 * 127.0.0.1 if not given. Fills in forwards and n_forwards; 0, or -EINVAL or
 * -E2BIG with a line in why[n].
 */
int link_parse_forwards(const char *text, struct link_config *config, char *why,
                        size_t n);

#endif
