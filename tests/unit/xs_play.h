/*
 * Plays: sequences of steps that are done to a store in memory and to the
 * model (xs_model.h) beside it, and compared after each step.
 *
 *   xs_play.c         does a play; the first difference ends it
 *   xs_play_check.c   compares, after each step
 *   xs_play_text.c    plays as text, one step to a line, to be read and kept
 *   xs_play_make.c    makes up the next step at random
 *   xs_play_run.c     whole plays, each in a process of its own
 *   xs_play_shrink.c  finds a small play that still fails
 *
 * A step that is impossible where it stands (a guest that is not introduced
 * asks for something) is left out, so that any part of a play is a play.
 */
#ifndef TEST_XS_PLAY_H
#define TEST_XS_PLAY_H

#include <stdio.h>

#include "xs_model.h"

#define PLAY_SLOTS 3 /* transactions that a connection can refer to */
#define PLAY_MAX   20000

/* Steps that are not requests. */
enum {
    PLAY_BOOT = 100, /* the domain begins to exist */
    PLAY_KILL,
    PLAY_REUSE,
    PLAY_SHUTDOWN,
    PLAY_RUN, /* after a shutdown */
    PLAY_HANGUP,
    PLAY_BLOCK,  /* the client reads nothing */
    PLAY_DRAIN,  /* until it reads on */
    PLAY_UPDATE, /* the store is replaced by what is made of its state */
    PLAY_END
};

struct step {
    uint32_t type; /* of the message, or PLAY_... */
    uint8_t who;   /* connection, 0 to M_CONNS - 1; a domain's is a guest's */
    uint8_t slot;  /* transaction, 1 to PLAY_SLOTS; 0: none */
    uint16_t len;
    char payload[M_REQUEST];
};

struct play {
    uint32_t n;
    struct step step[PLAY_MAX];
};

/* A play being done. */
struct stage;

struct stage *stage_new(void);
/* What the next step has to fit. */
const struct model *stage_model(const struct stage *s);
/* Whether a connection's slot holds an open transaction. */
bool stage_open(const struct stage *s, int who, unsigned int slot);
/* Does a step. NULL, or what is wrong. */
const char *stage_step(struct stage *s, const struct step *step);
/* Ends everything; nothing may be left. NULL, or what is wrong. */
const char *stage_end(struct stage *s);

/* ---- as text ---- */

/* Writes a step and a newline; returns the length. */
#define STEP_TEXT_MAX (4 * M_REQUEST + 64)
size_t step_print(const struct step *step, char out[STEP_TEXT_MAX]);
/* Reads a line; false if it is none. Comments (#) are steps of type END. */
bool step_parse(const char *line, struct step *step);

/* ---- at random ---- */

/*
 * What a play is made of. Each has its own likings, so that what is rare in
 * one is frequent in another.
 */
#define MAKER_RECENT 4
struct maker {
    uint64_t seed;
    unsigned int names, depth, values; /* how many there are */
    unsigned int perms;                /* entries of a list */
    unsigned int big;                  /* of 100 paths, in a large directory */
    unsigned int in_txn;               /* of 8 requests, if one is open */
    unsigned int stays; /* of 8 paths, at those that were used last */
    char recent[MAKER_RECENT][M_PATH];
    unsigned int weight[32]; /* of kinds of requests */
};

void maker_init(struct maker *k, uint64_t seed);
struct step step_random(struct maker *k, const struct stage *s);

/* ---- whole plays ---- */

/* What a process that does a play tells. */
struct outcome {
    bool failed;
    char why[1024];
    unsigned int commits, merges, conflicts, maybes, refused;
};

/* Memory for plays, shared with the processes that do them. */
struct play *play_new(void);
void play_free(struct play *p);

/*
 * Does a whole play in a process of its own, for the store may crash. The
 * result is good until the next call.
 */
const struct outcome *play_do(const struct play *p);
/* Likewise, and makes it up meanwhile: n steps. */
const struct outcome *play_make(struct play *p, uint64_t seed, uint32_t n);

void play_print(const struct play *p, FILE *f);
/* The number of the first line that is not a step; 0: all are. */
int play_parse(struct play *p, FILE *f);

/* Replaces a failing play by a smaller one that fails. */
void play_shrink(struct play *p);

#endif
