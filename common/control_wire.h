/*
 * What travels over the control socket, $RUNDIR/hypervisor.sock.
 *
 * A UNIX SOCK_SEQPACKET socket: one request is one message, answered by one
 * message, strictly in turn; the hypervisor never speaks unasked. A message is
 * a struct control_header and `size` bytes of the struct that its type names.
 * Descriptors travel with it (SCM_RIGHTS) in the order of the bits of `fds`.
 * Numbers are the machine's (both ends are on one x86-64 machine), structs
 * have neither padding nor pointers, strings end with a NUL inside their
 * field. docs/control.md is the prose of this file.
 */
#ifndef RINGSIDE_CONTROL_WIRE_H
#define RINGSIDE_CONTROL_WIRE_H

#include <assert.h>
#include <stdint.h>

#include "ringside/domain.h"

#define CONTROL_VERSION     1u
#define CONTROL_PAYLOAD_MAX 16384u
#define CONTROL_FDS_MAX     3u

enum control_type {
    CONTROL_HELLO = 1,   /* control_hello → control_welcome */
    CONTROL_HYPERCALL,   /* control_hypercall + bytes → the same */
    CONTROL_WINDOW_FILE, /* control_window → the same, with size, and a file */
    CONTROL_WINDOW_OPEN,  /* control_window, with address → nothing */
    CONTROL_WINDOW_CLOSE, /* control_window → nothing */
    CONTROL_HOST_INFO,    /* nothing → rs_host_info */
    CONTROL_CREATE,       /* control_create and files → control_created */
    CONTROL_LIST,         /* control_domain → rs_domain_info[] */
    CONTROL_INFO,         /* control_domain → rs_domain_info */
    CONTROL_PAUSE,        /* control_domain → nothing; likewise: */
    CONTROL_UNPAUSE,
    CONTROL_DESTROY,
    CONTROL_RENEW,    /* nothing, and slot 0 as in HELLO → control_welcome */
    CONTROL_VCPUS,    /* control_domain → rs_vcpu_info[] */
    CONTROL_VCPU_PIN, /* control_vcpu_pin → nothing */
    CONTROL_STATS, /* control_domain → control_stats + rs_hypercall_stats[] */
    CONTROL_TYPES
};

struct control_header {
    uint32_t type;   /* enum control_type; a reply repeats it */
    uint32_t size;   /* bytes that follow */
    uint32_t fds;    /* a bit for each descriptor slot that is filled */
    uint32_t serial; /* a reply repeats it */
    int64_t result;  /* of a reply: what the call returns */
};
_Static_assert(sizeof(struct control_header) == 24, "wire");

enum control_role { CONTROL_TOOL, CONTROL_STORE, CONTROL_DRIVER };

/*
 * In the environment of a process that ringsided starts: which role it is to
 * take, and at which socket, "driver:/run/ringside/hypervisor.sock".
 */
#define CONTROL_IDENTITY    "RINGSIDE_IDENTITY"
#define CONTROL_STORE_NAME  "store"
#define CONTROL_DRIVER_NAME "driver"

/* Slot 0: a userfaultfd of this process, fresh, for its grant windows. */
struct control_hello {
    uint32_t version; /* CONTROL_VERSION */
    uint32_t role;    /* enum control_role */
};
_Static_assert(sizeof(struct control_hello) == 8, "wire");

struct control_welcome {
    uint32_t version;
    uint16_t domid;  /* DOMID_INVALID for a tool */
    uint16_t strict; /* grant windows show granted pages only */
};
_Static_assert(sizeof(struct control_welcome) == 8, "wire");

/*
 * A hypercall by value: `count` structs of `size` bytes follow and come back
 * as the call left them; its result is the header's. A call that gave the
 * caller a port tells it, with slot 0 = receive side, slot 1 = send side.
 */
struct control_hypercall {
    uint32_t nr, cmd;
    uint32_t size, count;
    uint32_t port; /* reply only; 0: none */
    uint32_t reserved;
};
_Static_assert(sizeof(struct control_hypercall) == 24, "wire");

#define CONTROL_ARGS_MAX \
    (CONTROL_PAYLOAD_MAX - (uint32_t)sizeof(struct control_hypercall))

/*
 * The view of one granter's memory. `id` tells two domains apart that had the
 * same domid one after the other.
 */
struct control_window {
    uint32_t domid;
    uint32_t reserved;
    uint64_t id;
    uint64_t address; /* where the caller mapped the file */
    uint64_t size;    /* of the file, bytes */
};
_Static_assert(sizeof(struct control_window) == 32, "wire");

struct control_domain {
    uint32_t domid; /* LIST: the first to tell of */
    uint32_t max;   /* LIST only */
};
_Static_assert(sizeof(struct control_domain) == 8, "wire");

#define CONTROL_WHY_MAX 256

/* Slots: 0 kernel, 1 module, both memory files sealed against change; 2 the
 * console's output. */
struct control_create {
    uint64_t memory_kib;
    uint32_t vcpus;
    uint32_t flags; /* RS_DOMAIN_... */
    char name[RS_NAME_MAX];
    char cmdline[RS_CMDLINE_MAX];
};
_Static_assert(sizeof(struct control_create) == 1104, "wire");

struct control_created {
    uint32_t domid;
    uint32_t store_gfn, store_port;
    uint32_t console_gfn, console_port;
    uint32_t reserved;
    char why[CONTROL_WHY_MAX]; /* of a failure, one line */
};
_Static_assert(sizeof(struct control_created) == 280, "wire");

/*
 * Information travels as the structs of <ringside/domain.h>; these are their
 * sizes without padding.
 */
_Static_assert(sizeof(struct rs_domain_info) == 336, "wire");
_Static_assert(sizeof(struct rs_vcpu_info) == 40, "wire");
_Static_assert(sizeof(struct rs_hypercall_stats) == 216, "wire");
_Static_assert(sizeof(struct rs_guest_counts) == 72, "wire");
_Static_assert(sizeof(struct rs_host_info) == 88, "wire");

struct control_vcpu_pin {
    uint32_t domid, vcpu;
    uint64_t cpus;
};
_Static_assert(sizeof(struct control_vcpu_pin) == 16, "wire");

struct control_stats {
    struct rs_guest_counts guest;
    uint32_t calls; /* how many rs_hypercall_stats follow */
    uint32_t reserved;
};
_Static_assert(sizeof(struct control_stats) == 80, "wire");

#define CONTROL_CALLS_MAX 64
_Static_assert(sizeof(struct control_stats) +
                       CONTROL_CALLS_MAX * sizeof(struct rs_hypercall_stats) <=
                   CONTROL_PAYLOAD_MAX,
               "one message");

#define CONTROL_LIST_MAX \
    (CONTROL_PAYLOAD_MAX / (uint32_t)sizeof(struct rs_domain_info))

#endif
