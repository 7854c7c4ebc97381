/*
 * A driver domain in a page: block devices of zeros, and RAM disks.
 *
 *     ringsided --driver .../backend
 *
 * ringsided starts it as domain 1, in place of ringside-driverd. It serves
 * each device below /local/domain/1/backend/vbd in the store; the node params
 * says what it is: "zero:SECTORS" or "ram:SECTORS". A toolstack makes the
 * nodes (boot.c here); the guest's frontend then offers a page and an event
 * channel, which this program maps and binds.
 *
 * What is in a guest's pages and nodes may be anything: a request is copied
 * once, and the copy is checked before anything is done.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenstore.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/io/xenbus.h>

#define xen_mb()  __sync_synchronize()
#define xen_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#include <xen/io/blkif.h>

#include <ringside/client.h>

#define BACKENDS    "/local/domain/1/backend/vbd"
#define DEVICES_MAX 64
#define PAGE        4096
#define SECTOR      512
#define SECTORS_MAX (1u << 21) /* 1 GiB */

struct device {
    char path[80]; /* of our nodes, "" if this entry is free */
    char *frontend;
    uint16_t domid;
    uint64_t sectors;
    char *ram; /* NULL: zeros */
    bool connected;
    struct rs_client_mapping page;
    blkif_back_ring_t ring;
    uint32_t port;
    int fd; /* readable when the frontend sent an event */
};

static struct rs_client *client;
static struct xs_handle *store;
static struct device devices[DEVICES_MAX];

static void die(const char *what, int err)
{
    fprintf(stderr, "backend: %s: %s\n", what, strerror(-err));
    exit(EXIT_FAILURE);
}

/* ---- the store ---- */

/* A node's value, to be freed; NULL: it is not there. */
static char *node_read(const char *dir, const char *node)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, node);
    return xs_read(store, XBT_NULL, path, NULL);
}

static uint64_t node_number(const char *dir, const char *node)
{
    char *s = node_read(dir, node);
    uint64_t n = s ? strtoull(s, NULL, 10) : 0;

    free(s);
    return n;
}

static void node_write(const struct device *d, const char *node, uint64_t n)
{
    char path[256], value[24];
    int len = snprintf(value, sizeof(value), "%" PRIu64, n);

    snprintf(path, sizeof(path), "%s/%s", d->path, node);
    xs_write(store, XBT_NULL, path, value, (unsigned int)len);
}

/* ---- requests ---- */

/* One segment: a part of a page that the guest granted for this request. */
static bool move(struct device *d, const struct blkif_request *req,
                 const struct blkif_request_segment *seg, uint64_t sector)
{
    bool write = req->operation == BLKIF_OP_WRITE;
    size_t n = (seg->last_sect - seg->first_sect + 1u) * SECTOR;
    struct rs_client_mapping m;
    uint32_t ref = seg->gref;
    char *page;

    /* To write the disk is to read the page. */
    if (rs_client_map_grants(client, d->domid, &ref, 1, write, &m) != 1)
        return false;
    page = (char *)m.addr + seg->first_sect * SECTOR;
    if (write)
        memcpy(d->ram + sector * SECTOR, page, n);
    else if (d->ram)
        memcpy(page, d->ram + sector * SECTOR, n);
    else
        memset(page, 0, n);
    return rs_client_unmap_grants(client, &m, 1) == 0;
}

/* req is our copy. */
static int16_t serve(struct device *d, const struct blkif_request *req)
{
    uint64_t sector = req->sector_number;

    if (req->operation == BLKIF_OP_FLUSH_DISKCACHE)
        return BLKIF_RSP_OKAY;
    if (req->operation != BLKIF_OP_READ &&
        (req->operation != BLKIF_OP_WRITE || !d->ram))
        return BLKIF_RSP_EOPNOTSUPP;
    if (req->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        return BLKIF_RSP_ERROR;
    for (int i = 0; i < req->nr_segments; i++) {
        const struct blkif_request_segment *seg = &req->seg[i];
        unsigned int n = seg->last_sect - seg->first_sect + 1u;

        if (seg->first_sect > seg->last_sect ||
            seg->last_sect >= PAGE / SECTOR || sector > d->sectors ||
            n > d->sectors - sector || !move(d, req, seg, sector))
            return BLKIF_RSP_ERROR;
        sector += n;
    }
    return BLKIF_RSP_OKAY;
}

static void answer(struct device *d, const struct blkif_request *req)
{
    struct blkif_response rsp = { .id = req->id,
                                  .operation = req->operation,
                                  .status = serve(d, req) };

    memcpy(RING_GET_RESPONSE(&d->ring, d->ring.rsp_prod_pvt++), &rsp,
           sizeof(rsp));
}

static void disconnect(struct device *d);

/* Requests that came; false: the frontend broke the ring's rules. */
static bool serve_ring(struct device *d)
{
    struct blkif_request req;
    int more, notify;

    do {
        RING_IDX end = d->ring.sring->req_prod;

        xen_rmb(); /* requests before end are complete */
        if (RING_REQUEST_PROD_OVERFLOW(&d->ring, end))
            return false;
        while (d->ring.req_cons != end) {
            RING_COPY_REQUEST(&d->ring, d->ring.req_cons++, &req);
            answer(d, &req);
        }
        RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&d->ring, notify);
        if (notify)
            rs_client_notify(client, d->port);
        RING_FINAL_CHECK_FOR_REQUESTS(&d->ring, more);
    } while (more);
    return true;
}

static void event(struct device *d)
{
    uint64_t n;

    if (read(d->fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
        die("event channel", -errno);
    if (!serve_ring(d)) {
        disconnect(d);
        node_write(d, "state", XenbusStateClosed);
    }
}

/* ---- the connection to a frontend ---- */

static int bind_port(struct device *d)
{
    struct evtchn_bind_interdomain op = {
        .remote_dom = d->domid,
        .remote_port = (uint32_t)node_number(d->frontend, "event-channel"),
    };
    int unused;
    long err =
        rs_client_hypercall(client, __HYPERVISOR_event_channel_op,
                            EVTCHNOP_bind_interdomain, &op, sizeof(op), 1);

    if (err)
        return (int)err;
    d->port = op.local_port;
    return rs_client_port_fds(client, d->port, &d->fd, &unused);
}

static void connect_device(struct device *d)
{
    uint32_t ref = (uint32_t)node_number(d->frontend, "ring-ref");
    blkif_sring_t *shared;

    if (rs_client_map_grants(client, d->domid, &ref, 1, false, &d->page) != 1)
        return; /* it is told by the state, which stays */
    if (bind_port(d)) {
        rs_client_unmap_grants(client, &d->page, 1);
        return;
    }
    shared = d->page.addr;
    BACK_RING_INIT(&d->ring, shared, PAGE);
    d->connected = true;
    node_write(d, "sectors", d->sectors);
    node_write(d, "sector-size", SECTOR);
    node_write(d, "info", d->ram ? 0 : VDISK_READONLY);
    node_write(d, "state", XenbusStateConnected);
}

static void disconnect(struct device *d)
{
    struct evtchn_close op = { .port = d->port };

    if (!d->connected)
        return;
    d->connected = false;
    rs_client_hypercall(client, __HYPERVISOR_event_channel_op, EVTCHNOP_close,
                        &op, sizeof(op), 1);
    rs_client_unmap_grants(client, &d->page, 1);
}

/* ---- devices come and go ---- */

static void watch_frontend(const struct device *d, bool on)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/state", d->frontend);
    if (on)
        xs_watch(store, path, d->path);
    else
        xs_unwatch(store, path, d->path);
}

static void device_remove(struct device *d)
{
    disconnect(d);
    watch_frontend(d, false);
    free(d->frontend);
    free(d->ram);
    *d = (struct device){ .path = "" };
}

static void device_add(const char *path, unsigned int domid)
{
    struct device *d = devices;
    char *params = node_read(path, "params"), kind[8] = "";

    while (d < devices + DEVICES_MAX && d->path[0])
        d++;
    if (d == devices + DEVICES_MAX || !params)
        goto out;
    if (sscanf(params, "%7[a-z]:%" SCNu64, kind, &d->sectors) != 2 ||
        !d->sectors || d->sectors > SECTORS_MAX)
        goto out;
    if (!strcmp(kind, "ram") && !(d->ram = calloc(d->sectors, SECTOR)))
        goto out;
    d->frontend = node_read(path, "frontend");
    if (!d->frontend)
        goto out;
    d->domid = (uint16_t)domid;
    snprintf(d->path, sizeof(d->path), "%s", path);
    watch_frontend(d, true);
    node_write(d, "feature-flush-cache", 1);
    node_write(d, "state", XenbusStateInitWait);
out:
    free(params);
}

/* Does what the frontend's state asks for; our nodes gone: so are we. */
static void device_step(struct device *d)
{
    uint64_t state = node_number(d->frontend, "state");

    if (node_number(d->path, "state") == 0) {
        device_remove(d);
    } else if (state == XenbusStateInitialised ||
               state == XenbusStateConnected) {
        if (!d->connected)
            connect_device(d);
    } else if (d->connected) {
        disconnect(d);
        node_write(d, "state",
                   state == XenbusStateInitialising ? XenbusStateInitWait
                                                    : XenbusStateClosed);
    }
}

static bool is_known(const char *path)
{
    for (int i = 0; i < DEVICES_MAX; i++)
        if (!strcmp(devices[i].path, path))
            return true;
    return false;
}

/* All of them; there is no harm in looking once too often. */
static void scan(void)
{
    unsigned int nr_domains = 0, nr_devices;
    char **domains = xs_directory(store, XBT_NULL, BACKENDS, &nr_domains);

    for (unsigned int i = 0; i < nr_domains; i++) {
        char path[80];
        char **names;

        snprintf(path, sizeof(path), BACKENDS "/%.8s", domains[i]);
        names = xs_directory(store, XBT_NULL, path, &nr_devices);
        for (unsigned int k = 0; names && k < nr_devices; k++) {
            snprintf(path, sizeof(path), BACKENDS "/%.8s/%.12s", domains[i],
                     names[k]);
            if (!is_known(path))
                device_add(path, (unsigned int)strtoul(domains[i], NULL, 10));
        }
        free(names);
    }
    free(domains);
    for (int i = 0; i < DEVICES_MAX; i++)
        if (devices[i].path[0])
            device_step(&devices[i]);
}

static void store_news(void)
{
    char **news;

    while ((news = xs_check_watch(store)))
        free(news);
    scan();
}

/* ---- the program ---- */

static void run(void)
{
    struct pollfd p[2 + DEVICES_MAX] = {
        { .fd = rs_client_fd(client), .events = POLLIN },
        { .fd = xs_fileno(store), .events = POLLIN },
    };

    for (;;) {
        for (int i = 0; i < DEVICES_MAX; i++)
            p[2 + i] =
                (struct pollfd){ .fd =
                                     devices[i].connected ? devices[i].fd : -1,
                                 .events = POLLIN };
        if (poll(p, 2 + DEVICES_MAX, -1) < 0 && errno != EINTR)
            die("poll", -errno);
        if (p[0].revents)
            return; /* the hypervisor is gone */
        for (int i = 0; i < DEVICES_MAX; i++)
            if (p[2 + i].revents && devices[i].connected)
                event(&devices[i]);
        if (p[1].revents)
            store_news();
    }
}

/* As ringsided tells its driver domain: --log is where stderr goes already. */
static int options(int argc, char **argv, const char **rundir)
{
    static const struct option longs[] = {
        { "rundir", required_argument, NULL, 'r' },
        { "ready-fd", required_argument, NULL, 'f' },
        { "log", required_argument, NULL, 'l' },
        { NULL, 0, NULL, 0 },
    };
    int c, ready = -1;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'r')
            *rundir = optarg;
        else if (c == 'f')
            ready = atoi(optarg);
        else if (c != 'l')
            exit(EXIT_FAILURE);
    }
    return ready;
}

int main(int argc, char **argv)
{
    const char *rundir = ".";
    int err, ready = options(argc, argv, &rundir);
    char path[108];

    while ((err = rs_client_join(&client)) == -EBUSY)
        usleep(10000); /* a predecessor is not quite gone */
    if (err)
        die("cannot join the host", err);
    snprintf(path, sizeof(path), "%s/xenstored.sock", rundir);
    setenv("XENSTORED_PATH", path, 1);
    store = xs_open(0);
    if (!store || !xs_watch(store, BACKENDS, "backends"))
        die(path, -errno);
    if (ready >= 0 && write(ready, "\n", 1) == 1)
        close(ready);
    run();
    return EXIT_SUCCESS;
}
