/*
 * One guest's life as the toolstack sees it: made, started, looked at, taken
 * away with everything that was made for it.
 *
 * Functions that return int return 0, or -EINVAL after a complaint, unless
 * said otherwise.
 */
#ifndef RINGSIDE_TOOLS_GUEST_H
#define RINGSIDE_TOOLS_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "ringside/client.h"

#include "guest_config.h"
#include "host.h"
#include "log_tail.h"

struct guest {
    struct host *host;
    const struct guest_config *config;
    struct rs_client_created d;
    char tty[64];       /* its console */
    char error_tty[64]; /* and that of standard error; "": it has none */
    struct log_mark log_start, error_start;
    bool watched;  /* guest_watch() */
    bool given_up; /* the driver domain does nothing: no use to wait for it */
    int locks[CONFIG_MAX_DISKS]; /* that hold the locks of its disks */
    unsigned int nr_locks;
};

/*
 * Makes a paused domain of a checked configuration, writes its nodes and waits
 * until the driver domain is ready to serve its devices. console_fd receives
 * the hypervisor's words about it. On failure nothing is left of it.
 */
int guest_create(struct guest *g, struct host *h, struct guest_config *c,
                 int console_fd);

int guest_start(struct guest *g);

/*
 * Both at once, and sooner: the guest boots while its nodes are written. What
 * it asks of the store is answered when they are complete, for only then the
 * store is told of it; so it sees no half of them.
 */
int guest_launch(struct guest *g, struct host *h, struct guest_config *c,
                 int console_fd);

/*
 * Takes it away: lets the backends finish (for a moment, while `pump`, which
 * may be NULL, is called to keep its console flowing), destroys the domain,
 * removes its nodes. It may be gone already.
 */
void guest_remove(struct guest *g, void (*pump)(void *arg), void *arg);

/*
 * A descriptor of the process that looks after the domain, readable when that
 * has ended: `run`, or what `create` left behind. -1: there is none any more.
 */
int guest_keeper(const struct guest *g);

/* How a domain stands. */
enum guest_end {
    GUEST_LIVES,
    GUEST_POWEROFF,
    GUEST_REBOOT,
    GUEST_SUSPEND,
    GUEST_CRASH,
    GUEST_DESTROYED, /* by somebody else */
    GUEST_HOST_GONE,
};
enum guest_end guest_look(const struct guest *g, struct rs_domain_info *info);

/*
 * What its configuration wants done at such an end. A guest that should be
 * restarted but ended within a second is not: complains.
 */
enum end_action guest_action(const struct guest_config *c, enum guest_end end,
                             const struct rs_domain_info *info);

/* Are all its devices connected? */
bool guest_connected(const struct guest *g);

/*
 * Done by guest_start(). From here poll() of xs_fileno(h->news) tells when
 * guest_look() or guest_connected() may have changed; guest_drain() after each.
 */
int guest_watch(struct guest *g);
void guest_unwatch(struct guest *g);
void guest_drain(struct guest *g);

/* Sleeps until the store has news, at most ms. */
void guest_wait(struct guest *g, int ms);

/*
 * (guest_disks.c) Locks the images of its disks, or says who is in the way; and
 * lets them go. The first is for guest_create() and guest_launch(), the second
 * also happens when this process ends.
 */
int guest_lock_disks(struct guest *g);
void guest_unlock_disks(struct guest *g);

/* Writes control/shutdown. */
int guest_ask_shutdown(struct xs_pipeline *store, unsigned int domid,
                       const char *what);

/* Does `text` name this domain, by name or id? */
bool domain_is(const struct rs_domain_info *d, const char *text);

/* The domain that `text` names. */
int domain_find(const struct host *h, const char *text,
                struct rs_domain_info *info);

/* All domains; returns how many, or -EINVAL. To be freed. */
int domain_list(const struct host *h, struct rs_domain_info **list);

/*
 * A verb whose only argument may be a domain: prints the heading, and has
 * `show` print the lines of that domain or of every one. Returns the exit
 * status.
 */
int domain_table(int argc, char **argv, const char *heading,
                 void (*show)(const struct host *h,
                              const struct rs_domain_info *d));

#endif
