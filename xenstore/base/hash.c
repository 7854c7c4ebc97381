/* The seed of all hashes; see hash.h. */
#include "base/hash.h"

#include <sys/random.h>
#include <time.h>

uint64_t hash_seed = UINT64_C(0x51f15eed);

void hash_init(void)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
        seed = (uint64_t)time(NULL) * UINT64_C(0x9e3779b97f4a7c15);
    hash_seed = seed | 1;
}
