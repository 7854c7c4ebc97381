/*
 * The guest SDK: what a guest program has besides the C library.
 *
 * A guest is one C program with main(argc, argv), built by ringside-cc and
 * booted by `ringside run --kernel X.elf`. The first tier is the C library:
 * stdio on the console, malloc(), time(), clock_gettime(), nanosleep(), files
 * of mounted file systems. The tiers here are Ringside's own: threads, pages,
 * event channels, grants, the store. Block devices are in <ringside/blk.h>,
 * sockets in <lwip/sockets.h>.
 *
 * Calls return 0 (or what is said) or -errno. Times are in ns; a timeout of
 * RS_FOREVER waits for ever, 0 polls. Threads are cooperative: one runs until
 * it blocks or yields. A guest that has several virtual CPUs runs as many at
 * the same time; what they share needs a mutex. Nothing here may be called from
 * an event handler, except where marked [event].
 */
#ifndef RINGSIDE_GUEST_H
#define RINGSIDE_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ringside/blk.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_PAGE_SIZE  4096
#define RS_FOREVER    UINT64_MAX
#define RS_DOMID_SELF 0x7ff0u

/* ---- time ---- */

/* Monotonic, since the start of the host; the same in all its guests. [event]
 */
uint64_t rs_now(void);
void rs_sleep(uint64_t ns);

/* ---- threads ---- */

struct rs_thread;

/* stack_bytes 0: 64 KiB. NULL: no memory. Join or detach it. */
struct rs_thread *rs_thread_create(const char *name, void (*fn)(void *arg),
                                   void *arg, size_t stack_bytes);
void rs_thread_join(struct rs_thread *t);
void rs_thread_detach(struct rs_thread *t);
void rs_thread_yield(void);

/* Virtual CPUs that run threads now, and the one that runs the caller. */
unsigned int rs_vcpus_online(void);
unsigned int rs_vcpu(void);

/* Recursive mutexes; NULL: no memory. */
struct rs_mutex;
struct rs_mutex *rs_mutex_new(void);
void rs_mutex_free(struct rs_mutex *m);
void rs_mutex_lock(struct rs_mutex *m);
void rs_mutex_unlock(struct rs_mutex *m);

struct rs_semaphore;
struct rs_semaphore *rs_semaphore_new(unsigned int count);
void rs_semaphore_free(struct rs_semaphore *s);
/* 0, or -ETIMEDOUT. */
int rs_semaphore_down(struct rs_semaphore *s, uint64_t timeout);
void rs_semaphore_up(struct rs_semaphore *s); /* [event] */

/* ---- pages: what can be granted ---- */

/* n contiguous pages, filled with zeros; NULL: no memory. */
void *rs_pages_alloc(size_t n);
void rs_pages_free(void *addr, size_t n);

/* ---- event channels ---- */

struct rs_event;

/* Makes a port that domain `domid` may connect to; tell it rs_event_port(). */
int rs_event_listen(unsigned int domid, struct rs_event **out);
/* Connects to a port that domain `domid` made for us. */
int rs_event_connect(unsigned int domid, uint32_t port, struct rs_event **out);
uint32_t rs_event_port(const struct rs_event *e);
void rs_event_notify(struct rs_event *e); /* [event] */
/* Waits for an event since the last call; several count as one. */
int rs_event_wait(struct rs_event *e, uint64_t timeout);
void rs_event_close(struct rs_event *e);

/* ---- grants ---- */

/* Lets a domain map the page at addr; the reference is for it. */
int rs_grant(unsigned int domid, const void *addr, bool read_only,
             uint32_t *ref);
/* -EBUSY: the other domain still has it mapped. */
int rs_grant_end(uint32_t ref);

/* Copies n bytes out of, or into, a page that domain `domid` granted us; not
 * beyond its end. Cheaper than a mapping that is used once. */
int rs_grant_read(unsigned int domid, uint32_t ref, unsigned int offset,
                  void *to, unsigned int n);
int rs_grant_write(unsigned int domid, uint32_t ref, unsigned int offset,
                   const void *from, unsigned int n);

struct rs_mapping;
/* Maps n pages that domain `domid` granted us, contiguously. */
int rs_map(unsigned int domid, const uint32_t *refs, unsigned int n,
           bool read_only, struct rs_mapping **out);
void *rs_map_address(const struct rs_mapping *m);
void rs_unmap(struct rs_mapping *m);

/* ---- the store ---- */

/*
 * Paths without leading '/' are relative to this domain's own directory.
 * *value and *names are to be free()d (once); value ends with a NUL.
 */
int rs_store_read(const char *path, char **value);
int rs_store_write(const char *path, const char *value);
int rs_store_remove(const char *path);
int rs_store_list(const char *path, char ***names, size_t *n);

struct rs_watch;
/* fn runs in a thread of the kernel, at once and after each change. */
int rs_store_watch(const char *path, void (*fn)(void *arg, const char *path),
                   void *arg, struct rs_watch **out);
void rs_store_unwatch(struct rs_watch *w);

/* ---- files: block devices are in <ringside/blk.h> ---- */

/* Mounts the tar archive on a disk ("xvda") read-only at path ("/"). */
int rs_mount_tar(const char *disk, const char *path);

/* ---- odds and ends ---- */

/* What is in use, for looking after leaks. */
struct rs_usage {
    size_t pages_free;
    unsigned int grants, events, threads;
};
void rs_usage(struct rs_usage *out);

#ifdef __cplusplus
}
#endif

#endif
