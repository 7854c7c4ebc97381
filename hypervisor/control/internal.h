/*
 * Inside the control socket: clients, requests, and the handlers of each type
 * of request. See docs/control.md for the protocol and control_wire.h for its
 * structs.
 *
 *   control.c       the socket: who comes, messages in and out, who goes
 *   peer.c          HELLO, RENEW; the process behind a client; its end
 *   call.c          hypercalls and grant windows of process domains
 *   toolstack.c     what the toolstack asks
 *   console_sink.c  a domain's emergency console, to a tool's descriptor
 */
#ifndef RINGSIDE_CONTROL_INTERNAL_H
#define RINGSIDE_CONTROL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "control.h"
#include "control_wire.h"
#include "domain.h"
#include "host.h"
#include "list.h"
#include "window.h"

#define CONTROL_MESSAGE_MAX \
    (sizeof(struct control_header) + CONTROL_PAYLOAD_MAX)

/* One message; the payload is what control_wire.h says for its type. */
struct control_buffer {
    struct control_header h;
    uint8_t payload[CONTROL_PAYLOAD_MAX] __attribute__((aligned(8)));
};

struct control {
    struct rs_host *host;
    struct watch listen;
    char *path; /* of its socket */
    int spare;  /* given up for a moment to refuse when files are out */
    struct list clients;
    unsigned int nr_clients;
    bool warned_weak;              /* that windows are not strict */
    struct control_buffer in, out; /* of the request being served */
};

/* A reply that its client was too slow to take. */
struct control_backlog {
    size_t size;
    unsigned int nr_fds;
    int fds[CONTROL_FDS_MAX];
    uint8_t bytes[];
};

struct client {
    struct list link;
    struct control *control;
    struct watch socket;
    struct watch exit; /* pidfd, watched when the process must end first */
    int pidfd;
    pid_t pid;
    bool greeted;
    enum control_role role;
    struct domain *domain; /* of roles store and driver */
    struct window_set windows;
    struct control_backlog *backlog;
    /* A request whose reply is to come: */
    bool waits;
    uint32_t type, serial;
    struct domain_waiter waiter; /* for the end of a domain */
};

/* A request, checked for size, role and descriptors, and room for its reply. */
struct request {
    struct client *client;
    struct rs_host *host;
    const void *payload;
    uint32_t size;
    int *fds; /* by slot, -1: none; a handler that keeps one sets it -1 */

    void *reply; /* CONTROL_PAYLOAD_MAX bytes */
    uint32_t reply_size;
    int reply_fds[CONTROL_FDS_MAX]; /* borrowed until the reply has left */
};

/* What such a handler returns to end the connection: no honest client asks. */
#define CONTROL_DROP (-0x7fffffffL)
/* What a handler returns if its reply comes later, by control_reply_later();
 * until then nothing more is read from the client. */
#define CONTROL_LATER (-0x7ffffffeL)

typedef long control_fn(struct request *rq);

control_fn control_hello, control_renew, control_hypercall, control_window_file,
    control_window_open, control_window_close, control_host_info,
    control_create, control_list, control_info, control_pause, control_unpause,
    control_destroy, control_vcpus, control_vcpu_pin, control_stats;

/* ---- peer.c ---- */

/* Learns who the process is; -EPERM if it may not connect. */
int peer_identify(struct client *c, int fd);

/*
 * The connection has ended: closes what it held. A process that still sees
 * granted pages is killed first, and true means "call again when it is dead".
 */
bool peer_leave(struct client *c);

/* Waits (not for long) for that death: for the end of the host. */
void peer_leave_now(struct client *c);

/* ---- control.c ---- */

/* The client of this role that holds it, NULL. */
struct client *control_client_of(struct control *ctl, enum control_role role);

/* Ends a client whose process has gone, if that is so. */
void control_reap(struct client *c);

/* The reply of a request that returned CONTROL_LATER: a result, no payload. */
void control_reply_later(struct client *c, long result);

/* ---- call.c ---- */

extern const struct engine_ops process_ops;

/* ---- console_sink.c ---- */

struct control_sink;

/* Takes fd. */
struct control_sink *control_sink_new(struct rs_host *h, int fd);
void control_sink_free(void *sink);
/* A console callback of rs_domain_config; `data` is the sink. */
void control_sink_write(void *data, const char *bytes, size_t n);

#endif
