/*
 * The file that carries a store from one program to the next (state.h): bytes.
 *
 * A file is a head, then records: a type, a length, and that many bytes.
 * Numbers are little-endian, of fixed size and not aligned; a string is its
 * length and its bytes. Nothing here knows what a record means.
 *
 *   head    "RSXSTATE", u32 version
 *   record  u32 type, u32 length, payload
 */
#ifndef XS_STATE_IO_H
#define XS_STATE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- writing ---- */

/*
 * An error is kept until state_out_end() returns it, so the other calls need no
 * check.
 */
struct state_out {
    FILE *file;
    unsigned char *buf; /* the record being written */
    size_t len, cap;
    uint32_t type, records;
    int err;
};

/* Writes the head. The file stays the caller's. */
void state_out_begin(struct state_out *o, FILE *file, uint32_t version);
/* Frees what it holds. 0, -ENOMEM, -EIO, -EFBIG. */
int state_out_end(struct state_out *o);

void out_record(struct state_out *o, uint32_t type); /* begins one, */
void out_done(struct state_out *o);                  /* ends it */
void out_u8(struct state_out *o, uint8_t n);
void out_u16(struct state_out *o, uint16_t n);
void out_u32(struct state_out *o, uint32_t n);
void out_u64(struct state_out *o, uint64_t n);
/* u32 length and bytes. */
void out_bytes(struct state_out *o, const void *data, size_t len);

/* ---- reading ---- */

/* A record's payload; a read past its end gives 0 and sets `bad`. */
struct state_in {
    const unsigned char *at, *end;
    bool bad;
};

/* The file, from which records are taken one by one. */
struct state_file {
    struct state_in in;
    uint32_t version;
};

/* false: the file does not begin with the magic bytes. */
bool state_file_begin(struct state_file *f, const void *data, size_t len);
/* false: the file ends here, or (in.bad) within a record. */
bool state_file_next(struct state_file *f, uint32_t *type, struct state_in *in);

uint8_t in_u8(struct state_in *in);
uint16_t in_u16(struct state_in *in);
uint32_t in_u32(struct state_in *in);
uint64_t in_u64(struct state_in *in);
/* Bytes inside the file; never NULL. */
const void *in_bytes(struct state_in *in, size_t *len);
/* A string without NULs, at most size - 1 bytes, copied and terminated. */
void in_string(struct state_in *in, char *out, size_t size);
/* Whether exactly the whole payload was read. */
bool in_done(const struct state_in *in);

#endif
