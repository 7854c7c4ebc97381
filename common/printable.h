/*
 * Text of guests and other strangers, as a log or a terminal may show it.
 *
 * Shown as they are: printable ASCII, and well-formed UTF-8 of characters that
 * only print. Everything else is shown byte by byte as \xNN: control
 * characters (C0, DEL, and C1 in both of its forms), bytes that are no UTF-8,
 * and characters that move what stands beside them (line and paragraph
 * separators, bidirectional controls, invisible formats). So what comes out
 * stays on its line and drives no terminal.
 */
#ifndef RINGSIDE_PRINTABLE_H
#define RINGSIDE_PRINTABLE_H

#include <stddef.h>

/* Bytes that one byte of text becomes at most. */
#define PRINTABLE_GROWTH 4u

/*
 * The length (1 to 4) of the printable character that begins at s. 0: none
 * does, so s[0] is to be escaped. -1: n bytes are too few to tell.
 */
int printable_char(const char *s, size_t n);

/* The length (1 to 4) of the well-formed UTF-8 character at s, whether it
 * prints or not; 0: there is none. */
size_t printable_length(const char *s, size_t n);

/* Writes "\xNN" of a byte, without a NUL; returns its length. */
size_t printable_escape(char out[PRINTABLE_GROWTH], char byte);

/*
 * Writes at most size - 1 bytes of what `len` bytes of text look like and a
 * NUL; no character or escape is cut. size must not be 0. Returns the length.
 */
size_t printable(char *out, size_t size, const char *text, size_t len);

/* The same of a string, and returns out. */
const char *printable_string(char *out, size_t size, const char *s);

/*
 * Replaces the string in line, a buffer of `size` bytes, by what it looks like;
 * what does not fit is lost. For lines made with text of others.
 */
void printable_line(char *line, size_t size);

#endif
