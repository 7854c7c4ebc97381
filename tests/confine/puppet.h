/*
 * A guest whose vCPUs are puppets: each does the system calls that the test
 * says, when it says so (mode "puppets" of the probe). So the test is the
 * hostile stub, and what it does comes in an order that it chose.
 */
#ifndef TESTS_PUPPET_H
#define TESTS_PUPPET_H

#include "confine.h"
#include "sandbox/sandbox.h"

#define PUPPET_MAX 4u

struct puppets {
    struct confined *c;
    struct domain *d;
    unsigned int nr;
    struct probe_slot *slot; /* of each vCPU */
    int wake[PUPPET_MAX];    /* eventfds in the vCPUs' epoll sets */
    bool busy[PUPPET_MAX];   /* asked, and not waited for with success */
};

/* Boots a guest of `nr` puppets. */
void puppets_boot(struct puppets *p, struct confined *c, unsigned int nr);
void puppets_destroy(struct puppets *p);

static inline struct sandbox_vcpu *puppet_vcpu(const struct puppets *p,
                                               unsigned int vcpu)
{
    return p->d->vcpu[vcpu].engine;
}

/* Where arguments of a vCPU's calls are put, for the test and for the guest. */
void *puppet_args(const struct puppets *p, unsigned int vcpu);
#define PUPPET_ARGS(vcpu) (PROBE_ARGS + 4096ull * (vcpu))

/* Has a vCPU begin a call. */
void puppet_ask(struct puppets *p, unsigned int vcpu, unsigned long nr,
                const uint64_t args[6]);
/* Dispatches until the call is done (true), or the vCPU waits in it because it
 * is down (false). */
bool puppet_wait(struct puppets *p, unsigned int vcpu);
/* What the last call that is done returned. */
long puppet_result(const struct puppets *p, unsigned int vcpu);

/* Both, and what it returned. Arguments that are not given are 0. */
long puppet_call_args(struct puppets *p, unsigned int vcpu, unsigned long nr,
                      const uint64_t args[6]);
#define puppet_call(p, vcpu, nr, ...) \
    puppet_call_args(p, vcpu, nr, (const uint64_t[6]){ __VA_ARGS__ })

/* What a vCPU was told to change, number i in its page. */
struct sandbox_change puppet_told(const struct puppets *p, unsigned int vcpu,
                                  unsigned int i);
/* The mmap() that carries a change out. */
void puppet_mmap_args(const struct sandbox_change *c, uint64_t args[6]);
long puppet_carry_out(struct puppets *p, unsigned int vcpu,
                      const struct sandbox_change *c);

#endif
