/* The wire; see wire.h. */
#include <errno.h>
#include <string.h>

#include "conn/wire.h"

enum wire_state wire_peek(const void *buf, size_t len, struct xsd_sockmsg *hdr)
{
    if (len < sizeof(*hdr))
        return WIRE_INCOMPLETE;
    memcpy(hdr, buf, sizeof(*hdr));
    if (hdr->len > XENSTORE_PAYLOAD_MAX)
        return WIRE_TOO_LONG;
    return len - sizeof(*hdr) < hdr->len ? WIRE_INCOMPLETE : WIRE_MESSAGE;
}

const char *wire_error(int err)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        if (xsd_errors[i].errnum == -err)
            return xsd_errors[i].errstring;
    return "EINVAL";
}

bool wire_one_string(const char *data, size_t len)
{
    return len && memchr(data, '\0', len) == data + len - 1;
}

int wire_strings(const char *data, size_t len, const char *out[], int max)
{
    const char *end = data + len, *nul;
    int n = 0;

    while (data < end && (nul = memchr(data, '\0', (size_t)(end - data)))) {
        if (n < max)
            out[n] = data;
        n++;
        data = nul + 1;
    }
    return n;
}

int wire_number(const char *s, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;

    if (!*s)
        return -EINVAL;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return -EINVAL;
        if (n > (UINT64_MAX - 9) / 10)
            return -EINVAL;
        n = n * 10 + (uint64_t)(*s - '0');
        if (n > max)
            return -EINVAL;
    }
    *out = n;
    return 0;
}
