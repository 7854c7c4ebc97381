/*
 * A whole store in memory, for tests and fuzzers: clients without sockets, a
 * hypervisor whose domains live and die as the test says, guests' ring pages
 * that are plain memory.
 *
 * No function asserts; tests compare what comes back.
 */
#ifndef TEST_XS_SESSION_H
#define TEST_XS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn/conn.h"
#include "serve/serve.h"
#include "serve/store_life.h"
#include "serve/turn.h"
#include "session/domain_life.h"
#include "store/hv.h"
#include "store/store.h"
#include "transport/conn_ring.h"

#define SESSION_DOMIDS 64

struct fake_domain {
    bool exists;
    bool on_ring; /* INTRODUCE makes a ring connection, not a client */
    struct hv_domain info;
    struct client *client;                 /* if introduced and not on_ring */
    struct xenstore_domain_interface page; /* if on_ring */
    struct conn *ring;
    unsigned int notified, bound;
};

struct session {
    struct store *s;
    struct fake_domain dom[SESSION_DOMIDS];
};

/* One end of a connection; `got` is what the store sent. */
struct client {
    struct conn *c; /* NULL when the store ended it */
    bool blocked;   /* takes nothing: flush sends nothing */
    unsigned int violations;
    unsigned char *got;
    size_t got_len, got_at, got_cap;
    struct message *events;
    size_t nr_events, events_at;
    uint32_t req_id;
    int number; /* during session_update() */
};

struct message {
    struct xsd_sockmsg hdr;
    char data[XENSTORE_PAYLOAD_MAX + 1]; /* with a NUL behind */
};

/* How much later it is whenever the store looks at its clock of slices. */
extern uint64_t session_clock_step;

bool session_new(struct session *t);
/* Ends it; every client must have been freed. */
void session_free(struct session *t);

/* A client of domain 0. */
struct client *client_new(struct session *t);
/* A domain begins to exist. */
void session_boot(struct session *t, unsigned int domid, bool on_ring);
/* Boots a domain and introduces it through `admin`; its client, or NULL. */
struct client *session_guest(struct session *t, struct client *admin,
                             unsigned int domid);
/* It dies; the store is told. */
void session_kill(struct session *t, unsigned int domid);
/* Closes it as a peer does, and frees it. */
void client_free(struct session *t, struct client *k);

/* Turns of the loop until nothing is left to do (at most a few hundred). */
void session_run(struct session *t);
/* Time passes. */
void session_sleep(struct session *t, uint64_t ms);

/*
 * The store is replaced by one made from its saved state, which must save the
 * same again; clients stay. Returns what is wrong, or NULL.
 */
const char *session_update(struct session *t);

/* Raw bytes go in, and the loop runs. */
void client_send(struct session *t, struct client *k, const void *data,
                 size_t len);
/* A message goes in; the loop does not run. Returns its req_id. */
uint32_t client_post(struct session *t, struct client *k, uint32_t type,
                     uint32_t tx, const void *data, size_t len);
/* The next message of either kind. */
bool client_next(struct client *k, struct message *m);
/* The next reply; events on the way are put aside. false: none. */
bool client_reply(struct client *k, struct message *m);
/* The next event. */
bool client_event(struct client *k, struct message *m);

/*
 * Sends a request and returns its outcome as text: "ENOENT" for an error,
 * otherwise the payload with NULs shown as '|'. "(none)" without a reply,
 * "(closed)". The text is good until the next call.
 */
const char *ask(struct session *t, struct client *k, uint32_t type, uint32_t tx,
                const char *data, size_t len);
/* Payload of a literal without the compiler's NUL. */
#define ASK(t, k, type, tx, lit) ask(t, k, type, tx, lit, sizeof(lit) - 1)

/* All events that came, as "path:token path:token", or "". */
const char *events(struct client *k);

/*
 * Counts the tree again and compares with the accounts. 0, or the number of
 * the first domain that differs, or -1 (an object leaked).
 */
int session_check(const struct session *t);

#endif
