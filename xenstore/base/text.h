/*
 * A text that grows, up to what one reply can hold with its NUL: the reports
 * of CONTROL and the reasons of a live update.
 */
#ifndef XS_TEXT_H
#define XS_TEXT_H

#include <stddef.h>

#include "xen_compat.h"

struct text {
    char s[XENSTORE_PAYLOAD_MAX];
    size_t len;
};

/* Appends as printf() does; what does not fit is left out. */
void text_add(struct text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
