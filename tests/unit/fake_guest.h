/*
 * A guest kernel in a process, for tests of guest code on the host: one vCPU,
 * one thread, a clock that moves only while the thread sleeps, a grant table
 * that looks at what is granted, and the page allocator itself on an arena.
 *
 * While the thread sleeps the other side runs: a test's backend or store.
 */
#ifndef RINGSIDE_TESTS_FAKE_GUEST_H
#define RINGSIDE_TESTS_FAKE_GUEST_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_GUEST_PAGES 1100

struct fake_guest {
    uint64_t now;
    unsigned int events; /* sent, on whatever port */
    unsigned int ups;    /* semaphore_up() */
    unsigned int kicks;  /* of watches */
    unsigned int grants;
    unsigned int dirty_grants; /* pages that held secrets when granted */
    bool peer_bound;           /* what every port's status says */
    unsigned int asked;        /* for that status */

    char log[2000], text[2000]; /* console_report(), arch_log() */
    size_t log_len, text_len;

    void (*on_mask)(void); /* once, when upcalls are masked next */
    /* False: it does nothing, so time passes. */
    bool (*other_side)(void);
    unsigned int sleeps, sleeps_max; /* more of them count as stuck */
    jmp_buf *stuck; /* where a thread goes that would never wake; else abort */
};
extern struct fake_guest fake_guest;

/*
 * A new life. zeroed: the arena is, too, and every page that is granted is
 * looked at, which takes its time.
 */
void fake_guest_reset(bool zeroed);

/* Fills all memory that is free with secrets and gives it back. */
void fake_guest_leave_secrets(void);

/* Whether what was said on the hypervisor's log has this in it. */
bool fake_guest_said(const char *text);

#endif
