/*
 * memcpy(), memmove() and memset(), in place of the C library's, which write
 * past the cache from 256 bytes on, so that the next reader of a copy waits for
 * memory.
 *
 * Up to 128 bytes everything is loaded before anything is stored, so overlap
 * does not matter. More goes in blocks of 64 bytes to aligned addresses; what
 * that leaves at either end is loaded first and stored last. From
 * memory_rep_min bytes on the processor's string instructions do it, where the
 * processor calls them fast. No AVX: event handlers copy, too.
 */
#include <stdint.h>
#include <string.h>

#include "guest-kernel/kernel.h"
#include "guest-kernel/libc.h"

#define CPUID7_EBX_ERMS (1u << 9)
#define REP_MIN         2048 /* from here on their start has paid */
#define BLOCK           64

/* At any address, whatever types the program has there. */
typedef uint16_t u16 __attribute__((may_alias, aligned(1)));
typedef uint32_t u32 __attribute__((may_alias, aligned(1)));
typedef uint64_t u64 __attribute__((may_alias, aligned(1)));
typedef long long v16 __attribute__((vector_size(16), may_alias, aligned(1)));

struct block {
    v16 a, b, c, d;
};

size_t memory_rep_min = SIZE_MAX;

void memory_init(void)
{
    if (cpuid7_ebx() & CPUID7_EBX_ERMS)
        memory_rep_min = REP_MIN;
}

static inline struct block load(const char *s)
{
    const v16 *v = (const v16 *)s;

    return (struct block){ v[0], v[1], v[2], v[3] };
}

static inline void store(char *d, struct block b)
{
    v16 *v = (v16 *)d;

    v[0] = b.a;
    v[1] = b.b;
    v[2] = b.c;
    v[3] = b.d;
}

/* In a loop: the compiler must not call the function of which it is the body.
 */
static inline void keep_loop(void)
{
    __asm__ __volatile__("" : : : "memory");
}

/* ---- copying ---- */

/* n bytes as a first and a last T, which may overlap. */
#define COPY_ENDS(T, d, s, n)                          \
    do {                                               \
        T first_ = *(const T *)(s);                    \
        T last_ = *(const T *)((s) + (n) - sizeof(T)); \
                                                       \
        *(T *)(d) = first_;                            \
        *(T *)((d) + (n) - sizeof(T)) = last_;         \
    } while (0)

/* Less than 16. */
static inline void copy_tiny(char *d, const char *s, size_t n)
{
    if (n >= 8)
        COPY_ENDS(u64, d, s, n);
    else if (n >= 4)
        COPY_ENDS(u32, d, s, n);
    else if (n >= 2)
        COPY_ENDS(u16, d, s, n);
    else if (n)
        *d = *s;
}

/* Up to two blocks. */
static inline void copy_small(char *d, const char *s, size_t n)
{
    if (n < 16) {
        copy_tiny(d, s, n);
    } else if (n <= 32) {
        COPY_ENDS(v16, d, s, n);
    } else if (n <= BLOCK) {
        v16 second = *(const v16 *)(s + 16);
        v16 last_but_one = *(const v16 *)(s + n - 32);

        COPY_ENDS(v16, d, s, n);
        *(v16 *)(d + 16) = second;
        *(v16 *)(d + n - 32) = last_but_one;
    } else {
        struct block first = load(s), last = load(s + n - BLOCK);

        store(d, first);
        store(d + n - BLOCK, last);
    }
}

/* More than two blocks; d is below s, or they do not overlap. */
static void copy_up(char *d, const char *s, size_t n)
{
    char *start = d, *end = d + n - BLOCK;
    struct block last = load(s + n - BLOCK);
    v16 first = *(const v16 *)s;
    size_t skip = 16 - (uintptr_t)d % 16;

    for (d += skip, s += skip; d < end; d += BLOCK, s += BLOCK) {
        store(d, load(s));
        keep_loop();
    }
    store(end, last);
    *(v16 *)start = first;
}

/* More than two blocks; d is above s. */
static void copy_down(char *d, const char *s, size_t n)
{
    char *start = d;
    struct block first = load(s);
    v16 last = *(const v16 *)(s + n - 16);
    char *end = d + n;

    d = end - (uintptr_t)end % 16;
    for (s += d - start; d > start + BLOCK; d -= BLOCK, s -= BLOCK) {
        store(d - BLOCK, load(s - BLOCK));
        keep_loop();
    }
    store(start, first);
    *(v16 *)(end - 16) = last;
}

/*
 * No overlap. To an aligned address: some processors take many times as long
 * otherwise.
 */
static void copy_rep(char *d, const char *s, size_t n)
{
    size_t skip = BLOCK - (uintptr_t)d % BLOCK;

    store(d, load(s));
    d += skip;
    s += skip;
    n -= skip;
    __asm__ __volatile__("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    if (n <= 2 * BLOCK)
        copy_small(to, from, n);
    else if (n < memory_rep_min)
        copy_up(to, from, n);
    else
        copy_rep(to, from, n);
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    size_t ahead = (uintptr_t)to - (uintptr_t)from;

    if (n <= 2 * BLOCK)
        copy_small(to, from, n);
    else if (ahead < n)
        copy_down(to, from, n);
    else if (n < memory_rep_min || -ahead < n)
        copy_up(to, from, n);
    else
        copy_rep(to, from, n);
    return to;
}

/* ---- filling ---- */

#define FILL_ENDS(T, d, value, n)                   \
    do {                                            \
        *(T *)(d) = (T)(value);                     \
        *(T *)((d) + (n) - sizeof(T)) = (T)(value); \
    } while (0)

/* Less than 16. */
static inline void fill_tiny(char *d, uint64_t word, size_t n)
{
    if (n >= 8)
        FILL_ENDS(u64, d, word, n);
    else if (n >= 4)
        FILL_ENDS(u32, d, word, n);
    else if (n >= 2)
        FILL_ENDS(u16, d, word, n);
    else if (n)
        *d = (char)word;
}

/* More than a block. */
static void fill_blocks(char *d, v16 value, size_t n)
{
    struct block b = { value, value, value, value };
    char *end = d + n - BLOCK;

    *(v16 *)d = value;
    for (d += 16 - (uintptr_t)d % 16; d < end; d += BLOCK) {
        store(d, b);
        keep_loop();
    }
    store(end, b);
}

static void fill_rep(char *d, int c, size_t n)
{
    __asm__ __volatile__("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
}

void *memset(void *to, int c, size_t n)
{
    uint64_t word = (unsigned char)c * 0x0101010101010101ull;
    v16 value = { (long long)word, (long long)word };
    char *d = to;

    if (n < 16) {
        fill_tiny(d, word, n);
    } else if (n <= BLOCK) {
        FILL_ENDS(v16, d, value, n);
        if (n > 32) {
            *(v16 *)(d + 16) = value;
            *(v16 *)(d + n - 32) = value;
        }
    } else if (n < memory_rep_min) {
        fill_blocks(d, value, n);
    } else {
        fill_rep(d, c, n);
    }
    return to;
}
