/*
 * Who the other guest is: whoever starts the pair writes its number into
 * data/peer of each (see pair.sh).
 */
#ifndef PEER_H
#define PEER_H

#include <ringside/guest.h>
#include <stdlib.h>

static void peer_named(void *arg, const char *path)
{
    (void)path;
    rs_semaphore_up(arg);
}

/* Waits for it. */
static unsigned int peer_domid(void)
{
    struct rs_semaphore *named = rs_semaphore_new(0);
    struct rs_watch *w;
    unsigned int domid = 0;
    char *text;

    if (!named || rs_store_watch("data/peer", peer_named, named, &w))
        return 0;
    do {
        rs_semaphore_down(named, RS_FOREVER);
        if (rs_store_read("data/peer", &text) == 0) {
            domid = (unsigned int)strtoul(text, NULL, 10);
            free(text);
        }
    } while (!domid);
    rs_store_unwatch(w);
    rs_semaphore_free(named);
    return domid;
}

#endif
