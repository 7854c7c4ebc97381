/*
 * What the tests of the core share: a host with engine `test`, domains whose
 * guest is the test itself, processes that joined, and counts of what must
 * not leak.
 *
 * A guest's addresses are the test's to use from CORE_ARG on: one scratch page
 * for the arguments of hypercalls (CORE_ARG), then free RAM up to its end.
 */
#ifndef TESTS_UNIT_CORE_H
#define TESTS_UNIT_CORE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>

#include <cmocka.h>

#include "domain.h"
#include "ringside/ringside.h"

#define CORE_KIB          2048u
#define CORE_PAGES        (CORE_KIB / 4)
#define CORE_ARG          0x180000ull /* scratch for arguments */
#define CORE_RAM          0x181000ull /* free RAM from here on */
#define CORE_RAM_END      (CORE_PAGES * 4096ull)
#define CORE_APERTURE_GFN (CORE_PAGES + 1ull) /* behind shared_info */

/* A host with engine `engine`, 64 MiB to spend; its log is dropped. */
struct rs_host *core_host(const char *engine);

/* The smallest image that boots: text, hypercall page and data. */
#define CORE_IMAGE_SIZE  0x4000u
#define CORE_IMAGE_ENTRY 0x100000ull
#define CORE_IMAGE_PAGE  0x101000ull /* the hypercall page */
#define CORE_IMAGE_PHDRS 3u          /* text, data, note */
void core_image(uint8_t image[CORE_IMAGE_SIZE]);

/* A running domain of CORE_KIB; its domid. */
uint16_t core_boot(struct rs_host *h);
uint16_t core_boot_flags(struct rs_host *h, unsigned int flags);

/* A process joins as domid 0 or RS_DOMID_DRIVER; pages that are granted to
 * it count in core_windows. */
struct domain *core_join(struct rs_host *h, uint16_t domid);
extern int core_windows;
extern int core_window_busy; /* grant_close answers -EBUSY */

/* The room behind a domid. */
struct domain *core_domain(struct rs_host *h, uint16_t domid);

/* Guest memory at addr (to the end of its page); fails the test if none. */
void *core_at(struct rs_host *h, uint16_t domid, uint64_t addr);

/* A hypercall with plain arguments. */
long core_call(struct rs_host *h, uint16_t domid, unsigned int nr, uint64_t a0,
               uint64_t a1, uint64_t a2);

/* A hypercall (cmd, struct [, count 1]): copies the struct in and out. */
long core_op(struct rs_host *h, uint16_t domid, unsigned int nr, uint64_t cmd,
             void *op, size_t size);
/* The same by a process. */
long core_process_op(struct domain *d, unsigned int nr, uint64_t cmd, void *op,
                     size_t size);

/* Did an event arrive at the port since the last look? */
bool core_pending(struct rs_host *h, uint16_t domid, uint32_t port);

/* Descriptors of this process, and its mappings of guests' memory. */
unsigned int core_count_fds(void);
unsigned int core_count_maps(void);

/* Budget that domains hold, in pages. */
uint64_t core_used(struct rs_host *h);

#endif
