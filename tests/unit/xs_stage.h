/* A play being done: what xs_play.c and xs_play_check.c share. */
#ifndef TEST_XS_STAGE_H
#define TEST_XS_STAGE_H

#include "xs_play.h"
#include "xs_session.h"

#define REPLIES_MAX 12 /* that a client leaves unread */
#define LISTS_MAX   512

/* What a reply has to be. */
struct expected {
    uint32_t type, req_id, tx_id;
    struct m_answer answer;
};

/* The generation that a version of a directory was listed with. */
struct listed {
    char path[M_PATH], gen[24];
    uint64_t version;
};

struct player {
    struct client *k; /* NULL: it has none yet */
    uint32_t txn[PLAY_SLOTS + 1];
    struct expected *replies; /* REPLIES_MAX */
    int nr_replies;
};

struct stage {
    struct session t;
    struct model *m;
    struct client *observer;
    struct player player[M_CONNS];
    struct listed listed[LISTS_MAX];
    int nr_listed;
    unsigned int steps;
    bool draining; /* what comes is of several steps */
    char wrong[1024];
};

/* Notes what is wrong; only the first counts. */
__attribute__((format(printf, 2, 3))) void stage_wrong(struct stage *s,
                                                       const char *fmt, ...);

/* Compares everything that came to a client that reads. */
void check_client(struct stage *s, int who);
/* Compares all clients and accounts, and, if asked for, the whole tree. */
void check_all(struct stage *s, bool tree);

#endif
