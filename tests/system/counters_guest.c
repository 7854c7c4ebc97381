/*
 * The guest of counters.sh: does a known number of things for each line on its
 * console, which begins with a number, and repeats the line when they are done.
 *
 *   0  nothing
 *   1  hypercalls, events, a batch
 *   2  reads and writes of xvda
 *   3  reports garbage about itself
 *   4  hypercalls, without end
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ringside/blk.h>
#include <ringside/guest.h>

#include "libhypercall/hypercall.h"

#define SENDS 500

static char buf[65536] __attribute__((aligned(4096)));
static struct rs_blk *disk;
static evtchn_port_t here;

static void send(unsigned int n)
{
    while (n--)
        hypercall_evtchn_send(here);
}

static void hypercalls(void)
{
    struct multicall_entry e[10];

    for (int i = 0; i < 1000; i++)
        hypercall_xen_version(XENVER_version, NULL, 0);
    for (int i = 0; i < 7; i++)
        hypercall_xen_version(99, NULL, 0);
    for (int i = 0; i < 10; i++)
        e[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version,
                                         .args = { XENVER_version } };
    hypercall5(__HYPERVISOR_multicall, (unsigned long)e, 10, 0, 0, 0);
    send(SENDS);
}

/* 64 reads of 4,096 bytes, 16 writes of 8,192. */
static void blocks(void)
{
    for (uint64_t i = 0; i < 64; i++)
        rs_blk_read(disk, i * 16, buf, 8);
    for (uint64_t i = 0; i < 16; i++)
        rs_blk_write(disk, i * 32, buf, 16);
    rs_blk_flush(disk);
}

/*
 * Where the engine's half of this process counts: a word behind one of the
 * pointers that GS leads to which goes up by what we send.
 */
static uint64_t *find_counter(void)
{
    static uint64_t before[512];
    uint64_t **vcpu;

    __asm__("mov %%gs:0, %0" : "=r"(vcpu));
    for (int k = 1; k < 6; k++) {
        uint64_t *page = vcpu[k];

        if (!page || (uintptr_t)page % 4096 || (uintptr_t)page < 1 << 20)
            continue;
        memcpy(before, page, sizeof(before));
        send(SENDS);
        for (int i = 0; i < 512; i++)
            if (page[i] - before[i] == SENDS)
                return &page[i];
    }
    return NULL;
}

static void lie(void)
{
    uint64_t *counter = find_counter();

    if (!counter)
        exit(3);
    *counter = 9000000000000000000u;
}

static void nothing(void)
{
}

static _Noreturn void never_stop(void)
{
    for (;;) {
        for (int i = 0; i < 1000; i++)
            hypercall_xen_version(XENVER_version, NULL, 0);
        rs_thread_yield();
    }
}

static void (*const deeds[])(void) = { nothing, hypercalls, blocks, lie,
                                       nothing };
#define DEEDS (sizeof(deeds) / sizeof(deeds[0]))

int main(void)
{
    evtchn_port_t there;
    char line[64];

    if (rs_blk_open("xvda", &disk) ||
        hypercall_evtchn_alloc_unbound(DOMID_SELF, &there) ||
        hypercall_evtchn_bind_interdomain(DOMID_SELF, there, &here))
        return 1;
    while (fgets(line, sizeof(line), stdin)) {
        unsigned int n = (unsigned int)(line[0] - '0');

        if (n < DEEDS)
            deeds[n]();
        printf("done %s", line);
        fflush(stdout);
        if (n == 4)
            never_stop();
    }
    return 0;
}
