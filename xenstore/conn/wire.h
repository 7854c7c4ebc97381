/*
 * The wire: framing, strings in payloads, error names.
 */
#ifndef XS_WIRE_H
#define XS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen_compat.h"

_Static_assert(sizeof(struct xsd_sockmsg) == 16, "xenstore wire header");

enum wire_state {
    WIRE_MESSAGE,    /* a whole message is there */
    WIRE_INCOMPLETE, /* more bytes are needed */
    WIRE_TOO_LONG,   /* its length is over XENSTORE_PAYLOAD_MAX */
};

/* Looks at the first message in a buffer and copies its header out. */
enum wire_state wire_peek(const void *buf, size_t len, struct xsd_sockmsg *hdr);

/* The name of an error (-errno), as the protocol knows it. */
const char *wire_error(int err);

/* The payload is one string with its NUL at the end and no other. */
bool wire_one_string(const char *data, size_t len);

/*
 * Cuts a payload into strings: fills at most `max` pointers and returns how
 * many there are. What follows the last NUL is not a string and is ignored,
 * as the C daemon does.
 */
int wire_strings(const char *data, size_t len, const char *out[], int max);

/* A decimal number without sign, up to `max`. 0, or -EINVAL. */
int wire_number(const char *s, uint64_t max, uint64_t *out);

#endif
