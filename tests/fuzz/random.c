/*
 * A main() for a fuzz target that runs it on random inputs: so many, from a
 * seed that names them. What libFuzzer does better, and this does fast and
 * without it: `make fuzz-stack` runs millions of frames in minutes.
 *
 *   NAME SEED COUNT
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* SplitMix64. */
static uint64_t next(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void run(uint64_t seed)
{
    static uint8_t input[INPUT_MAX];
    size_t n = next(&seed) % INPUT_MAX;

    for (size_t i = 0; i < n; i++)
        input[i] = (uint8_t)(next(&seed) >> 40);
    LLVMFuzzerTestOneInput(input, n);
}

int main(int argc, char **argv)
{
    uint64_t seed, count;

    if (argc != 3) {
        fprintf(stderr, "usage: %s SEED COUNT\n", argv[0]);
        return 2;
    }
    seed = strtoull(argv[1], NULL, 0);
    count = strtoull(argv[2], NULL, 0);
    for (uint64_t i = 0; i < count; i++) {
        /* A crash is repeated by this seed and a count of 1. */
        if (i % 1000 == 0)
            fprintf(stderr, "input %llu\n", (unsigned long long)(seed + i));
        run(seed + i);
    }
    return 0;
}
