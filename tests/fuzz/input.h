/*
 * The bytes that a fuzzer made, taken one after another; what is beyond the
 * last is 0. The state is a target's own, which is one file.
 */
#ifndef RINGSIDE_TESTS_FUZZ_INPUT_H
#define RINGSIDE_TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t input_left;

static inline void input_begin(const uint8_t *data, size_t size)
{
    input = data;
    input_left = size;
}

/* The next bytes (4 at most) as a number, the first one highest. */
static inline unsigned int take(unsigned int bytes)
{
    unsigned int v = 0;

    for (; bytes; bytes--) {
        v <<= 8;
        if (input_left) {
            v |= *input++;
            input_left--;
        }
    }
    return v;
}

/* What must hold of the code that is fuzzed, also where NDEBUG is set. */
static inline void demand(bool condition)
{
    if (!condition)
        abort();
}

#endif
