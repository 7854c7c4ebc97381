/*
 * The driver domain's view of the xenstore: nodes as strings and numbers, and
 * watches as callbacks on the event loop.
 *
 * A node is named by its directory and a name inside it. Calls are
 * synchronous but for store_write_soon(). What is read was written by a guest
 * or a tool and is hostile: numbers are parsed strictly. The real store is
 * store.c; unit tests link a store in memory instead.
 */
#ifndef RINGSIDE_BACKENDS_STORE_H
#define RINGSIDE_BACKENDS_STORE_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct store;

/*
 * Connects (to $XENSTORED_PATH, else the system's socket). Watch callbacks run
 * on `base`. lost(arg) is called once if the connection breaks. -errno.
 */
int store_open(struct event_base *base, void (*lost)(void *arg), void *arg,
               struct store **out);
void store_close(struct store *s);

/* The value, NUL-terminated, to be freed; NULL if there is none (errno). */
char *store_read(struct store *s, const char *dir, const char *node);

/*
 * Reads a decimal number not above max. -ENOENT: no such node; -EINVAL: not
 * such a number. *value is written on success only, so that it may hold a
 * default before.
 */
int store_read_u64(struct store *s, const char *dir, const char *node,
                   uint64_t max, uint64_t *value);

/* true if the node holds "1". */
bool store_read_flag(struct store *s, const char *dir, const char *node);

/*
 * Reads nodes of a directory in one go, up to a NULL: the next store_read() of
 * each returns what was found now. What is not read before the next write, the
 * next event of a watch, or the next call of this, is forgotten.
 */
void store_read_ahead(struct store *s, const char *dir,
                      const char *const nodes[]);

/*
 * Writes a node. -errno of this write, or of the first since the last call
 * that store_write_soon() made in vain.
 */
int store_write(struct store *s, const char *dir, const char *node,
                const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The same, but it leaves with what is asked next, in this order. */
void store_write_soon(struct store *s, const char *dir, const char *node,
                      const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The names in `path`, one allocation to be freed; NULL if there is none. */
char **store_list(struct store *s, const char *path, unsigned int *n);

/*
 * Calls fn(arg, path) soon after each change at or below `path` and once after
 * registration; path is the node that changed. Events may come late and say
 * nothing new: fn looks at the store itself. After store_unwatch() fn is
 * not called again. NULL: errno.
 */
struct store_watch;
typedef void store_watch_fn(void *arg, const char *path);
struct store_watch *store_watch(struct store *s, const char *path,
                                store_watch_fn *fn, void *arg);
void store_unwatch(struct store *s, struct store_watch *w);

#endif
