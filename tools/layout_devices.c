/* Looking at a domain's nodes and removing them; see layout.h. */
#include "layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/client.h"
#include "xen_compat.h"
#include "xs_pipeline.h"

#include "log_tail.h"

#define STATE_CLOSING "5" /* XenbusStateClosing */
#define STATE_CLOSED  6
#define CLOSE_TRIES   16 /* while others change the same nodes */

bool layout_read(struct xs_pipeline *store, const char *dir, const char *node,
                 char *value, size_t n)
{
    const char *text;
    char path[300];

    snprintf(path, sizeof(path), "%s/%s", dir, node);
    text = xs_pipeline_ask(store, XS_READ, path, NULL, 0);
    if (text == NULL)
        return false;
    snprintf(value, n, "%s", text);
    return true;
}

bool layout_write(struct xs_pipeline *store, const char *path,
                  const char *value)
{
    return xs_pipeline_ask(store, XS_WRITE, path, value, strlen(value));
}

unsigned long layout_number(struct xs_pipeline *store, const char *dir,
                            const char *node, unsigned long missing)
{
    char value[32], *end;
    unsigned long n;

    if (!layout_read(store, dir, node, value, sizeof(value)))
        return missing;
    errno = 0;
    n = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0)
        return missing;
    return n;
}

unsigned int layout_state(struct xs_pipeline *store, const char *dir)
{
    unsigned long n = layout_number(store, dir, "state", 0);

    return n <= 8 ? (unsigned int)n : 0;
}

/* ---- each backend ---- */

static int
each_of_type(struct xs_pipeline *store, unsigned int domid, const char *type,
             int (*fn)(void *, const char *, const char *, unsigned int),
             void *arg)
{
    char path[128], dir[160], *names;
    size_t len, at = 0;
    int ret = 0;

    snprintf(path, sizeof(path), "/local/domain/%u/backend/%s/%u",
             RS_DOMID_DRIVER, type, domid);
    names = xs_pipeline_list(store, path, &len);
    if (names == NULL)
        return 0;
    while (at < len && ret == 0) {
        unsigned int devid = (unsigned int)strtoul(names + at, NULL, 10);

        layout_backend(dir, sizeof(dir), type, domid, devid);
        ret = fn(arg, dir, type, devid);
        at += strlen(names + at) + 1;
    }
    free(names);
    return ret;
}

static const char *const device_types[] = { "console", "vbd", "vif" };
#define NR_TYPES (sizeof(device_types) / sizeof(device_types[0]))

int layout_each_backend(struct xs_pipeline *store, unsigned int domid,
                        int (*fn)(void *arg, const char *dir, const char *type,
                                  unsigned int devid),
                        void *arg)
{
    int ret = 0;

    for (size_t i = 0; i < NR_TYPES && ret == 0; i++)
        ret = each_of_type(store, domid, device_types[i], fn, arg);
    return ret;
}

/* What a node says in transaction t; `missing` if it is not there. */
static unsigned long number_in(struct xs_pipeline *store, uint32_t t,
                               const char *path, unsigned long missing)
{
    int at = xs_pipeline_add(store, XS_READ, t, path, NULL, 0);
    const char *answer = NULL;
    size_t len;

    if (at >= 0 && xs_pipeline_run(store) == 0)
        answer = xs_pipeline_answer(store, (unsigned int)at, &len);
    return answer != NULL ? strtoul(answer, NULL, 10) : missing;
}

/*
 * Is there a backend that is to be closed? One that is gone must not get a new
 * directory, in which nobody would ever write Closed. And one that says Closed
 * of itself may still have what it was given.
 */
static bool wants_closing(struct xs_pipeline *store, uint32_t t,
                          const char *state, const char *online)
{
    unsigned long now = number_in(store, t, state, 0);

    return now != 0 &&
           (now != STATE_CLOSED || number_in(store, t, online, 1) != 0);
}

/* -EAGAIN: somebody else changed it meanwhile. */
static int try_to_close(struct xs_pipeline *store, const char *dir)
{
    const char *id = xs_pipeline_ask(store, XS_TRANSACTION_START, "", NULL, 0);
    char state[200], online[200];
    bool wanted;
    uint32_t t;

    if (id == NULL)
        return -errno;
    t = (uint32_t)strtoul(id, NULL, 10);
    snprintf(state, sizeof(state), "%s/state", dir);
    snprintf(online, sizeof(online), "%s/online", dir);
    wanted = wants_closing(store, t, state, online);
    if (wanted) {
        xs_pipeline_add(store, XS_WRITE, t, online, "0", 1);
        xs_pipeline_add(store, XS_WRITE, t, state, STATE_CLOSING,
                        strlen(STATE_CLOSING));
    }
    xs_pipeline_add(store, XS_TRANSACTION_END, t, wanted ? "T" : "F", NULL, 0);
    return xs_pipeline_run(store);
}

static int close_one(void *arg, const char *dir, const char *type,
                     unsigned int devid)
{
    (void)type;
    (void)devid;
    for (int i = 0; i < CLOSE_TRIES; i++)
        if (try_to_close(arg, dir) != -EAGAIN)
            break;
    return 0;
}

void layout_close_backends(struct xs_pipeline *store, unsigned int domid)
{
    layout_each_backend(store, domid, close_one, store);
}

static int is_open(void *arg, const char *dir, const char *type,
                   unsigned int devid)
{
    unsigned int state = layout_state(arg, dir);

    (void)type;
    (void)devid;
    return state != STATE_CLOSED && state != 0;
}

bool layout_backends_closed(struct xs_pipeline *store, unsigned int domid)
{
    return layout_each_backend(store, domid, is_open, store) == 0;
}

/* ---- removal and the console ---- */

void layout_remove(struct xs_pipeline *store, unsigned int domid)
{
    char path[128], home[64], vm[80];

    snprintf(home, sizeof(home), "/local/domain/%u", domid);
    if (layout_read(store, home, "vm", vm, sizeof(vm)) &&
        strncmp(vm, "/vm/", 4) == 0 && strlen(vm) > 4)
        xs_pipeline_add(store, XS_RM, 0, vm, NULL, 0);
    for (size_t i = 0; i < NR_TYPES; i++) {
        snprintf(path, sizeof(path), "/local/domain/%u/backend/%s/%u",
                 RS_DOMID_DRIVER, device_types[i], domid);
        xs_pipeline_add(store, XS_RM, 0, path, NULL, 0);
    }
    xs_pipeline_add(store, XS_RM, 0, home, NULL, 0);
    snprintf(path, sizeof(path), "%u", domid);
    xs_pipeline_add(store, XS_RELEASE, 0, path, NULL, 0);
    xs_pipeline_run(store);
}

bool layout_console(struct xs_pipeline *store, unsigned int domid, char *tty,
                    size_t n)
{
    char dir[64];

    snprintf(dir, sizeof(dir), "/local/domain/%u/console", domid);
    return layout_read(store, dir, "tty", tty, n) && tty[0] != '\0';
}

/* In the backend's directory: the other one is the guest's to write into. */
bool layout_error_console(struct xs_pipeline *store, unsigned int domid,
                          char *tty, size_t n)
{
    char dir[160];

    layout_backend(dir, sizeof(dir), "console", domid, LAYOUT_ERROR_CONSOLE);
    return layout_read(store, dir, "tty", tty, n) && tty[0] != '\0';
}

bool layout_log_start(struct xs_pipeline *store, unsigned int domid,
                      struct log_mark *log)
{
    char dir[64], value[64];

    snprintf(dir, sizeof(dir), "/local/domain/%u/console", domid);
    return layout_read(store, dir, "log-start", value, sizeof(value)) &&
           sscanf(value, "%llu:%llu", &log->inode, &log->offset) == 2;
}
