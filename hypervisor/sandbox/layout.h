/*
 * What the engine and its stub agree on: descriptor numbers, the numbers of
 * hypercalls as system calls, and the page through which they talk.
 *
 * The stub is the engine's half that lives in the guest's process. After
 * guest entry the guest owns it: nothing that it writes here is believed.
 */
#ifndef RINGSIDE_SANDBOX_LAYOUT_H
#define RINGSIDE_SANDBOX_LAYOUT_H

#include <linux/filter.h>
#include <stdint.h>

#include "xen_compat.h"

/*
 * Descriptor numbers. A port's send side is the descriptor of its own number,
 * so that the filter allows `write` by one comparison; everything else
 * lies above the ports.
 */
#define SANDBOX_PORTS      960
#define SANDBOX_MAX_VCPUS  8
#define SANDBOX_FD_EPOLL   960 /* each vCPU's ports; kept */
#define SANDBOX_FD_RAM     968 /* the domain's memfd; kept */
#define SANDBOX_FD_SOCKET  969 /* to the hypervisor; closed before entry */
#define SANDBOX_FD_BOOT    970 /* struct sandbox_boot; closed before entry */
#define SANDBOX_FD_FOREIGN 976 /* others' memory, only while it is mapped */
#define SANDBOX_FDS        1024
_Static_assert(SANDBOX_FD_EPOLL % SANDBOX_MAX_VCPUS == 0 &&
                   SANDBOX_FD_RAM == SANDBOX_FD_EPOLL + SANDBOX_MAX_VCPUS,
               "the filter tells epoll files from others by a mask");

/* Hypercall nr is system call SANDBOX_BASE + nr; the engine's own follow. */
#define SANDBOX_BASE        0x5000u
#define SANDBOX_CALL_FINISH (SANDBOX_BASE + 64) /* changes are carried out */
/* vCPU (argument) is ready to enter the guest; answered when it may. */
#define SANDBOX_CALL_START (SANDBOX_BASE + 65)
/* Trap without handler: vector, rip, address, error code. */
#define SANDBOX_CALL_CRASH (SANDBOX_BASE + 66)
/* What a vCPU calls that got a SIGURG, and at each tick if its
 * runstate is to be written down. */
#define SANDBOX_CALL_RUNSTATE (SANDBOX_BASE + 67)
/* An exit of a native kernel: enum emulate_cause, address, where its registers
 * are (struct cpu_user_regs); 1: it halts, 0: it runs. */
#define SANDBOX_CALL_EXIT (SANDBOX_BASE + 68)
/* Whatever is in this vCPU's mailbox is to be answered. */
#define SANDBOX_CALL_MAIL (SANDBOX_BASE + 69)
#define SANDBOX_CALLS     70u

/* What the stub exits with when the first filter is refused: seccomp gives a
 * process one listener, which a sandbox around us may have. */
#define SANDBOX_NO_LISTENER 18

/* Where a native kernel's cli and sti are decoded; the rest always by the
 * hypervisor. */
#define SANDBOX_NATIVE      1u
#define SANDBOX_NATIVE_STUB 2u /* in the stub: for measuring */

#define SANDBOX_TICK_NS 4000000u

#define SANDBOX_MAX_CHANGES  48
#define SANDBOX_MAX_SEGMENTS 8
#define SANDBOX_MAX_FILTER   1024

/* A change of the address space for the stub to carry out by mmap(). */
struct sandbox_change {
    uint64_t addr, size;
    uint64_t offset; /* in file fd */
    int32_t fd;      /* -1: nothing is to be there */
    int32_t prot;    /* none: it is removed */
};

/* What the stub does by itself and counts, for those who ask. */
struct sandbox_counts {
    uint64_t sends, blocks, polls, unmasks, timers, upcalls, traps, ticks,
        changes;
};

/*
 * A vCPU's mailbox: the other way for a hypercall to the hypervisor
 * (mailbox.h). Each side writes a line of its own and only reads the other's,
 * so that a call moves two lines once. A request has a number, `asked`, and is
 * answered when `answered` is the same.
 */
struct sandbox_mailbox {
    struct { /* the guest's */
        uint32_t asked, nr;
        uint64_t args[5];
    } request __attribute__((aligned(64)));
    struct { /* the hypervisor's */
        uint32_t answered;
        uint32_t refused; /* nothing was done: by notification, please */
        int64_t value;    /* else: what the call returns */
        uint32_t polled;  /* somebody looks at requests */
    } answer __attribute__((aligned(64)));
};
_Static_assert(sizeof(struct sandbox_mailbox) == 128, "two lines");

/*
 * One page per vCPU in every domain's file, written by the hypervisor before
 * the vCPU's entry (the first part) and in its hypercalls (changes); read by
 * the stub. In the file that of vCPU k follows the stack of vCPU k - 1.
 */
struct sandbox_page {
    uint32_t nr_pages, nr_segments;
    uint32_t nr_vcpus, pad0;
    struct {
        uint64_t rip, rsp, rax, rcx, rdx, rbx, rbp, rsi, rdi;
    } entry;
    uint64_t hypercall_page;
    uint64_t stack, stack_offset, stack_size; /* for signals */
    struct {
        uint64_t start, end;
        uint32_t prot, pad;
    } segment[SANDBOX_MAX_SEGMENTS];

    uint32_t nr_changes;
    uint32_t continued; /* make the call again with these arguments */
    uint64_t continuation[3];
    struct { /* of a native kernel: what is to be done behind its exit */
        uint32_t native; /* 0: it is paravirtual */
        uint32_t new_fs;
        uint64_t fs_base;
        uint64_t deadline; /* system time of its timer; 0: none */
    } exit;
    struct sandbox_change change[SANDBOX_MAX_CHANGES];

    /* Written by the stub only, on a cache line of its own. */
    struct sandbox_counts counts __attribute__((aligned(64)));
    struct sandbox_mailbox mailbox;
};
_Static_assert(sizeof(struct sandbox_page) <= 4096, "one page");

/* The same for all domains of a host: the two filters. */
struct sandbox_boot {
    uint32_t len[2]; /* instructions */
    struct sock_filter filter[2][SANDBOX_MAX_FILTER];
};

#endif
