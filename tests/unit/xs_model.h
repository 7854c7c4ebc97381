/*
 * A reference model of the store: what docs/xenstore.md promises, in a form
 * too plain to be wrong in the same way. The tree is an array of paths, a
 * transaction is two copies of it and a list of requests, watches are looked
 * through one by one. Nothing of the store's code is used.
 *
 * The model is told every request (model_message) and everything that happens
 * to domains, answers what the store has to answer, and collects the events
 * that each connection has to get.
 *
 * Where the documents leave a choice, the model takes a hint from what the
 * store did (struct m_hint): the length of a generation number, and whether a
 * commit that may conflict did. It says itself what may.
 *
 * Its arrays are small; model_has_room() tells whether a request fits.
 */
#ifndef TEST_XS_MODEL_H
#define TEST_XS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define M_NODES     420
#define M_FULL      300 /* nodes; the rest is for what transactions add */
#define M_PATH      256
#define M_VALUE     128
#define M_PERMS     8
#define M_WATCHES   40
#define M_TXNS      5 /* of a connection, at once */
#define M_LOG       24
#define M_TOUCHED   320
#define M_EVENTS    1000
#define M_TOKEN     32
#define M_SOCKETS   3 /* connections of domain 0; then one of each guest */
#define M_GUESTS    4
#define M_CONNS     (M_SOCKETS + M_GUESTS)
#define M_DOMID     5 /* of the first guest */
#define M_DOMIDS    16
#define M_ANY_DOMID 0x7ff5 /* an entry that is for everybody */
#define M_PAYLOAD   4096
#define M_REQUEST   320 /* the longest payload of a request */

/* ---- the tree: xs_model_tree.c ---- */

struct m_perm {
    unsigned int domid;
    char letter;
    bool inactive; /* the domain did not exist when this was set */
};

struct m_perms {
    int n;
    struct m_perm e[M_PERMS];
};

struct m_node {
    char path[M_PATH];
    char value[M_VALUE];
    size_t len;
    struct m_perms perms;
    uint64_t version; /* of value, permissions and child list; 0: unknown */
};

/* In order of creation, which is the order of children, too. */
struct m_tree {
    int n;
    struct m_node node[M_NODES];
};

/* Makes a path absolute; false if it is not one. */
bool m_path(unsigned int domid, const char *s, size_t len, bool special,
            char out[M_PATH]);
/* Characters that count against the limit of a guest. */
size_t m_path_charged(const char *path);
/* The path of the parent; false for the root. */
bool m_parent(const char *path, char out[M_PATH]);
/* Levels that `path` lies below `top`: 0 if they are the same; -1: not. */
int m_below(const char *path, const char *top);

struct m_node *m_find(struct m_tree *t, const char *path);
struct m_node *m_nearest(struct m_tree *t, const char *path);
/* Adds a node under its parent, with the parent's permissions but an owner. */
struct m_node *m_add(struct m_tree *t, const char *path, unsigned int owner,
                     uint64_t version);
/* Removes a node with all below it. */
void m_remove(struct m_tree *t, const char *path, uint64_t version);
/* The names of the children, each with its NUL; returns their length. */
size_t m_list(const struct m_tree *t, const char *path, char *out);
int m_count(const struct m_tree *t, unsigned int owner);

#define M_READ  1
#define M_WRITE 2
#define M_OWNER 4
/* What an unprivileged domain may do. */
unsigned int m_rights(const struct m_perms *p, unsigned int domid, int target);
bool m_perms_equal(const struct m_perms *a, const struct m_perms *b);
bool m_same(const struct m_node *a, const struct m_node *b);
/* Removes a domain's entries but for the owner's. */
void m_strip(struct m_perms *p, unsigned int domid);

/* ---- the model ---- */

struct m_answer {
    const char *error; /* NULL: it succeeds with the payload */
    size_t len;
    char data[M_PAYLOAD];
    bool has_gen;     /* DIRECTORY_PART: a generation precedes the payload */
    uint64_t version; /* of what was listed outside transactions, or 0 */
    char path[M_PATH];
};

struct m_hint {
    bool again;     /* the store answers EAGAIN */
    size_t gen_len; /* of the generation with its NUL */
};

/* What a transaction did at a path. */
#define M_T_READ     1
#define M_T_LIST     2
#define M_T_PARENT   4
#define M_T_WRITTEN  8
#define M_T_REMOVED  16
#define M_T_REPERMED 32
#define M_T_RIGHTS   64 /* its permissions decided about a guest's request */
#define M_T_EVENT    128

struct m_touched {
    char path[M_PATH];
    unsigned int flags;
};

struct m_logged {
    uint32_t type;
    size_t len;
    char payload[M_REQUEST];
    struct m_answer answer;
    struct m_perms perms; /* SET_PERMS: the list as it was understood */
    bool compare;         /* the answer must be the same when replayed */
};

struct m_txn {
    uint32_t id;
    bool doomed; /* a live update overtook it: it conflicts */
    struct m_tree base, work;
    int nr_touched, nr_log;
    struct m_touched touched[M_TOUCHED];
    struct m_logged log[M_LOG];
    /* Which domain of that number first gained or lost nodes. */
    uint64_t serial[M_DOMIDS];
    bool met[M_DOMIDS];
};

struct m_watch {
    char path[M_PATH], token[M_TOKEN];
    size_t prefix; /* what a relative watch does not show */
    uint64_t depth;
};

/* Events of one group come in any order. */
struct m_event {
    unsigned int group;
    size_t len;
    char payload[M_PATH + M_TOKEN];
};

struct m_conn {
    bool open;
    unsigned int domid;
    int nr_watches, nr_events;
    struct m_watch watch[M_WATCHES];
    struct m_txn *txn[M_TXNS];
    uint32_t next_txn;
    struct m_event event[M_EVENTS]; /* not yet taken by the client */
};

struct m_domain {
    bool exists;            /* for the hypervisor */
    bool shut;              /* and has shut down */
    bool reborn;            /* is another one, as nobody has noticed yet */
    bool known, introduced; /* for the store */
    bool told;              /* @releaseDomain was fired for its shutdown */
    int target;             /* or -1 */
    uint64_t serial;        /* since when it is known */
};

struct m_quota {
    int nodes, watches, txns, perms;
    size_t node_size, path;
};

struct model {
    struct m_tree tree;
    struct m_perms special[2]; /* @introduceDomain, @releaseDomain */
    struct m_conn conn[M_CONNS];
    struct m_domain dom[M_DOMIDS];
    struct m_quota quota;
    uint64_t versions, serials;
    unsigned int groups;
    unsigned int commits, merges, conflicts, maybes, refused; /* so far */
    char broken[512]; /* what no store may do, or "" */
};

struct model *model_new(const struct m_quota *quota);
void model_free(struct model *m);

bool model_has_room(const struct model *m, int who, uint32_t type, size_t len);
/* A request of connection `who` with transaction id `tx`. */
void model_message(struct model *m, int who, uint32_t type, uint32_t tx,
                   const char *payload, size_t len, const struct m_hint *hint,
                   struct m_answer *a);

static inline bool m_privileged(const struct m_conn *c)
{
    return c->domid == 0;
}

static inline int m_conn_of(unsigned int domid)
{
    return M_SOCKETS + (int)domid - M_DOMID;
}

/* ---- requests: xs_model_node.c, _perms.c, _txn.c ---- */

/* A request being modelled. */
struct m_request {
    struct model *m;
    struct m_conn *c;
    struct m_txn *t; /* NULL: outside */
    struct m_tree *tree;
    uint32_t type;
    const char *data;
    size_t len;
    const struct m_hint *hint;
    struct m_answer *a;
    bool replay;           /* no quotas, events or notes */
    bool forced;           /* and no rights */
    struct m_perms *given; /* SET_PERMS: the list, when replayed */
};

/* Requests on nodes and permissions. The error, or NULL. */
const char *m_node_request(struct m_request *q);
/* Whether m_node_request() knows the type. */
bool m_is_node_request(uint32_t type);
unsigned int m_conn_rights(const struct m_request *q, const struct m_perms *p);
/* The complete strings of a payload from `from` on; their number. */
int m_strings(const struct m_request *q, size_t from, const char *out[],
              int max);
/* The payload is one string. */
bool m_one_string(const struct m_request *q);
bool m_number(const char *s, uint64_t max, uint64_t *out);
/* The path of the request: its first `len` bytes. */
bool m_request_path(struct m_request *q, size_t len, bool special,
                    char out[M_PATH]);

/* The payload is a path; it begins with one, and *rest is what follows. */
bool m_only_path(struct m_request *q, bool special, char out[M_PATH]);
bool m_first_path(struct m_request *q, bool special, char out[M_PATH],
                  size_t *rest);
/* The node, if the caller has these rights; what a transaction notes. */
const char *m_access(struct m_request *q, const char *path, unsigned int rights,
                     unsigned int flags, struct m_node **out);
bool m_size_fits(struct m_request *q, const char *path, int perms, size_t value,
                 size_t more);
/* In a transaction: notes a path. Outside: fires an event. */
void m_touch(struct m_request *q, const char *path, unsigned int flags);
void m_tell(struct m_request *q, const char *path, bool removal);
uint64_t m_version(struct m_request *q);
const char *m_answer_ok(struct m_request *q);

/* xs_model_perms.c */
const char *m_get_perms(struct m_request *q);
const char *m_set_perms(struct m_request *q);

struct m_txn *m_txn_find(const struct m_conn *c, uint32_t id);
const char *m_txn_start(struct m_request *q);
const char *m_txn_end(struct m_request *q);
void m_txn_drop_all(struct m_conn *c);
void m_txn_doom_all(struct m_conn *c, const struct m_tree *now);
/* Remembers a request that was made in a transaction. */
void m_txn_log(struct m_request *q, const char *error);
void m_txn_touch(struct m_txn *t, const char *path, unsigned int flags);

/* ---- watches and events: xs_model_watch.c ---- */

const char *m_watch_request(struct m_request *q);

/* An event on a path, or the removal of it, judged in `view`. */
void m_fire(struct model *m, const char *path, struct m_tree *view,
            bool removal);
/*
 * "@introduceDomain" (0) or "@releaseDomain" (1), and "@releaseDomain/5" for
 * those who ask for depth.
 */
void m_fire_special(struct model *m, int which, unsigned int domid, bool plain,
                    bool deep);

/* ---- domains: xs_model_world.c ---- */

const char *m_domain_request(struct m_request *q);
void m_reset(struct m_conn *c);

/* Whether a domain can be named: it exists, and now it is known. */
bool m_know(struct model *m, unsigned int domid);

void model_boot(struct model *m, unsigned int domid);
/* It dies, and the store is told. */
void model_kill(struct model *m, unsigned int domid);
/* It dies and another takes its number, and the store is not told. */
void model_reuse(struct model *m, unsigned int domid);
/* It shuts down (or runs on), and the store is told. */
void model_shutdown(struct model *m, unsigned int domid, bool shut);
/* A live update that does not wait for transactions. */
void model_update(struct model *m);
/* A socket's client goes, and another comes. */
void model_hangup(struct model *m, int who);

#endif
