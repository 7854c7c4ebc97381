/*
 * Makes a failing play small; see xs_play.h. First pieces of it are left out,
 * halves, quarters and at last single steps, as long as the rest still fails;
 * then what remains is made simpler step by step.
 */
#include "xs_play.h"

#include <stdlib.h>
#include <string.h>

/* Steps from..to go if it fails without them. */
static bool try_without(struct play *p, uint32_t from, uint32_t to)
{
    uint32_t n = to - from, tail = p->n - to;
    struct step *gone = malloc(n * sizeof(*gone));
    bool fails;

    if (!gone)
        abort();
    memcpy(gone, &p->step[from], n * sizeof(*gone));
    memmove(&p->step[from], &p->step[to], tail * sizeof(*gone));
    p->n -= n;
    fails = play_do(p)->failed;
    if (!fails) {
        memmove(&p->step[to], &p->step[from], tail * sizeof(*gone));
        memcpy(&p->step[from], gone, n * sizeof(*gone));
        p->n += n;
    }
    free(gone);
    return fails;
}

/* Nothing after the failure matters. Its end comes first to go. */
static bool drop_pieces(struct play *p, uint32_t size)
{
    bool any = false;

    for (uint32_t to = p->n; to > 0;) {
        uint32_t from = to > size ? to - size : 0;

        any |= try_without(p, from, to);
        to = from;
    }
    return any;
}

static void drop_all(struct play *p)
{
    for (uint32_t size = p->n / 2; size > 1; size /= 2)
        drop_pieces(p, size);
    while (drop_pieces(p, 1))
        ;
}

static bool try_step(struct play *p, struct step *at, const struct step *new)
{
    struct step old = *at;

    if (!memcmp(&old, new, sizeof(old)))
        return false;
    *at = *new;
    if (play_do(p)->failed)
        return true;
    *at = old;
    return false;
}

/* A step without len bytes of its payload. */
static bool try_cut(struct play *p, struct step *at, unsigned int from,
                    unsigned int len)
{
    struct step new = *at;

    memmove(new.payload + from, new.payload + from + len, new.len - from - len);
    new.len = (uint16_t)(new.len - len);
    memset(new.payload + new.len, 0, len);
    return try_step(p, at, &new);
}

/* Strings, path components, and single characters go. */
static bool cut_payload(struct play *p, struct step *at)
{
    bool any = false;

    for (unsigned int size = at->len / 2; size; size /= 2)
        for (unsigned int from = 0; from + size <= at->len;)
            if (try_cut(p, at, from, size))
                any = true;
            else
                from++;
    return any;
}

static bool simplify(struct play *p, struct step *at)
{
    struct step new = *at;
    bool any = false;

    new.slot = 0;
    any |= try_step(p, at, &new);
    for (uint8_t who = 0; who < at->who; who++) {
        new = *at;
        new.who = who;
        any |= try_step(p, at, &new);
    }
    return cut_payload(p, at) || any;
}

void play_shrink(struct play *p)
{
    bool any = true;

    drop_all(p);
    for (int rounds = 0; any && rounds < 4; rounds++) {
        any = false;
        for (uint32_t i = 0; i < p->n; i++)
            any |= simplify(p, &p->step[i]);
        drop_all(p);
    }
}
