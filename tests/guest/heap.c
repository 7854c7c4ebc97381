/*
 * malloc, up to the end of memory and back.
 */
#include <errno.h>
#include <ringside/guest.h>
#include <stdlib.h>
#include <string.h>

#include "tests/guest/tap.h"

#define BLOCKS 64

/* Allocates, fills, checks and frees blocks of many sizes. */
static bool many_sizes(void)
{
    unsigned char *block[BLOCKS];
    bool good = true;

    for (size_t i = 0; i < BLOCKS; i++) {
        block[i] = malloc(i * 177 + 1);
        if (!block[i])
            return false;
        memset(block[i], (int)i, i * 177 + 1);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        for (size_t k = 0; k < i * 177 + 1; k++)
            good &= block[i][k] == i;
    for (size_t i = 0; i < BLOCKS; i++)
        free(block[i]);
    return good;
}

/* Takes all memory in chunks linked through their first word. */
static size_t take_all(void ***chain)
{
    size_t n = 0;
    void **chunk;

    while ((chunk = malloc(65536)) != NULL) {
        *chunk = *chain;
        *chain = chunk;
        n++;
    }
    return n;
}

int main(void)
{
    void **chain = NULL, *big;
    size_t n, again;

    plan(6);
    point(many_sizes(), "blocks of many sizes hold what was written");
    big = calloc(1, 1 << 20);
    point(big && !memchr(big, 1, 1 << 20), "1 MiB of zeroes");
    free(big);
    errno = 0;
    n = take_all(&chain);
    point(n > 32, "%u chunks of 64 KiB fit", (unsigned int)n);
    point(errno == ENOMEM, "the end of memory is ENOMEM");
    while (chain) {
        void **next = *chain;

        free(chain);
        chain = next;
    }
    again = take_all(&chain);
    point(again >= n, "as many fit a second time: %u", (unsigned int)again);
    point(rs_pages_alloc(1u << 30) == NULL, "too many pages are NULL");
    return done();
}
