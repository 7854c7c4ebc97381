/* Looking at a domain's nodes and removing them; see layout.h. */
#include "layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

#include "libhypercall/host.h"

#define STATE_CLOSING "5" /* XenbusStateClosing */
#define STATE_CLOSED  6

bool layout_read(struct xs_handle *xs, const char *dir, const char *node,
                 char *value, size_t n)
{
    char path[300], *text;
    unsigned int len;

    snprintf(path, sizeof(path), "%s/%s", dir, node);
    text = xs_read(xs, XBT_NULL, path, &len);
    if (text == NULL)
        return false;
    snprintf(value, n, "%s", text);
    free(text);
    for (char *p = value; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = '?';
    }
    return true;
}

unsigned long layout_number(struct xs_handle *xs, const char *dir,
                            const char *node, unsigned long missing)
{
    char value[32], *end;
    unsigned long n;

    if (!layout_read(xs, dir, node, value, sizeof(value)))
        return missing;
    errno = 0;
    n = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0)
        return missing;
    return n;
}

unsigned int layout_state(struct xs_handle *xs, const char *dir)
{
    unsigned long n = layout_number(xs, dir, "state", 0);

    return n <= 8 ? (unsigned int)n : 0;
}

/* ---- each backend ---- */

static int
each_of_type(struct xs_handle *xs, unsigned int domid, const char *type,
             int (*fn)(void *, const char *, const char *, unsigned int),
             void *arg)
{
    char path[128], dir[160], **names;
    unsigned int n;
    int ret = 0;

    snprintf(path, sizeof(path), "/local/domain/%u/backend/%s/%u",
             RINGSIDE_DRIVER_DOMID, type, domid);
    names = xs_directory(xs, XBT_NULL, path, &n);
    if (names == NULL)
        return 0;
    for (unsigned int i = 0; i < n && ret == 0; i++) {
        unsigned int devid = (unsigned int)strtoul(names[i], NULL, 10);

        layout_backend(dir, sizeof(dir), type, domid, devid);
        ret = fn(arg, dir, type, devid);
    }
    free(names);
    return ret;
}

static const char *const device_types[] = { "console", "vbd", "vif" };
#define NR_TYPES (sizeof(device_types) / sizeof(device_types[0]))

int layout_each_backend(struct xs_handle *xs, unsigned int domid,
                        int (*fn)(void *arg, const char *dir, const char *type,
                                  unsigned int devid),
                        void *arg)
{
    int ret = 0;

    for (size_t i = 0; i < NR_TYPES && ret == 0; i++)
        ret = each_of_type(xs, domid, device_types[i], fn, arg);
    return ret;
}

static int close_one(void *arg, const char *dir, const char *type,
                     unsigned int devid)
{
    struct xs_handle *xs = arg;
    char path[200];

    (void)type;
    (void)devid;
    if (layout_state(xs, dir) == STATE_CLOSED)
        return 0;
    snprintf(path, sizeof(path), "%s/online", dir);
    xs_write(xs, XBT_NULL, path, "0", 1);
    snprintf(path, sizeof(path), "%s/state", dir);
    xs_write(xs, XBT_NULL, path, STATE_CLOSING, 1);
    return 0;
}

void layout_close_backends(struct xs_handle *xs, unsigned int domid)
{
    layout_each_backend(xs, domid, close_one, xs);
}

static int is_open(void *arg, const char *dir, const char *type,
                   unsigned int devid)
{
    unsigned int state = layout_state(arg, dir);

    (void)type;
    (void)devid;
    return state != STATE_CLOSED && state != 0;
}

bool layout_backends_closed(struct xs_handle *xs, unsigned int domid)
{
    return layout_each_backend(xs, domid, is_open, xs) == 0;
}

/* ---- removal and the console ---- */

void layout_remove(struct xs_handle *xs, unsigned int domid)
{
    char path[128], home[64], vm[80];

    snprintf(home, sizeof(home), "/local/domain/%u", domid);
    for (size_t i = 0; i < NR_TYPES; i++) {
        snprintf(path, sizeof(path), "/local/domain/%u/backend/%s/%u",
                 RINGSIDE_DRIVER_DOMID, device_types[i], domid);
        xs_rm(xs, XBT_NULL, path);
    }
    if (layout_read(xs, home, "vm", vm, sizeof(vm)) &&
        strncmp(vm, "/vm/", 4) == 0 && strlen(vm) > 4)
        xs_rm(xs, XBT_NULL, vm);
    xs_rm(xs, XBT_NULL, home);
    xs_release_domain(xs, domid);
}

bool layout_console(struct xs_handle *xs, unsigned int domid, char *tty,
                    size_t n)
{
    char dir[64];

    snprintf(dir, sizeof(dir), "/local/domain/%u/console", domid);
    return layout_read(xs, dir, "tty", tty, n) && tty[0] != '\0';
}
