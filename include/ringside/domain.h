/*
 * What domains are made with, and what is told about them: the same words for
 * programs that embed the hypervisor (ringside.h), for those that talk to
 * ringsided (client.h), on the control socket and in the hypervisor.
 *
 * The structs have neither padding nor pointers, since they travel between
 * processes as they are. Who told what they say: the hypervisor, unless it says
 * that the guest did. Times are nanoseconds, those with a name in _ns that are
 * points in time of CLOCK_MONOTONIC; memory is KiB.
 */
#ifndef RINGSIDE_RINGSIDE_DOMAIN_H
#define RINGSIDE_RINGSIDE_DOMAIN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_DOMID_DRIVER      1 /* the driver domain keeps this domid */
#define RS_DOMID_FIRST_GUEST 2
#define RS_NAME_MAX          64 /* with the final NUL */
#define RS_CMDLINE_MAX       1024
#define RS_VCPUS_MAX         8

/* Flags of creation; struct rs_domain_info tells the last two. */
#define RS_DOMAIN_STORE   1u  /* store ring and port for domain 0 */
#define RS_DOMAIN_CONSOLE 2u  /* console ring and port for the driver domain */
#define RS_DOMAIN_TRAP    4u  /* a native kernel, by trap-and-emulate; 1 vCPU */
#define RS_DOMAIN_POLLED  16u /* hypercalls by polled mailboxes, while often */

enum rs_domain_state {
    RS_DOMAIN_PAUSED,
    RS_DOMAIN_RUNNING,  /* or blocked */
    RS_DOMAIN_SHUTDOWN, /* stopped; kept for its reason until destroyed */
    RS_DOMAIN_DYING,    /* destroyed; other domains still map its pages */
};

struct rs_domain_info {
    uint32_t domid;
    enum rs_domain_state state;
    uint32_t shutdown_reason; /* SHUTDOWN_... of <xen/sched.h> */
    uint32_t exit_status;     /* of the guest's program */
    uint32_t vcpus;           /* that are up */
    uint32_t flags;           /* RS_DOMAIN_POLLED, RS_DOMAIN_TRAP, if so */
    uint32_t ports;           /* event channels in use */
    uint32_t grants_mapped;   /* foreign pages that it maps */
    int32_t pid;              /* of its process, 0 if none */
    uint32_t store_gfn, store_port, console_gfn, console_port;
    uint32_t reserved;
    uint64_t memory_kib;   /* as configured, without what it gave back */
    uint64_t cpu_ns;       /* consumed by all vCPUs */
    uint64_t hypercalls;   /* that reached the hypervisor */
    uint64_t polled_calls; /* of these, by mailbox */
    uint64_t traps;        /* of a native kernel, emulated or reflected */
    uint64_t created_ns;   /* when creation began */
    uint64_t started_ns;   /* its first instruction could run; 0: not yet */
    char name[RS_NAME_MAX];
    char crash[160]; /* why it crashed, or "" */
};

enum rs_vcpu_state {
    RS_VCPU_DOWN,    /* not raised by the guest */
    RS_VCPU_RUNNING, /* or ready to */
    RS_VCPU_BLOCKED,
};

struct rs_vcpu_info {
    uint32_t id;
    enum rs_vcpu_state state;
    int32_t cpu; /* the processor it ran on last; -1: none */
    uint32_t reserved;
    uint64_t cpu_ns;    /* how long it ran */
    uint64_t stolen_ns; /* how long it was ready and waited for a processor */
    uint64_t cpus;      /* processors it may run on: bit n is number n */
};

/* Times in a histogram: entry 0 counts those below RS_HISTOGRAM_MIN_NS, entry
 * i those below RS_HISTOGRAM_MIN_NS << i, the last one all the rest. */
#define RS_HISTOGRAM        20
#define RS_HISTOGRAM_MIN_NS 32

/* What one domain asked of the hypervisor by one hypercall. */
struct rs_hypercall_stats {
    char name[24];     /* "event_channel_op"; "other": what there is not */
    uint64_t calls;    /* made by themselves */
    uint64_t batched;  /* made as entries of multicalls */
    uint64_t failed;   /* of both; the result was negative */
    uint64_t total_ns; /* the hypervisor's time for `calls` */
    uint64_t histogram[RS_HISTOGRAM]; /* of the calls that have ended */
};

/* What engine `sandbox` does inside the guest's process, without the
 * hypervisor. The guest reports it, and can report what it likes. */
struct rs_guest_counts {
    uint64_t sends;   /* events sent directly */
    uint64_t blocks;  /* SCHEDOP_block */
    uint64_t polls;   /* SCHEDOP_poll */
    uint64_t unmasks; /* EVTCHNOP_unmask of a vCPU's own port */
    uint64_t timers;  /* timers set */
    uint64_t upcalls; /* event callbacks */
    uint64_t traps;   /* exceptions given to its handlers */
    uint64_t ticks;   /* interruptions of a running vCPU */
    uint64_t changes; /* mappings made, removed or protected */
};

struct rs_host_info {
    uint32_t pid;                         /* of the hypervisor's process */
    uint32_t domains;                     /* how many there are */
    uint32_t cpus;                        /* processors that are online */
    uint32_t flags;                       /* RS_HOST_... of ringside.h */
    uint64_t memory_kib, memory_free_kib; /* the budget for guests */
    uint64_t uptime_ns;
    char engine[16];
    char version[32]; /* "0.1.0" */
};

#ifdef __cplusplus
}
#endif
#endif
