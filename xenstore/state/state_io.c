/* Bytes of the file that carries a store; see state_io.h. */
#include "state/state_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char magic[8] = { 'R', 'S', 'X', 'S', 'T', 'A', 'T', 'E' };

static void put_le(unsigned char *to, uint64_t n, size_t size)
{
    for (size_t i = 0; i < size; i++, n >>= 8)
        to[i] = (unsigned char)n;
}

static uint64_t get_le(const unsigned char *from, size_t size)
{
    uint64_t n = 0;

    while (size--)
        n = n << 8 | from[size];
    return n;
}

/* ---- writing ---- */

static void write_out(struct state_out *o, const void *data, size_t len)
{
    if (!o->err && len && fwrite(data, 1, len, o->file) != len)
        o->err = -EIO;
}

void state_out_begin(struct state_out *o, FILE *file, uint32_t version)
{
    unsigned char n[4];

    *o = (struct state_out){ .file = file };
    put_le(n, version, sizeof(n));
    write_out(o, magic, sizeof(magic));
    write_out(o, n, sizeof(n));
}

int state_out_end(struct state_out *o)
{
    if (!o->err && fflush(o->file))
        o->err = -EIO;
    free(o->buf);
    o->buf = NULL;
    return o->err;
}

void out_record(struct state_out *o, uint32_t type)
{
    o->type = type;
    o->len = 0;
}

void out_done(struct state_out *o)
{
    unsigned char head[8];

    if (o->len > UINT32_MAX)
        o->err = -EFBIG;
    put_le(head, o->type, 4);
    put_le(head + 4, o->len, 4);
    write_out(o, head, sizeof(head));
    write_out(o, o->buf, o->len);
    o->records++;
}

/* Room for `n` bytes more; NULL: there is none. */
static unsigned char *out_room(struct state_out *o, size_t n)
{
    size_t cap = o->cap ? o->cap : 256;
    unsigned char *buf;

    while (cap < o->len + n)
        cap *= 2;
    if (cap > o->cap) {
        buf = realloc(o->buf, cap);
        if (!buf) {
            o->err = -ENOMEM;
            return NULL;
        }
        o->buf = buf;
        o->cap = cap;
    }
    o->len += n;
    return o->buf + o->len - n;
}

static void out_number(struct state_out *o, uint64_t n, size_t size)
{
    unsigned char *to = out_room(o, size);

    if (to)
        put_le(to, n, size);
}

void out_u8(struct state_out *o, uint8_t n)
{
    out_number(o, n, 1);
}

void out_u16(struct state_out *o, uint16_t n)
{
    out_number(o, n, 2);
}

void out_u32(struct state_out *o, uint32_t n)
{
    out_number(o, n, 4);
}

void out_u64(struct state_out *o, uint64_t n)
{
    out_number(o, n, 8);
}

void out_bytes(struct state_out *o, const void *data, size_t len)
{
    unsigned char *to;

    out_u32(o, (uint32_t)len);
    to = out_room(o, len);
    if (to && len)
        memcpy(to, data, len);
}

/* ---- reading ---- */

/* The next n bytes, or NULL. */
static const unsigned char *in_take(struct state_in *in, size_t n)
{
    const unsigned char *at = in->at;

    if (in->bad || (size_t)(in->end - in->at) < n) {
        in->bad = true;
        return NULL;
    }
    in->at += n;
    return at;
}

static uint64_t in_number(struct state_in *in, size_t size)
{
    const unsigned char *from = in_take(in, size);

    return from ? get_le(from, size) : 0;
}

bool state_file_begin(struct state_file *f, const void *data, size_t len)
{
    const unsigned char *start;

    f->in = (struct state_in){ data, (const unsigned char *)data + len, false };
    start = in_take(&f->in, sizeof(magic));
    f->version = in_u32(&f->in);
    return !f->in.bad && !memcmp(start, magic, sizeof(magic));
}

bool state_file_next(struct state_file *f, uint32_t *type, struct state_in *in)
{
    if (f->in.at == f->in.end)
        return false;
    *type = in_u32(&f->in);
    in->at = in_bytes(&f->in, &(size_t){ 0 });
    in->end = f->in.at;
    in->bad = false;
    return !f->in.bad;
}

uint8_t in_u8(struct state_in *in)
{
    return (uint8_t)in_number(in, 1);
}

uint16_t in_u16(struct state_in *in)
{
    return (uint16_t)in_number(in, 2);
}

uint32_t in_u32(struct state_in *in)
{
    return (uint32_t)in_number(in, 4);
}

uint64_t in_u64(struct state_in *in)
{
    return in_number(in, 8);
}

const void *in_bytes(struct state_in *in, size_t *len)
{
    const unsigned char *from;

    *len = in_u32(in);
    from = in_take(in, *len);
    if (!from)
        *len = 0;
    return from ? (const void *)from : "";
}

void in_string(struct state_in *in, char *out, size_t size)
{
    size_t len;
    const char *from = in_bytes(in, &len);

    if (len >= size || memchr(from, '\0', len)) {
        in->bad = true;
        len = 0;
    }
    memcpy(out, from, len);
    out[len] = '\0';
}

bool in_done(const struct state_in *in)
{
    return !in->bad && in->at == in->end;
}
