/*
 * What these tests share: hosts with real processes, probes to run in them,
 * and looks at a guest's process from outside.
 *
 * Nothing here measures time but for limits: a deadline is a hang, not a goal.
 */
#ifndef TESTS_CONFINE_H
#define TESTS_CONFINE_H

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>

#include <cmocka.h>

#include "domain.h"
#include "probe.h"
#include "ringside/ringside.h"

struct confined {
    struct rs_host *h;
    char console[8192];
    size_t console_n;
};

/* The probe's ELF image. */
extern const uint8_t probe_image[], probe_image_end[];

/*
 * When a step that begins now has hung: in 20 s, or that many times
 * RINGSIDE_TEST_PATIENCE, for machines that are emulated.
 */
uint64_t confine_deadline(void);

/* RS_HOST_... of the hosts to make. */
extern unsigned int confine_flags;
/* vCPUs of the probes to boot, and RS_DOMAIN_... */
extern unsigned int confine_vcpus, confine_domain_flags;
/* They are native kernels (RS_DOMAIN_TRAP). */
extern bool confine_native;

/* Setup and teardown of a test: *state is a struct confined. */
int confine_setup(void **state);
int confine_teardown(void **state);

/* Boots the probe with this command line (printf); its domid. */
uint16_t confine_boot(struct confined *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with that much memory, still paused. */
uint16_t confine_create(struct confined *c, uint64_t kib, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

struct rs_domain_info confine_info(struct confined *c, uint16_t domid);

/* Dispatches until the domain has shut down; its info. */
struct rs_domain_info confine_wait(struct confined *c, uint16_t domid);

/* Dispatches until *word (of the probe) is at least `value`. */
void confine_wait_for(struct confined *c, volatile uint64_t *word,
                      uint64_t value);

/* Dispatches for so many ms. */
void confine_dispatch(struct confined *c, int ms);

/* A thread that dispatches, from start to end. */
struct confine_loop {
    struct confined *c;
    pthread_t thread;
    int stop; /* atomic */
};
void confine_loop_start(struct confine_loop *l, struct confined *c);
void confine_loop_end(struct confine_loop *l);

/* Boots, waits for the end, destroys; what it was is returned. The console's
 * text is in c->console, ended by NUL. */
struct rs_domain_info confine_run(struct confined *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A probe's memory at that address, seen by the hypervisor. */
void *confine_at(struct confined *c, uint16_t domid, uint64_t addr);
struct probe_shared *confine_shared(struct confined *c, uint16_t domid);

/* /proc/PID/NAME as a string (static, the last one). */
const char *confine_proc(int pid, const char *name);
/* The children of the host's zygote. */
unsigned int confine_count_processes(struct confined *c);
unsigned int confine_count_fds(void);

/* Root that may become another user (not everywhere in containers). */
bool confine_can_be_nobody(void);

/* Runs the tests; as root also once more, in a process of its own, as an
 * ordinary user. */
int confine_main(int argc, char **argv, int (*run)(void));

#endif
