/*
 * What the command says to its user.
 *
 * Results go to standard output. Everything else is one line on standard
 * error: a complaint ("ringside: what is wrong, what would be right") or, in
 * `run`, a note about what goes on. Colours only where a terminal reads them.
 */
#ifndef RINGSIDE_TOOLS_SAY_H
#define RINGSIDE_TOOLS_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Says what is wrong and returns -EINVAL, so that a caller may write
 * `return complain("…")`. It is shown as printable.h says, so that no string
 * of others can drive the terminal.
 */
int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The last complaint, without "ringside: " and newline. */
const char *complaint(void);

/* Prints the last complaint; for one that was made silently. */
int complain_again(void);

/* Whether complaints are only kept, not printed. */
void complain_silently(bool silently);

/* A note: a dimmed line on standard error, unless the user wants quiet. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void note_quiet(bool quiet);

/* A note about somebody: "SUBJECT rest", with the subject in bold. */
void note_about(const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "bold", "dim", "green", "yellow", "red" or "reset"; "" without a terminal. */
const char *paint(FILE *where, const char *how);

/* "3.1 ms", "12 s", "2 min 5 s" of nanoseconds, in buf. */
const char *format_ns(unsigned long long ns, char *buf, size_t n);

/* "212 KiB", "61.2 MiB" of bytes, in buf. */
const char *format_bytes(unsigned long long bytes, char *buf, size_t n);

/*
 * A JSON string on standard output. What does not print is escaped (\u001b),
 * a byte that is no UTF-8 becomes U+FFFD.
 */
void print_json_string(const char *s);

#endif
