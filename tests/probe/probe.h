/*
 * Probes of a running store: what it answers to every kind of request, in
 * tables that two programs share. probe_socket asks a real daemon over its
 * socket, as domain 0; probe_guest.elf asks the store of a real host over the
 * ring, as a guest that may do little. docs/xenstore-conformance.md says which
 * probe shows what.
 *
 * A probe is a script, one step a line:
 *
 *     TYPE[@TX] PAYLOAD = REPLY [/ REPLY]   a request and its reply; the second
 *                                 reply, if there, is the one that a guest gets
 *     events [EVENT...] [/ ...]   what watches have said since, in this order
 *     begin X                     a transaction, which is TX "X" from then on
 *     repeat N TYPE...            N times; # is the number, from 0
 *     trickle TYPE...             the request goes out byte by byte
 *     pipeline N TYPE...          N requests at once, then N replies in order
 *     toolong N [TYPE...]         a header that announces N bytes, too many,
 *                                 behind a request if there is one; afterwards
 *                                 the connection begins anew
 *     renew                       the connection ends and begins anew
 *     keep | same | changed       the last reply's first string: remember it;
 *                                 it is the same; it is another
 *
 * and "root STEP" is a step of another connection, of domain 0. TYPE is a name
 * without XS_, or a number; TX a letter, or a number. In payloads, replies and
 * events (PATH:TOKEN), | is a NUL, ~ a directory that is the probed one's and
 * empty at first, & the same as a relative path, $ the domain's number, {x*N}
 * N times x, \xHH a byte. In a reply, % is any number, and * at its end is
 * anything; - alone is nothing. A reply E... is an error.
 */
#ifndef TESTS_PROBE_PROBE_H
#define TESTS_PROBE_PROBE_H

#include <errno.h> /* before the wire format, which then has its error names */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen_compat.h"

struct probe {
    const char *name, *script;
    enum { EVERYWHERE, AS_GUEST, ON_SOCKET } where;
};

struct room {
    const char *name; /* a probe is called "ROOM: NAME" */
    const struct probe *probes;
    size_t count;
};

/* clang-format off */
#define ROOM(id)                                                            \
    const struct room room_##id = { #id, probes,                            \
                                    sizeof(probes) / sizeof(probes[0]) }
/* clang-format on */

extern const struct room room_framing, room_paths, room_nodes, room_perms,
    room_watches, room_transactions, room_domains, room_quotas, room_guests;

struct message {
    struct xsd_sockmsg hdr;
    char data[XENSTORE_PAYLOAD_MAX + 1]; /* with a NUL behind */
};

/* A payload, or a step's other text, as bytes; returns how many. */
size_t text_expand(const char *text, size_t len, char *out, size_t room);
/* Bytes as text; good until the second next call. */
const char *text_shown(const char *data, size_t len);
/* Whether bytes are what expanded text says, with its % and *. */
bool text_matches(const char *want, size_t want_len, const char *got,
                  size_t got_len);
extern unsigned int text_number; /* what # is */

/* Runs all probes whose name has `only` in it (NULL: all); TAP; 0 or 1. */
int probes_run(const char *only);

/* ---- what the two programs supply ---- */

/* Who asks: a guest of this number, or domain 0. */
extern unsigned int probe_domid;
static inline bool probe_is_guest(void)
{
    return probe_domid != 0;
}

/* Bytes of the probed connection; read waits some seconds, 0: nothing. */
bool carrier_write(const void *data, size_t len);
size_t carrier_read(void *data, size_t len);
/* Waits until the store has broken the connection off. */
bool carrier_broken(void);
bool carrier_renew(void);

/* The other connection: a request becomes its reply; the next event. */
bool root_ask(struct message *m);
bool root_event(struct message *m);

#endif
