/*
 * Steps of scripts that are requests, and what other steps need of them: to
 * take a line apart, to ask, to compare. All return whether it was as wanted.
 */
#ifndef TESTS_PROBE_REQUEST_H
#define TESTS_PROBE_REQUEST_H

#include "tests/probe/probe.h"

/* One step: what is left of its line, and whether it is domain 0's. */
struct step {
    const char *s;
    bool root;
};

extern struct message last_reply;
extern char step_error[4096]; /* what was wrong with the step */

/* Says what is wrong; false. */
__attribute__((format(printf, 1, 2))) bool wrong(const char *fmt, ...);

/* Whether the step's next word is `w`, which is then skipped. */
bool step_word(struct step *st, const char *w);
unsigned long step_number(struct step *st);
/* What is wanted of who asks, expanded; returns its length. */
size_t step_want(struct step *st, char *want, size_t room);

/* "TYPE[@TX] PAYLOAD = "; what is wanted is left. */
void request_parse(struct step *st, struct message *m);
bool request_ask(bool root, struct message *m);
bool request_check(struct step *st, const struct message *request,
                   const struct message *reply);

bool step_request(struct step *st);
bool step_repeat(struct step *st);
bool step_begin(struct step *st);

#endif
