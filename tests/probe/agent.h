/*
 * The other connection of a guest's probes: what the guest writes into the
 * node data/mailbox/ask of its home is done on a connection of domain 0, and
 * the reply put into data/mailbox/answer. Both hold a struct letter with a
 * payload behind it; the answer has the number of what it answers.
 */
#ifndef TESTS_PROBE_AGENT_H
#define TESTS_PROBE_AGENT_H

#include "tests/probe/stream.h"

#define MAILBOX     "data/mailbox"
#define LETTER_SIZE 1800 /* of what a guest writes: within its quota */
#define AGENT_EVENT                                          \
    0xfffe /* a type: the next event; AGENT_EVENT back: none \
            */

struct letter {
    uint32_t number;
    struct xsd_sockmsg hdr;
};

/*
 * Serves guests until the store ends: `mail` sees their mailboxes, `root` is
 * the connection that they use.
 */
int agent_run(struct stream *mail, struct stream *root);

#endif
