/*
 * Hostile contents of the store against the handshake: nodes of devices and of
 * their frontends appear, change and vanish in any order, with values that are
 * numbers or not, while connects fail, rings break, disconnects take their time
 * and what a device leads to goes and comes. Each device's functions must be
 * called in the order that xenbus_backend.h promises, and at the end nothing
 * may be left.
 *
 * Input: steps of a byte and its arguments (step()).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "fake_host.h"
#include "xenbus_backend.h"
#include "xenbus_room.h"
#include "tests/fuzz/input.h"

static struct driver driver;
static struct xenbus_room *room;

void driver_log(const char *fmt, ...)
{
    (void)fmt;
}

void driver_vlog(const char *prefix, const char *fmt, va_list ap)
{
    char line[400];

    (void)prefix;
    vsnprintf(line, sizeof(line), fmt, ap);
}

uint64_t driver_now(void)
{
    static uint64_t now;

    return now += 1000000;
}

/* ---- a backend that knows what it may be asked ---- */

#define DEVICES_MAX 32

struct model {
    struct xenbus_device *dev; /* NULL: the entry is free */
    bool connected, ending;
    bool creating, destroying; /* and that takes a while */
};

static struct model models[DEVICES_MAX];
static unsigned int n_models;

/* Failures to come: bits 0 create, 1 connect, 2 disconnect takes a while, 3
 * connect() calls dev_fail() and goes on; 4 create takes a while, 5 and fails
 * then, 6 destroy takes a while. */
static unsigned int mood;

static int model_create(struct xenbus_device *dev)
{
    struct model *m = models;

    if (mood & 1) {
        dev_fail(dev, "no");
        return -EINVAL;
    }
    while (m < models + DEVICES_MAX && m->dev)
        m++;
    if (m == models + DEVICES_MAX)
        return -ENOMEM;
    *m = (struct model){ .dev = dev, .creating = mood & 16 };
    n_models++;
    dev->priv = m;
    return m->creating ? -EINPROGRESS : 0;
}

static int model_connect(struct xenbus_device *dev)
{
    struct model *m = dev->priv;

    demand(m->dev == dev && !m->connected && !m->ending);
    demand(!m->creating && !m->destroying);
    free(store_read(driver.store, dev->frontend_path, "ring-ref"));
    if (mood & 2)
        return -EFAULT;
    if (mood & 8)
        dev_fail(dev, "broken at once");
    m->connected = true;
    return 0;
}

static int model_disconnect(struct xenbus_device *dev)
{
    struct model *m = dev->priv;

    demand(m->dev == dev && m->connected && !m->ending);
    m->connected = false;
    m->ending = mood & 4;
    return m->ending ? -EINPROGRESS : 0;
}

static int model_destroy(struct xenbus_device *dev)
{
    struct model *m = dev->priv;

    demand(m->dev == dev && !m->connected && !m->ending);
    demand(!m->creating && !m->destroying);
    m->destroying = mood & 64;
    if (m->destroying)
        return -EINPROGRESS;
    m->dev = NULL;
    n_models--;
    return 0;
}

static void model_tell(struct xenbus_device *dev, struct evbuffer *out)
{
    demand(((struct model *)dev->priv)->dev == dev);
    evbuffer_add_printf(out, " n=1");
}

static const char *const nodes_read[] = { "frontend", "params", NULL };

static const struct backend_ops vbd = {
    .type = "vbd",
    .own_nodes = nodes_read,
    .frontend_nodes = nodes_read,
    .create = model_create,
    .connect = model_connect,
    .disconnect = model_disconnect,
    .destroy = model_destroy,
    .tell = model_tell,
};

static const struct backend_ops console = {
    .type = "console",
    .first_is_there = true,
    .create = model_create,
    .connect = model_connect,
    .disconnect = model_disconnect,
    .destroy = model_destroy,
};

static const struct backend_ops *const kinds[] = { &vbd, &console };

/* ---- who else is there ---- */

/* A path of the n-th device, or above it, or of its frontend. */
static const char *path_of(unsigned int n)
{
    static const char *const types[] = { "vbd", "console", "vif", "" };
    static const char *const ids[] = { "2", "3", "007", "32752", "-1", "x" };
    static const char *const nodes[] = { "/state",  "/frontend",
                                         "/online", "",
                                         "/state",  "/hotplug-error",
                                         "/a/state" };
    static char path[200];
    const char *type = types[n % 8 < 5 ? 0 : n % 8 - 4];
    const char *id = ids[n / 8 % 4 < 3 ? n / 8 % 2 : take(1) % 6];
    unsigned int node = take(1);

    if (node & 128) /* the frontend's own directory */
        snprintf(path, sizeof(path), "/local/domain/%s/device/%s/0%s", id, type,
                 nodes[node % 7]);
    else if ((node & 112) == 112)
        snprintf(path, sizeof(path), BACKEND_ROOT "%s%s",
                 node & 1 ? "/vbd" : "", node & 2 ? "/2" : "");
    else
        snprintf(path, sizeof(path), BACKEND_ROOT "/%s/%s/%u%s", type, id,
                 node >> 4 & 1, nodes[node % 7]);
    return path;
}

static const char *value_of(unsigned int n)
{
    static const char *const strange[] = {
        "",
        "-1",
        "4x",
        "18446744073709551617",
        "/local/domain/2/device/vbd/0",
        "/",
        "04",
        " 4",
        "%s%n",
    };
    static char text[300];

    if (n < 160)
        snprintf(text, sizeof(text), "%u", n % 10);
    else if (n < 200)
        snprintf(text, sizeof(text), "/local/domain/%u/device/%s/0",
                 2 + (n & 1), n & 2 ? "vbd" : "console");
    else if (n < 209)
        return strange[n - 200];
    else
        memset(text, "/a4\x7f"[n % 4], sizeof(text) - 1);
    return text;
}

/* A device as the toolstack makes it. */
static void make_device(unsigned int n)
{
    const char *type = n & 1 ? "console" : "vbd";
    unsigned int domid = 2 + (n >> 1 & 1), devid = n >> 2 & 1;
    char path[200], front[100];

    snprintf(front, sizeof(front), "/local/domain/%u/device/%s/%u", domid, type,
             devid);
    snprintf(path, sizeof(path), BACKEND_ROOT "/%s/%u/%u/frontend", type, domid,
             devid);
    fake_store_set(driver.store, path, front);
    snprintf(path, sizeof(path), BACKEND_ROOT "/%s/%u/%u/state", type, domid,
             devid);
    fake_store_set(driver.store, path, "1");
}

/* The n-th device that there is, or NULL. */
static struct model *pick(unsigned int n, bool connected, bool ending)
{
    for (unsigned int i = 0; i < DEVICES_MAX; i++) {
        struct model *m = &models[(i + n) % DEVICES_MAX];

        if (m->dev && m->connected == connected && m->ending == ending &&
            !m->creating && !m->destroying)
            return m;
    }
    return NULL;
}

/* The end of a create() or destroy() that took a while; false: there is none.
 */
static bool finish_slow(unsigned int n)
{
    for (unsigned int i = 0; i < DEVICES_MAX; i++) {
        struct model *m = &models[(i + n) % DEVICES_MAX];
        struct xenbus_device *dev = m->dev;
        int err = m->creating && mood & 32 ? -ENOENT : 0;

        if (!dev || (!m->creating && !m->destroying))
            continue;
        if (m->destroying || err) {
            m->dev = NULL;
            n_models--;
        }
        if (m->destroying) {
            xenbus_backend_destroyed(dev);
        } else {
            m->creating = false;
            xenbus_backend_created(dev, err);
        }
        return true;
    }
    return false;
}

static void finish_one(unsigned int n)
{
    struct model *m = pick(n, false, true);

    if (!m)
        return;
    m->ending = false;
    xenbus_backend_disconnected(m->dev);
}

/* A device that is not ending goes down or comes up. */
static void move_one(unsigned int n)
{
    struct model *m = pick(n, n & 1, false);

    if (m && m->dev->down)
        dev_up(m->dev);
    else if (m)
        dev_down(m->dev, "%u", n);
}

static void run_loop(void)
{
    for (int i = 0; i < 8; i++)
        event_base_loop(driver.base, EVLOOP_NONBLOCK);
}

static void step(void)
{
    unsigned int op = take(1), arg = take(1);
    struct evbuffer *out;
    struct model *m;

    switch (op % 10) {
    case 0:
        make_device(arg);
        break;
    case 1 ... 3: {
        const char *path = path_of(arg);

        fake_store_set(driver.store, path, value_of(take(1)));
        break;
    }
    case 4:
        fake_store_remove(driver.store, path_of(arg));
        break;
    case 5:
        mood = arg;
        break;
    case 6:
        m = pick(arg, true, false);
        if (m)
            dev_fail(m->dev, "%u", arg);
        break;
    case 7:
        if (!(arg & 1) || !finish_slow(arg >> 1))
            finish_one(arg);
        break;
    case 8:
        out = evbuffer_new();
        xenbus_backend_tell(room, out);
        evbuffer_free(out);
        break;
    default:
        run_loop();
        break;
    }
    if ((op & 96) == 96)
        move_one(arg);
    if (op & 128)
        run_loop();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_begin(data, size < 4096 ? size : 4096);
    memset(models, 0, sizeof(models));
    n_models = 0;
    mood = 0;
    driver.base = event_base_new();
    driver.store = fake_store_new(driver.base);
    demand(!xenbus_backend_start(&driver, kinds, 2, &room));
    while (input_left)
        step();
    run_loop();
    mood = 0;
    while (finish_slow(0) || pick(0, false, true))
        finish_one(0);
    xenbus_backend_stop(room);
    demand(n_models == 0);
    store_close(driver.store);
    event_base_free(driver.base);
    return 0;
}
