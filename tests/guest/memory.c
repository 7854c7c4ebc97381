/*
 * memcpy, memmove and memset against a model that goes byte by byte: all sizes
 * and alignments around the points where they go another way, up to the very
 * edges of memory, by blocks and by string instructions.
 */
#include <ringside/guest.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "guest-kernel/libc.h"
#include "guest-kernel/pages.h"
#include "tests/guest/tap.h"

#define AREA   (3 * RS_PAGE_SIZE)
#define MARGIN 80

typedef unsigned char byte;

/* Called through these, or the compiler does some of it itself. */
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static void *(*volatile move)(void *, const void *, size_t) = memmove;
static void *(*volatile fill)(void *, int, size_t) = memset;

static byte *from, *to; /* AREA bytes each, between guard pages */
static byte expected[AREA];

static byte *area(void)
{
    byte *p = rs_pages_alloc(AREA / RS_PAGE_SIZE + 2);

    if (!p || page_guard(p) || page_guard(p + RS_PAGE_SIZE + AREA))
        return NULL;
    return p + RS_PAGE_SIZE;
}

static byte numbered(size_t i, size_t seed)
{
    return (byte)(i * 167 + (i >> 8) + seed);
}

static void number(byte *p, size_t seed)
{
    for (size_t i = 0; i < AREA; i++)
        p[i] = numbered(i, seed);
}

/* The bytes of the model and its neighbours are in place. */
static bool same(const byte *got, size_t at, size_t n)
{
    size_t first = at < MARGIN ? 0 : at - MARGIN;
    size_t end = at + n + MARGIN < AREA ? at + n + MARGIN : AREA;

    for (size_t i = first; i < end; i++)
        if (got[i] != expected[i])
            return false;
    return true;
}

static bool copies(size_t d, size_t s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expected[d + i] = from[s + i];
    return copy(to + d, from + s, n) == to + d && same(to, d, n);
}

/* Within one area, whose bytes are made to differ first. */
static bool moves(size_t d, size_t s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[s + i] = expected[s + i] = numbered(i, n + d);
    for (size_t i = 0; i < n; i++)
        expected[d + i] = to[s + i];
    return move(to + d, to + s, n) == to + d && same(to, d, n);
}

static bool fills(size_t d, size_t n)
{
    int c = (int)(n * 5 + d + 0x100); /* all but the lowest byte is ignored */

    for (size_t i = 0; i < n; i++)
        expected[d + i] = (byte)c;
    return fill(to + d, c, n) == to + d && same(to, d, n);
}

static void begin(void)
{
    number(from, 1);
    number(to, 2);
    number(expected, 2);
}

/* ---- what is tried ---- */

static bool copies_of(size_t n, size_t alignments)
{
    for (size_t d = 0; d < alignments; d++)
        for (size_t s = 0; s < alignments; s++)
            if (!copies(MARGIN + d, MARGIN + s, n)) {
                printf("# %zu bytes, +%zu to +%zu\n", n, s, d);
                return false;
            }
    return true;
}

static bool fills_of(size_t n)
{
    for (size_t d = 0; d < 64; d++)
        if (!fills(MARGIN + d, n)) {
            printf("# %zu bytes at +%zu\n", n, d);
            return false;
        }
    return true;
}

static bool moves_of(size_t n)
{
    const size_t middle = AREA / 6;

    for (size_t distance = 0; distance < n + 20; distance += 1 + n / 150)
        for (size_t at = middle; at < middle + 16; at += 3)
            if (!moves(at + distance, at, n) || !moves(at, at + distance, n)) {
                printf("# %zu bytes by %zu at +%zu\n", n, distance, at);
                return false;
            }
    return true;
}

static bool at_the_edges(size_t n)
{
    return copies(0, 0, n) && copies(AREA - n, AREA - n, n) &&
           copies(0, AREA - n, n) && copies(AREA - n, 0, n) && fills(0, n) &&
           fills(AREA - n, n) && moves(0, AREA - n, n) &&
           moves(AREA - n, 0, n) && (n < 2 || moves(AREA - n, AREA - n - 1, n));
}

static void all(const char *how, size_t rep_min)
{
    static const size_t large[] = { 1023, 1460, 2047, 2048, 2049, 3001, 4096 };
    const size_t n_large = sizeof(large) / sizeof(*large);
    bool copied = true, filled = true, moved = true, edges = true;

    memory_rep_min = rep_min;
    begin();
    for (size_t n = 0; n < 300; n++) {
        copied = copied && copies_of(n, 17);
        filled = filled && fills_of(n);
        edges = edges && at_the_edges(n);
    }
    for (size_t i = 0; i < n_large; i++) {
        copied = copied && copies_of(large[i], 17);
        filled = filled && fills_of(large[i]);
        edges = edges && at_the_edges(large[i]);
    }
    begin();
    for (size_t n = 0; n < 300; n += n < 140 ? 1 : 7)
        moved = moved && moves_of(n);
    for (size_t i = 0; i < n_large; i++)
        moved = moved && moves_of(large[i]);
    point(copied, "memcpy %s", how);
    point(filled, "memset %s", how);
    point(moved, "memmove %s", how);
    point(edges, "at the edges of memory %s", how);
}

int main(void)
{
    size_t usual = memory_rep_min;

    plan(9);
    from = area();
    to = area();
    if (!point(from && to, "memory between guard pages"))
        return 1;
    all("by blocks", SIZE_MAX);
    all("by string instructions", 129);
    memory_rep_min = usual;
    return done();
}
