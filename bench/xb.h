/*
 * The group xenstore: a store daemon alone (no host), and clients of it. The
 * prefix is xb_, for xs_ is libxenstore's.
 *
 * Daemon and clients are on different processors if there are two. All clients
 * are connections of this process in one epoll set; each has one request
 * outstanding. A load is an operation of one or more requests that every
 * client repeats. Its baseline is the same traffic, of messages of the same
 * sizes, with a daemon that only echoes: what sockets and scheduling alone
 * cost.
 */
#ifndef RINGSIDE_BENCH_XB_H
#define RINGSIDE_BENCH_XB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "xen_compat.h"

#include "bench.h"

/* ---- xb_peer.c: what clients talk to, and where who runs ---- */

struct xb_peer {
    bool echo;
    pid_t pid; /* -1: it does not run */
    char dir[32], socket[48];
};

/* A daemon of either kind; -EINVAL after a complaint. */
int xb_peer_start(struct xb_peer *p, bool echo);
void xb_peer_end(struct xb_peer *p);

/* Processor time that it has used, ns; its private memory, bytes. */
double xb_peer_cpu(const struct xb_peer *p);
double xb_peer_memory(const struct xb_peer *p);

/*
 * Moves this process to the clients' processor, before others there if that is
 * permitted, as the daemons that it starts then are on theirs; and back.
 */
void xb_place_clients(void);
void xb_place_back(void);

/*
 * xb_echo.c: serves a listening socket for ever. A message is answered by one
 * of `req_id` bytes of payload; if `tx_id` is not 0, all other connections get
 * a watch event of so many bytes.
 */
_Noreturn void xb_echo_serve(int listener);

/* ---- xb_pool.c: clients ---- */

#define XB_IN_MAX 8192

struct xb_client {
    int fd;
    unsigned int id;   /* from 0 */
    unsigned int step; /* of the operation that it is at */
    bool idle;         /* has no request outstanding */
    uint32_t tx;       /* 0: outside a transaction */
    uint64_t seq;      /* operations completed */
    uint64_t number;   /* that the last READ's value begins with */
    size_t have;
    unsigned char in[XB_IN_MAX];
};

struct xb_pool {
    struct xb_peer *peer;
    int epoll;
    unsigned int n;
    struct xb_client *client;
    /* A message came: 0, or -EINVAL after a complaint. */
    int (*on)(struct xb_pool *p, struct xb_client *c,
              const struct xsd_sockmsg *m, const char *payload);
    void *arg; /* for whoever set `on` */
};

/* Connects n clients; -EINVAL after a complaint. */
int xb_pool_open(struct xb_pool *p, struct xb_peer *peer, unsigned int n);
void xb_pool_close(struct xb_pool *p);

struct xb_request {
    uint32_t type;
    /* What the echo daemon sends: back, and to all others (0: nothing). */
    unsigned int reply, event;
};

/* Sends one; -EINVAL after a complaint. */
int xb_send(struct xb_pool *p, struct xb_client *c, const struct xb_request *rq,
            const void *payload, size_t len);

/*
 * Waits up to `ms` for messages and hands them to `on`. 0: nothing came;
 * -EINVAL after a complaint.
 */
int xb_poll(struct xb_pool *p, int ms);

/* Keeps the number that a value begins with in c->number. */
void xb_take_number(struct xb_client *c, const char *value, size_t len);

/*
 * One request and its reply, which must not be an error. Others' messages and
 * events that come meanwhile are dropped.
 */
int xb_ask(struct xb_pool *p, struct xb_client *c, uint32_t type,
           const void *payload, size_t len);
/* The same for a path, which is made as by printf(). */
int xb_ask_path(struct xb_pool *p, uint32_t type, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int xb_write(struct xb_pool *p, const char *path, unsigned int len);

/* ---- xb_run.c: loads ---- */

#define XB_VALUE 64 /* bytes of an ordinary value */

/* One request of an operation. */
struct xb_step {
    struct xb_request rq;
    /* Writes the payload and returns its length. */
    size_t (*payload)(const struct xb_client *c, char *out);
};

struct xb_load {
    const char *name;
    unsigned int nr_steps;
    struct xb_step step[4];
};

struct xb_result {
    double ops, retries; /* completed; refused by EAGAIN and begun again */
    double ns, cpu_ns;   /* it took so long, and so much of the daemon */
};

/*
 * All clients repeat the load until `ops` operations are complete, or for
 * `ns` nanoseconds (0: no limit); what is under way then is finished.
 */
int xb_run(struct xb_pool *p, const struct xb_load *load, uint64_t ops,
           uint64_t ns, struct xb_result *r);

/* Operations per second; microseconds of the daemon for one. */
double xb_rate(const struct xb_result *r);
double xb_cpu_us(const struct xb_result *r);

/* ---- the figures ---- */

/* Samples of one load, of the store and of the baseline. */
struct xb_samples {
    struct bench_series rate[2], cpu[2], retries;
};

/* A daemon and the baseline's. */
struct xb_pair {
    const struct bench_options *o;
    struct xb_peer store, echo;
};

/* Runs a load of n clients as often as wanted, in turn with its baseline. */
int xb_sample(struct xb_pair *b, const struct xb_load *load, unsigned int n,
              struct xb_samples *s);
/* Reports them as "xenstore.NAME" and "xenstore.NAME_cpu_us". */
void xb_report(const struct xb_pair *b, const char *name,
               const struct xb_samples *s);

int xb_measure_txn(struct xb_pair *b);   /* xb_txn.c */
int xb_measure_many(struct xb_pair *b);  /* xb_many.c: 100,000 nodes */
int xb_measure_watch(struct xb_pair *b); /* xb_watch.c */

#endif
