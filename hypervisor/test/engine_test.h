/*
 * What tests do in a domain of engine `test`.
 */
#ifndef RINGSIDE_ENGINE_TEST_H
#define RINGSIDE_ENGINE_TEST_H

#include <stdint.h>

struct rs_host;

/* A hypercall of vCPU 0, then the delivery of events; from any thread.
 * -ESRCH: no such domain of this engine; -EPERM: it has shut down. */
long rs_test_hypercall(struct rs_host *h, uint16_t domid, unsigned int nr,
                       const uint64_t args[6]);

/* The same of any vCPU; -ESRCH: there is none; -EPERM: it is down. */
long rs_test_vcpu_hypercall(struct rs_host *h, uint16_t domid,
                            unsigned int vcpu, unsigned int nr,
                            const uint64_t args[6]);

/* The hypervisor's address of guest address `addr`, to the end of its page;
 * NULL if nothing is there. Valid while the domain lives. */
void *rs_test_memory(struct rs_host *h, uint16_t domid, uint64_t addr);

#endif
