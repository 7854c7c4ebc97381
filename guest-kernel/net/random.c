/*
 * Numbers that an outsider cannot guess: ports, transaction ids, and initial
 * sequence numbers of TCP (RFC 6528: a clock plus a keyed hash of the
 * connection's ends).
 */
#include <cpuid.h>
#include <stdbool.h>
#include <string.h>

#include "lwip/ip_addr.h"
#include "lwip/opt.h"

#include "guest-kernel/clock.h"

#define CPUID_1_ECX_RDRAND (1u << 30)

static bool have_rdrand(void)
{
    unsigned int a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & CPUID_1_ECX_RDRAND);
}

static uint64_t rdrand(void)
{
    unsigned long long v = 0;

    for (int i = 0; i < 10; i++) {
        unsigned char ok;

        __asm__ __volatile__("rdrand %0; setc %1" : "=r"(v), "=qm"(ok));
        if (ok)
            break;
    }
    return v;
}

/* One round of mixing (the finaliser of SplitMix64). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t random64(void)
{
    static uint64_t state;
    static int rdrand_there = -1;

    if (rdrand_there < 0)
        rdrand_there = have_rdrand();
    state = mix(state ^ clock_tsc()) + clock_wall();
    if (rdrand_there)
        state ^= rdrand();
    return mix(state);
}

uint32_t net_random(void)
{
    return (uint32_t)(random64() >> 32);
}

/* ---- SipHash-2-4 (Aumasson, Bernstein 2012) of four words ---- */

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static void sip_rounds(uint64_t v[4], int n)
{
    while (n--) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32) + v[3];
        v[2] += v[1];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

static uint64_t siphash(const uint64_t key[2], const uint64_t *words, int n)
{
    uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u,
                      key[1] ^ 0x646f72616e646f6du,
                      key[0] ^ 0x6c7967656e657261u,
                      key[1] ^ 0x7465646279746573u };
    uint64_t last = (uint64_t)n * 8 << 56;

    for (int i = 0; i <= n; i++) {
        uint64_t w = i < n ? words[i] : last;

        v[3] ^= w;
        sip_rounds(v, 2);
        v[0] ^= w;
    }
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t net_tcp_isn(const void *local, uint16_t local_port, const void *remote,
                     uint16_t remote_port)
{
    static uint64_t key[2];
    uint64_t words[2];

    if (!key[0]) {
        key[0] = random64() | 1;
        key[1] = random64();
    }
    words[0] = (uint64_t)ip4_addr_get_u32((const ip4_addr_t *)local) << 32 |
               ip4_addr_get_u32((const ip4_addr_t *)remote);
    words[1] = (uint64_t)local_port << 16 | remote_port;
    /* The clock of RFC 6528 ticks every 4 us. */
    return (uint32_t)siphash(key, words, 2) +
           (uint32_t)(clock_now() / (4 * NS_PER_US));
}
