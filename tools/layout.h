/*
 * A domain's nodes in the xenstore (docs/store-layout.md): writing them,
 * looking at its devices, removing them.
 *
 * What a backend writes is read with suspicion (the driver domain has no
 * privilege); what a guest may write is not read here at all.
 */
#ifndef RINGSIDE_TOOLS_LAYOUT_H
#define RINGSIDE_TOOLS_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "guest_config.h"

struct xs_pipeline;
struct rs_client_created;
struct log_mark;

/*
 * Writes all nodes of a new domain in one transaction and introduces it; `log`
 * is where its console's log begins. 0, or -EINVAL after a complaint; nothing
 * is left behind then.
 */
int layout_create(struct xs_pipeline *store, const struct guest_config *c,
                  const struct rs_client_created *d,
                  const struct log_mark *log);

/*
 * Removes all that layout_create() and the domain's devices wrote. What is not
 * there is fine, so that two may do it.
 */
void layout_remove(struct xs_pipeline *store, unsigned int domid);

/* The directory of a backend: "/local/domain/1/backend/vbd/2/51712". */
void layout_backend(char *path, size_t n, const char *type, unsigned int domid,
                    unsigned int devid);

/* The state node's number (enum xenbus_state) in a directory; 0: none. */
unsigned int layout_state(struct xs_pipeline *store, const char *dir);

/* Writes a node; false: errno. */
bool layout_write(struct xs_pipeline *store, const char *path,
                  const char *value);

/* The decimal in a node, or `missing`. */
unsigned long layout_number(struct xs_pipeline *store, const char *dir,
                            const char *node, unsigned long missing);

/*
 * Copies a node's text to value[n], cut, as somebody wrote it: to be shown by
 * way of printable.h. false if it is absent.
 */
bool layout_read(struct xs_pipeline *store, const char *dir, const char *node,
                 char *value, size_t n);

/*
 * Calls fn for each backend directory of the domain, with its type and devid;
 * stops when fn returns non-zero, which is returned.
 */
int layout_each_backend(struct xs_pipeline *store, unsigned int domid,
                        int (*fn)(void *arg, const char *dir, const char *type,
                                  unsigned int devid),
                        void *arg);

/* Asks all backends of the domain to close: online = 0, state = Closing. */
void layout_close_backends(struct xs_pipeline *store, unsigned int domid);

/* Have all backends of the domain come to state Closed, or gone? */
bool layout_backends_closed(struct xs_pipeline *store, unsigned int domid);

/* The name of the console's pty; false while there is none. */
bool layout_console(struct xs_pipeline *store, unsigned int domid, char *tty,
                    size_t n);

/* The same of the console for standard error, which not every guest has. */
#define LAYOUT_ERROR_CONSOLE 1
bool layout_error_console(struct xs_pipeline *store, unsigned int domid,
                          char *tty, size_t n);

/* Where the console's log begins; false: nobody wrote it down. */
bool layout_log_start(struct xs_pipeline *store, unsigned int domid,
                      struct log_mark *log);

#endif
