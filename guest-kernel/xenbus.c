/*
 * The store's operations. See xenbus.h.
 */
#include "guest-kernel/xenbus_ring.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/thread.h"

/* A request about one path whose reply does not matter. */
static int path_request(enum xsd_sockmsg_type type, xenbus_tx tx,
                        const char *path)
{
    struct xs_part part = xs_string(path);

    return xs_request(type, tx, &part, 1, NULL, NULL);
}

int xenbus_read(xenbus_tx tx, const char *path, char **value, size_t *len)
{
    struct xs_part part = xs_string(path);

    return xs_request(XS_READ, tx, &part, 1, value, len);
}

int xenbus_write(xenbus_tx tx, const char *path, const char *value)
{
    struct xs_part parts[] = { xs_string(path), { value, strlen(value) } };

    return xs_request(XS_WRITE, tx, parts, 2, NULL, NULL);
}

int xenbus_printf(xenbus_tx tx, const char *path, const char *fmt, ...)
{
    char *value;
    va_list ap;
    int n, err;

    va_start(ap, fmt);
    n = vasprintf(&value, fmt, ap);
    va_end(ap);
    if (n < 0)
        return -ENOMEM;
    err = xenbus_write(tx, path, value);
    free(value);
    return err;
}

int xenbus_mkdir(xenbus_tx tx, const char *path)
{
    return path_request(XS_MKDIR, tx, path);
}

int xenbus_rm(xenbus_tx tx, const char *path)
{
    return path_request(XS_RM, tx, path);
}

int xenbus_share(xenbus_tx tx, const char *path, domid_t self, domid_t reader)
{
    char owner[8], other[8];
    struct xs_part parts[3];

    snprintf(owner, sizeof(owner), "n%u", self);
    snprintf(other, sizeof(other), "r%u", reader);
    parts[0] = xs_string(path);
    parts[1] = xs_string(owner);
    parts[2] = xs_string(other);
    return xs_request(XS_SET_PERMS, tx, parts, 3, NULL, NULL);
}

static int parse_number(const char *text, uint64_t *value)
{
    char *end;
    uint64_t n = strtoull(text, &end, 10);

    if (end == text || *end || *text == '-')
        return -EINVAL;
    *value = n;
    return 0;
}

int xenbus_read_uint(xenbus_tx tx, const char *path, uint64_t *value)
{
    char *text;
    int err = xenbus_read(tx, path, &text, NULL);

    if (err)
        return err;
    err = parse_number(text, value);
    free(text);
    return err;
}

uint64_t xenbus_read_default(const char *path, uint64_t otherwise)
{
    uint64_t value;

    return xenbus_read_uint(XENBUS_NO_TX, path, &value) ? otherwise : value;
}

/* ---- several at once ---- */

void xenbus_read_numbers(const char *dir, struct xenbus_number *numbers,
                         unsigned int n)
{
    struct xs_request r[XENBUS_AT_ONCE];
    char path[XENBUS_PATH_MAX], *text;
    bool posted[XENBUS_AT_ONCE];

    for (unsigned int i = 0; i < n; i++) {
        int err = xenbus_path(path, dir, numbers[i].leaf);
        struct xs_part part = xs_string(path);

        posted[i] = !err && !xs_post(&r[i], XS_READ, XENBUS_NO_TX, &part, 1);
    }
    for (unsigned int i = 0; i < n; i++) {
        if (!posted[i] || xs_wait(&r[i], &text, NULL))
            continue;
        parse_number(text, &numbers[i].value);
        free(text);
    }
}

static int post_node(struct xs_request *r, const char *dir,
                     const struct xenbus_node *node)
{
    char path[XENBUS_PATH_MAX], number[12];
    int err = xenbus_path(path, dir, node->leaf);
    struct xs_part parts[2];

    snprintf(number, sizeof(number), "%u", node->number);
    parts[0] = xs_string(path);
    parts[1] = xs_string(node->text ? node->text : number);
    parts[1].len--;
    return err ? err : xs_post(r, XS_WRITE, XENBUS_NO_TX, parts, 2);
}

int xenbus_write_nodes(const char *dir, const struct xenbus_node *nodes,
                       unsigned int n)
{
    struct xs_request r[XENBUS_AT_ONCE];
    int err[XENBUS_AT_ONCE], first = 0;

    for (unsigned int i = 0; i < n; i++)
        err[i] = post_node(&r[i], dir, &nodes[i]);
    for (unsigned int i = 0; i < n; i++) {
        if (!err[i])
            err[i] = xs_wait(&r[i], NULL, NULL);
        if (!first)
            first = err[i];
    }
    return first;
}

/* ---- transactions and paths ---- */

/* Ours that are open, or asked for. */
static unsigned int transactions;
static struct wait_queue fewer_transactions =
    WAIT_QUEUE_INIT(fewer_transactions);

static void transaction_gone(void)
{
    transactions--;
    wait_queue_wake_all(&fewer_transactions);
}

static int begin(xenbus_tx *tx)
{
    struct xs_part part = xs_string("");
    char *id;
    int err = xs_request(XS_TRANSACTION_START, 0, &part, 1, &id, NULL);

    if (err)
        return err;
    *tx = (xenbus_tx)strtoul(id, NULL, 10);
    free(id);
    return 0;
}

/* The store allows a domain a few at a time: more wait until one has ended. */
int xenbus_begin(xenbus_tx *tx)
{
    for (;;) {
        unsigned int before = transactions++, others;
        int err = begin(tx);

        if (!err)
            return 0;
        transaction_gone();
        others = transactions;
        /* Those that were too many may have ended while the store's answer was
         * on its way. */
        if (err != -ENOSPC || (!before && !others))
            return err;
        wait_event(&fewer_transactions, !others || transactions < others,
                   NEVER);
    }
}

int xenbus_end(xenbus_tx tx, bool commit)
{
    struct xs_part part = xs_string(commit ? "T" : "F");
    int err = xs_request(XS_TRANSACTION_END, tx, &part, 1, NULL, NULL);

    transaction_gone();
    return err;
}

int xenbus_path(char out[XENBUS_PATH_MAX], const char *dir, const char *leaf)
{
    int n = snprintf(out, XENBUS_PATH_MAX, "%s/%s", dir, leaf);

    return n < 0 || n >= XENBUS_PATH_MAX ? -ENAMETOOLONG : 0;
}
