/*
 * What the kernel starts of the C library's support.
 */
#ifndef RINGSIDE_GUEST_LIBC_H
#define RINGSIDE_GUEST_LIBC_H

#include <stddef.h>

/* Descriptors 0, 1, 2 on the console; constructors and, at exit(), destructors
 * of the image. */
void libc_init(void);
void heap_init(void);
/* What exit() does at last; by libc_init(). */
void libc_lock_init(void);

/* libc_memory.c: how the processor copies and fills best. */
void memory_init(void);
/* Sizes from which on it does by string instructions; SIZE_MAX: never. */
extern size_t memory_rep_min;

/*
 * Splits a command line into words in place: blanks separate, '...' and "..."
 * group, backslash takes the next character as it is (not within '...').
 * argv gets at most max - 1 words and a NULL; returns the number of words.
 * An open quote ends with the line.
 */
int cmdline_split(char *line, char **argv, int max);

/* "ringside.NAME=N" on the command line, N from min to max. */
#define CMDLINE_OURS "ringside."
struct cmdline_option {
    const char *name;
    unsigned int min, max;
    void (*set)(unsigned int n);
};

/*
 * Sets the n options, and takes their words out of argv, and the network's
 * ("ip=", net/net.c); returns how many words are left. What cannot be an
 * option is ignored, and told on the log. Of two the last one counts.
 */
int cmdline_take_options(char **argv, const struct cmdline_option *options,
                         size_t n);

#endif
