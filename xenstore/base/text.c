/* A text that grows; see text.h. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

void text_add(struct text *t, const char *fmt, ...)
{
    size_t room = sizeof(t->s) - t->len;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->s + t->len, room, fmt, ap);
    va_end(ap);
    t->len += (size_t)n < room ? (size_t)n : room - 1;
}
