/*
 * A hypervisor and a store in the memory of a unit test: what the backends
 * (backends/) link against instead of libringside-client and store.c.
 *
 * There is one guest, of any domid. Its memory is an arena of pages; reference
 * n grants page n, until a test says otherwise. Ports are eventfds.
 */
#ifndef RINGSIDE_TESTS_FAKE_HOST_H
#define RINGSIDE_TESTS_FAKE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ringside/client.h"
#include "store.h"
#include "xen_compat.h"

#ifndef FAKE_PAGES
#define FAKE_PAGES 1024
#endif
#define FAKE_PORTS 64

struct fake_host {
    char *memory;               /* FAKE_PAGES pages */
    bool denied[FAKE_PAGES];    /* not granted */
    bool read_only[FAKE_PAGES]; /* granted for reading only */
    unsigned int mapped[FAKE_PAGES];
    unsigned int map_calls, unmap_calls, maps; /* maps: those that exist */
    int rx[FAKE_PORTS];    /* bound ports: what the backend waits on */
    unsigned int notified; /* events that the backend sent */
    unsigned int bound;    /* ports in use */
    int bind_error;        /* what binding answers, 0: it works */
};
extern struct fake_host fake;

/* A clean machine; the arena is zeroed. Ends what was there before. */
void fake_host_reset(void);

static inline void *fake_page(grant_ref_t ref)
{
    return fake.memory + (size_t)ref * 4096;
}

/* The guest raises all its bound ports. */
void fake_guest_sends(void);

struct event_base;
struct store *fake_store_new(struct event_base *base);

/* As if a tool or guest did it; watches fire from the loop. */
void fake_store_set(struct store *s, const char *path, const char *value);
void fake_store_remove(struct store *s, const char *path);
/* The value, or NULL; valid until the node changes. */
const char *fake_store_get(struct store *s, const char *path);

#endif
