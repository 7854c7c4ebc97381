/* Writing a new domain's nodes into the store; see layout.h. */
#include "layout.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "ringside/client.h"
#include "xen_compat.h"
#include "xs_pipeline.h"

#include "log_tail.h"
#include "say.h"

#define MAX_ATTEMPTS 64 /* of a transaction that others disturb */
#define BACKEND_ID   RS_DOMID_DRIVER

/* A transaction under way; the first error sticks and skips the rest. */
struct writer {
    struct xs_pipeline *store;
    uint32_t t;
    int error; /* -errno */
    unsigned int domid;
    char uuid[40], dir[128]; /* dir: where put() writes */
};

/* Writes a node below w->dir. */
__attribute__((format(printf, 3, 4))) static void
put(struct writer *w, const char *node, const char *fmt, ...)
{
    char path[256], value[4096];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    if (w->error != 0)
        return;
    snprintf(path, sizeof(path), "%s/%s", w->dir, node);
    if (n >= (int)sizeof(value))
        w->error = -ENAMETOOLONG;
    else
        xs_pipeline_add(w->store, XS_WRITE, w->t, path, value, (size_t)n);
}

/* Makes a directory with an owner, and a domain that may read it too. */
static void make_dir(struct writer *w, const char *path, unsigned int owner,
                     unsigned int reader)
{
    char perms[32];
    int n = snprintf(perms, sizeof(perms), "n%u%cr%u", owner, '\0', reader);

    if (owner == reader)
        n = (int)strlen(perms);
    if (w->error != 0)
        return;
    xs_pipeline_add(w->store, XS_MKDIR, w->t, path, NULL, 0);
    xs_pipeline_add(w->store, XS_SET_PERMS, w->t, path, perms, (size_t)n + 1);
}

__attribute__((format(printf, 4, 5))) static void
enter_dir(struct writer *w, unsigned int owner, unsigned int reader,
          const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(w->dir, sizeof(w->dir), fmt, ap);
    va_end(ap);
    make_dir(w, w->dir, owner, reader);
}

/* ---- the domain itself ---- */

static void put_domain(struct writer *w, const struct guest_config *c)
{
    unsigned int kib = c->memory_mib * 1024;
    char path[40];

    enter_dir(w, 0, w->domid, "/vm/%s", w->uuid);
    put(w, "uuid", "%s", w->uuid);
    put(w, "name", "%s", c->name);
    put(w, "start_time", "%lld", (long long)time(NULL));

    enter_dir(w, 0, w->domid, "/local/domain/%u", w->domid);
    put(w, "vm", "/vm/%s", w->uuid);
    put(w, "name", "%s", c->name);
    put(w, "domid", "%u", w->domid);
    for (unsigned int i = 0; i < config_max_vcpus(c); i++) {
        snprintf(path, sizeof(path), "cpu/%u/availability", i);
        put(w, path, "%s", i < c->vcpus ? "online" : "offline");
    }
    put(w, "memory/static-max", "%u", kib);
    put(w, "memory/target", "%u", kib);
    snprintf(path, sizeof(path), "/local/domain/%u/keeper", w->domid);
    make_dir(w, path, 0, 0); /* no guest's business */
    put(w, "keeper", "%d", (int)getpid());
    put(w, "memory/videoram", "0");
    put(w, "device", "%s", "");
}

/* Nodes of the domain's home that the guest may write. */
static void put_guest_nodes(struct writer *w)
{
    static const char *const nodes[] = {
        "control/shutdown",
        "control/feature-poweroff",
        "control/feature-reboot",
        "control/feature-suspend",
        "data",
        "drivers",
        "feature",
        "attr",
    };
    char path[200];

    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        snprintf(path, sizeof(path), "/local/domain/%u/%s", w->domid, nodes[i]);
        make_dir(w, path, w->domid, w->domid);
    }
}

/* ---- devices ---- */

void layout_backend(char *path, size_t n, const char *type, unsigned int domid,
                    unsigned int devid)
{
    snprintf(path, n, "/local/domain/%u/backend/%s/%u/%u", BACKEND_ID, type,
             domid, devid);
}

/* Enters the frontend's directory and writes what all frontends have. */
static void enter_frontend(struct writer *w, const char *type,
                           unsigned int devid)
{
    char backend[100];

    layout_backend(backend, sizeof(backend), type, w->domid, devid);
    enter_dir(w, w->domid, BACKEND_ID, "/local/domain/%u/device/%s/%u",
              w->domid, type, devid);
    put(w, "backend", "%s", backend);
    put(w, "backend-id", "%u", BACKEND_ID);
    put(w, "state", "1");
}

/* Enters the backend's directory and writes what all backends have. */
static void enter_backend(struct writer *w, const char *type,
                          unsigned int devid, const char *frontend)
{
    char path[100];

    layout_backend(path, sizeof(path), type, w->domid, devid);
    enter_dir(w, BACKEND_ID, w->domid, "%s", path);
    put(w, "frontend", "/local/domain/%u/%s", w->domid, frontend);
    put(w, "frontend-id", "%u", w->domid);
    put(w, "online", "1");
    put(w, "state", "1");
}

/* For `ringside console`, and no business of the guest's. */
static void put_log_start(struct writer *w, const struct log_mark *log)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/log-start", w->dir);
    put(w, "log-start", "%llu:%llu", log->inode, log->offset);
    if (w->error == 0)
        xs_pipeline_add(w->store, XS_SET_PERMS, w->t, path, "n0", sizeof("n0"));
}

static void put_console(struct writer *w, const struct rs_client_created *d,
                        const struct log_mark *log)
{
    char backend[100];

    layout_backend(backend, sizeof(backend), "console", w->domid, 0);
    enter_dir(w, 0, w->domid, "/local/domain/%u/console", w->domid);
    put(w, "backend", "%s", backend);
    put(w, "backend-id", "%u", BACKEND_ID);
    put(w, "ring-ref", "%u", d->console_gfn);
    put(w, "port", "%u", d->console_port);
    put(w, "limit", "1048576");
    put(w, "type", "xenconsoled");
    put(w, "output", "pty");
    put(w, "tty", "%s", "");
    put_log_start(w, log);

    enter_backend(w, "console", 0, "console");
    put(w, "protocol", "vt100");
}

/* As xl's channels: the guest makes the ring and finds it by its name. */
static void put_error_console(struct writer *w)
{
    enter_frontend(w, "console", LAYOUT_ERROR_CONSOLE);
    put(w, "name", "stderr");
    put(w, "limit", "1048576");
    put(w, "type", "xenconsoled");
    put(w, "output", "pty");

    enter_backend(w, "console", LAYOUT_ERROR_CONSOLE, "device/console/1");
    put(w, "name", "stderr");
    put(w, "protocol", "vt100");
}

static void put_disk(struct writer *w, const struct disk_config *d)
{
    char frontend[40];

    enter_frontend(w, "vbd", d->devid);
    put(w, "virtual-device", "%u", d->devid);
    put(w, "device-type", "%s", d->cdrom ? "cdrom" : "disk");

    snprintf(frontend, sizeof(frontend), "device/vbd/%u", d->devid);
    enter_backend(w, "vbd", d->devid, frontend);
    put(w, "dev", "%s", d->vdev);
    put(w, "type", "%s", d->block_device ? "phy" : "file");
    put(w, "params", "%s", d->path);
    put(w, "mode", "%s", d->read_only ? "r" : d->shared ? "w!" : "w");
    put(w, "device-type", "%s", d->cdrom ? "cdrom" : "disk");
    put(w, "removable", "%d", d->cdrom);
    put(w, "bootable", "1");
    put(w, "discard-enable", "%d", d->discard && !d->read_only);
    put(w, "direct-io-safe", "0");
}

/* "tcp:127.0.0.1:8080:80 udp:…" */
static void put_forwards(struct writer *w, const struct vif_config *v)
{
    char list[CONFIG_MAX_FORWARDS * 40] = "";
    size_t at = 0;

    for (unsigned int i = 0; i < v->nr_forwards; i++) {
        const struct forward *f = &v->forwards[i];

        at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s:%s:%u:%u",
                               i > 0 ? " " : "", f->udp ? "udp" : "tcp",
                               f->host_addr, f->host_port, f->guest_port);
    }
    put(w, "forward", "%s", list);
}

static void put_vif_backend(struct writer *w, const struct vif_config *v)
{
    static const char *const types[] = { "nat", "tap", "bridge" };

    put(w, "type", "%s", types[v->type]);
    if (v->type == VIF_NAT)
        put_forwards(w, v);
    if (v->host_loopback)
        put(w, "host-loopback", "1");
    if (v->type != VIF_NAT)
        put(w, types[v->type], "%s", v->dev);
    if (v->vifname[0] != '\0')
        put(w, "vifname", "%s", v->vifname);
    if (v->ip[0] != '\0')
        put(w, "ip", "%s", v->ip);
    if (v->may_spoof)
        put(w, "antispoof", "0");
}

static void put_vif_both(struct writer *w, const struct vif_config *v,
                         unsigned int devid)
{
    put(w, "handle", "%u", devid);
    put(w, "mac", "%s", v->mac);
    if (v->mtu != 0)
        put(w, "mtu", "%u", v->mtu);
}

static void put_vif(struct writer *w, const struct vif_config *v,
                    unsigned int devid)
{
    char frontend[40];

    enter_frontend(w, "vif", devid);
    put_vif_both(w, v, devid);
    snprintf(frontend, sizeof(frontend), "device/vif/%u", devid);
    enter_backend(w, "vif", devid, frontend);
    put_vif_both(w, v, devid);
    put_vif_backend(w, v);
}

/* ---- the transaction ---- */

static int random_uuid(char uuid[40])
{
    unsigned char r[16];

    if (getrandom(r, sizeof(r), 0) != sizeof(r))
        return complain("the kernel gives no random numbers");
    r[6] = (r[6] & 0x0f) | 0x40; /* version 4, RFC 9562 */
    r[8] = (r[8] & 0x3f) | 0x80;
    snprintf(uuid, 40,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x",
             r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10],
             r[11], r[12], r[13], r[14], r[15]);
    return 0;
}

static void write_all(struct writer *w, const struct guest_config *c,
                      const struct rs_client_created *d,
                      const struct log_mark *log)
{
    put_domain(w, c);
    put_guest_nodes(w);
    if (d->console_port != 0)
        put_console(w, d, log);
    if (d->console_port != 0 && c->error_apart)
        put_error_console(w);
    for (unsigned int i = 0; i < c->nr_disks; i++)
        put_disk(w, &c->disks[i]);
    for (unsigned int i = 0; i < c->nr_vifs; i++)
        put_vif(w, &c->vifs[i], i);
}

/* One attempt. 0 or -errno; -EAGAIN: somebody else changed what we touched. */
static int attempt(struct writer *w, const struct guest_config *c,
                   const struct rs_client_created *d,
                   const struct log_mark *log)
{
    const char *id =
        xs_pipeline_ask(w->store, XS_TRANSACTION_START, "", NULL, 0);
    int err, ended;

    if (id == NULL)
        return -errno;
    w->t = (uint32_t)strtoul(id, NULL, 10);
    w->error = 0;
    write_all(w, c, d, log);
    err = xs_pipeline_run(w->store);
    if (w->error != 0)
        err = w->error;
    xs_pipeline_add(w->store, XS_TRANSACTION_END, w->t, err != 0 ? "F" : "T",
                    NULL, 0);
    ended = xs_pipeline_run(w->store);
    return err != 0 ? err : ended;
}

static bool introduce(struct xs_pipeline *store,
                      const struct rs_client_created *d)
{
    char domid[12], rest[32];
    int n;

    snprintf(domid, sizeof(domid), "%u", d->domid);
    n = snprintf(rest, sizeof(rest), "%u%c%u", d->store_gfn, '\0',
                 d->store_port);
    return xs_pipeline_ask(store, XS_INTRODUCE, domid, rest, (size_t)n + 1);
}

int layout_create(struct xs_pipeline *store, const struct guest_config *c,
                  const struct rs_client_created *d, const struct log_mark *log)
{
    struct writer w = { .store = store, .domid = d->domid };
    int err = -EAGAIN;

    if (random_uuid(w.uuid) != 0)
        return -EINVAL;
    for (int i = 0; i < MAX_ATTEMPTS && err == -EAGAIN; i++)
        err = attempt(&w, c, d, log);
    if (err != 0)
        return complain("cannot write the domain's nodes into the store: %s",
                        strerror(-err));
    if (d->store_port == 0 || introduce(store, d))
        return 0;
    complain("the store cannot reach the new domain: %s", strerror(errno));
    layout_remove(store, d->domid);
    return -EINVAL;
}
