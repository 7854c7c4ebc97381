/*
 * What tests of the control socket share: a host of engine `test` in this
 * process, guests without code, and clients as child processes.
 *
 * The host runs while a client does (run_client), in the same thread: between
 * two clients nothing happens, so that a test can look at the host's rooms.
 */
#ifndef RINGSIDE_CONTROL_FIXTURE_H
#define RINGSIDE_CONTROL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "ringside/client.h"

#define GUEST_PAGES 1024u

struct fixture {
    struct rs_host *host;
    char dir[32], path[64]; /* of the socket */
    unsigned int live;      /* clients that were started and not finished */
};

/* cmocka set-up and tear-down; *state is a struct fixture. The latter fails
 * when descriptors were left open. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

unsigned int open_descriptors(void);

/* A guest of GUEST_PAGES frames; each frame begins with its number. domid
 * 0xffff: the next. */
struct domain *make_guest(struct fixture *f, domid_t domid, const char *name);

/* The first word of a guest's frame. */
uint64_t *guest_word(struct domain *d, xen_pfn_t gfn);

/* Is the grant marked as being used? GTF_reading, GTF_writing. */
uint16_t grant_use(struct domain *d, grant_ref_t ref);

/*
 * Runs fn(f, arg) in a child process while the host serves; returns the
 * child's wait status. The child ends by returning (0) or by a failed CHECK.
 */
typedef void client_fn(struct fixture *f, void *arg);
int run_client(struct fixture *f, client_fn *fn, void *arg);

/* The same in two steps, for several clients at once. */
pid_t start_client(struct fixture *f, client_fn *fn, void *arg);
int finish_client(struct fixture *f, pid_t pid);
void serve_for(struct fixture *f, unsigned int ms);

/*
 * In a client: its connection, which the hypercalls of hypercall.h go over.
 * As a tool, or as what ringsided would have started: "store", "driver".
 */
extern struct rs_client *client;
int connect_tool(struct fixture *f);
int join_as(struct fixture *f, const char *role);
void leave(void);

/* In a client, where cmocka's own checks cannot reach the parent. */
#define CHECK(cond)                                                            \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fprintf(stderr, "%s:%d: client: %s\n", __FILE__, __LINE__, #cond); \
            _exit(1);                                                          \
        }                                                                      \
    } while (0)

/* Does reading (or writing) this byte raise SIGBUS? */
bool touch_faults(volatile void *addr, bool write);

#endif
