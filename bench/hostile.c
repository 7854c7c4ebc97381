/*
 * A hostile guest, for `ringside bench` and for tests: it does to the store
 * what its command line says, as fast as it can, and for ever. It writes into
 * its ring page itself and takes no notice of the answers; the kernel's own
 * use of the ring ends there. "main 0" on the hypervisor's console says that
 * it begins.
 *
 *   reads N     honest: N reads of its name, then "p99" in ns for one
 *   cheap       the cheapest requests there are, a full ring of them
 *   rm          1000 nodes are made and removed with one request
 *   directory   its largest directory, again and again
 *   deep        one request makes as many nodes as there may be, nested
 *   commit      transactions of 1000 nodes
 *   deepcommit  transactions of as many deep nodes as they may have
 *   watches     128 watches, and writes that fire them all
 *   reset       128 watches on deep paths, and RESET_WATCHES
 *   perms       permission lists that name domains which do not exist
 *   unread      requests whose replies are never read
 *   open        all its transactions open, and nodes rewritten under them
 *   indices     nonsense in the indices, and a new beginning
 *   notify      nothing but events
 *   shared DIR  writes below DIR, which others watch
 *   watch DIR   all its watches on DIR
 */
#include <ringside/guest.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/events.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/xenbus.h"

#define OURS    "data/h"
#define NODES   950 /* some of the quota's 1000 are taken */
#define WATCHES 120
#define PAUSE   20000 /* ns, for the store to make room */

static struct xenstore_domain_interface *page;
static const char *argument; /* the mode's word, or NULL */
static xenbus_tx last_tx;    /* transactions count on from here */
static char own[8];          /* our domid */

/* ---- the ring ---- */

static void kick(void)
{
    hypercall_evtchn_send(start_info->store_evtchn);
}

/* Whatever was answered is said to have been read. */
static void forget_replies(void)
{
    WRITE_ONCE(page->rsp_cons, READ_ONCE(page->rsp_prod));
}

static uint32_t room(void)
{
    return XENSTORE_RING_SIZE - (page->req_prod - READ_ONCE(page->req_cons));
}

static bool reading = true; /* replies */

static void put(const void *data, size_t len)
{
    const char *bytes = data;

    for (size_t i = 0; i < len; i++) {
        while (room() == 0) {
            if (reading)
                forget_replies();
            kick();
            rs_sleep(PAUSE);
        }
        page->req[MASK_XENSTORE_IDX(page->req_prod)] = bytes[i];
        xen_wmb(); /* partner: the store reads req_prod before the bytes */
        WRITE_ONCE(page->req_prod, page->req_prod + 1);
    }
}

static void request(uint32_t type, uint32_t tx, const char *data, size_t len)
{
    struct xsd_sockmsg header = { type, 77, tx, (uint32_t)len };

    put(&header, sizeof(header));
    put(data, len);
}

static void path_request(uint32_t type, uint32_t tx, const char *path)
{
    request(type, tx, path, strlen(path) + 1);
}

static void write_node(uint32_t tx, const char *path, const char *value)
{
    char data[XENSTORE_PAYLOAD_MAX];
    int n = snprintf(data, sizeof(data), "%s%c%s", path, 0, value);

    request(XS_WRITE, tx, data, (size_t)n);
}

static void watch(const char *path, int token)
{
    char data[XENSTORE_PAYLOAD_MAX];
    int n = snprintf(data, sizeof(data), "%s%c%d", path, 0, token);

    request(XS_WATCH, 0, data, (size_t)n + 1);
}

/* Node i of a directory; of 30 below it if `spread`. */
static const char *node(const char *dir, int i, bool spread)
{
    static char path[128];

    if (spread)
        snprintf(path, sizeof(path), "%s/%d/%d", dir, i % 30, i);
    else
        snprintf(path, sizeof(path), "%s/%d", dir, i);
    return path;
}

/* A path of `depth` components below ours. */
static const char *deep(int depth)
{
    static char path[2 * 1024];
    size_t n = (size_t)sprintf(path, OURS);

    for (int i = 0; i < depth; i++)
        n += (size_t)sprintf(path + n, "/a");
    return path;
}

/* ---- the modes ---- */

static void cheap(void)
{
    request(XS_GET_DOMAIN_PATH, 0, "1", 2);
}

static void rm(void)
{
    static int i;

    if (i < NODES)
        path_request(XS_MKDIR, 0, node(OURS, i, true));
    else
        path_request(XS_RM, 0, OURS);
    i = i < NODES ? i + 1 : 0;
}

static void directory(void)
{
    static int i;

    if (i < 500)
        path_request(XS_MKDIR, 0, node(OURS, i++, false));
    else
        path_request(XS_DIRECTORY, 0, OURS);
}

static void deep_mkdir(void)
{
    path_request(XS_MKDIR, 0, deep(NODES));
    path_request(XS_RM, 0, OURS);
}

static uint32_t begin(void)
{
    request(XS_TRANSACTION_START, 0, "", 1);
    return ++last_tx;
}

static void commit(void)
{
    uint32_t tx = begin();

    for (int i = 0; i < NODES; i++)
        write_node(tx, node(OURS, i, false), "x");
    request(XS_TRANSACTION_END, tx, "T", 2);
}

static void deep_commit(void)
{
    uint32_t tx = begin();

    path_request(XS_MKDIR, tx, deep(NODES));
    write_node(0, "data/other", "x"); /* it must be compared, then */
    request(XS_TRANSACTION_END, tx, "T", 2);
    path_request(XS_RM, 0, OURS);
}

static void watches(void)
{
    static int set;

    while (set < WATCHES)
        watch(OURS, set++);
    write_node(0, node(OURS, rand() % 500, false), "x");
}

static void reset(void)
{
    for (int i = 0; i < WATCHES; i++)
        watch(deep(NODES - i), i);
    request(XS_RESET_WATCHES, 0, "", 1);
}

static void perms(void)
{
    char data[128];
    int n = snprintf(data, sizeof(data), "data%cn%s", 0, own) + 1;

    for (int i = 0; i < 4; i++)
        n += sprintf(data + n, "r%d", 1000 + rand() % 9000) + 1;
    request(XS_SET_PERMS, 0, data, (size_t)n);
}

static void unread(void)
{
    reading = false;
    path_request(XS_DIRECTORY, 0, OURS);
}

static void open_all(void)
{
    static char value[1500];
    static int n, i;

    memset(value, 'a' + i % 26, sizeof(value) - 1);
    if (i++ % NODES == 0 && n++ < 10)
        begin();
    write_node(0, node(OURS, i % NODES, true), value);
}

static void indices(void)
{
    page->req_cons = (uint32_t)rand();
    page->req_prod = (uint32_t)rand();
    page->rsp_cons = (uint32_t)rand();
    page->rsp_prod = (uint32_t)rand();
    WRITE_ONCE(page->connection, rand() % 2 ? XENSTORE_RECONNECT : 7);
    kick();
    rs_sleep(PAUSE);
}

static void notify(void)
{
    kick();
}

static void shared(void)
{
    write_node(0, node(argument, rand() % 500, false), "x");
}

static void watch_all(void)
{
    for (int i = 0; i < WATCHES; i++)
        watch(argument, i);
    for (;;) {
        forget_replies();
        kick();
        rs_sleep(PAUSE);
    }
}

static const struct {
    const char *name;
    void (*once)(void);
} modes[] = {
    { "cheap", cheap },     { "rm", rm },         { "directory", directory },
    { "deep", deep_mkdir }, { "commit", commit }, { "deepcommit", deep_commit },
    { "watches", watches }, { "reset", reset },   { "perms", perms },
    { "unread", unread },   { "open", open_all }, { "indices", indices },
    { "notify", notify },   { "shared", shared }, { "watch", watch_all },
};

static void say(const char *line)
{
    hypercall_console_write(line, (unsigned int)strlen(line));
}

/* The kernel's requests are over; its handler shall not take ours for them. */
static void take_over(void)
{
    char *domid;

    if (rs_store_read("domid", &domid) || xenbus_begin(&last_tx) ||
        xenbus_end(last_tx, false))
        exit(1);
    snprintf(own, sizeof(own), "%s", domid);
    event_mask(start_info->store_evtchn);
    page = (void *)(start_info->store_mfn << PAGE_SHIFT);
    say("main 0\n");
}

/* ---- the honest one ---- */

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int reads(size_t n)
{
    uint64_t *took = calloc(n, sizeof(*took)), start;
    char line[64], *name;

    if (!took)
        return 1;
    say("main 0\n");
    for (size_t i = 0; i < n; i++) {
        start = rs_now();
        if (rs_store_read("name", &name))
            return 1;
        took[i] = rs_now() - start;
        free(name);
    }
    qsort(took, n, sizeof(*took), ascending);
    sprintf(line, "p99 %llu\n", (unsigned long long)took[n - n / 100 - 1]);
    say(line);
    return 0;
}

int main(int argc, char **argv)
{
    argument = argc > 2 ? argv[2] : NULL;
    if (argument && strcmp(argv[1], "reads") == 0)
        return reads(strtoul(argument, NULL, 10));
    for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].name, argv[1]) != 0)
            continue;
        take_over();
        for (;;)
            modes[i].once();
    }
    printf("this guest is for `ringside bench` and tests of the store\n");
    return 1;
}
