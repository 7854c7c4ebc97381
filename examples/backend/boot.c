/*
 * A toolstack in a page: boots a guest with disks that backend.c serves, and
 * waits for its end.
 *
 *     boot RUNDIR GUEST.elf PARAMS...     as in boot DIR guest.elf zero:64
 *
 * The disks are xvda, xvdb and so on; "zero" is read-only. What the guest
 * writes appears on stdout. Ends with the guest's exit status.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenstore.h>

#include <ringside/client.h>

#define DRIVER_DOMAIN 1

static struct rs_client *client;
static struct xs_handle *store;
static struct rs_client_created domain;
static xs_transaction_t tx; /* in which nodes are written */

static int fail(const char *what, int err)
{
    fprintf(stderr, "boot: %s: %s\n", what, strerror(-err));
    return EXIT_FAILURE;
}

/* ---- the store's nodes ---- */

__attribute__((format(printf, 3, 4))) static void
put(const char *dir, const char *node, const char *fmt, ...)
{
    char path[256], value[128];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    snprintf(path, sizeof(path), "%s/%s", dir, node);
    xs_write(store, tx, path, value, (unsigned int)n);
}

/* A directory of one domain, which another reads. */
static void make_dir(const char *path, unsigned int owner, unsigned int reader)
{
    struct xs_permissions perms[] = { { owner, XS_PERM_NONE },
                                      { reader, XS_PERM_READ } };

    xs_mkdir(store, tx, path);
    xs_set_permissions(store, tx, path, perms, 2);
}

static void put_disk(unsigned int devid, const char *params)
{
    char front[80], back[80];

    snprintf(front, sizeof(front), "/local/domain/%u/device/vbd/%u",
             domain.domid, devid);
    snprintf(back, sizeof(back), "/local/domain/%u/backend/vbd/%u/%u",
             DRIVER_DOMAIN, domain.domid, devid);
    make_dir(front, domain.domid, DRIVER_DOMAIN);
    put(front, "backend", "%s", back);
    put(front, "backend-id", "%u", DRIVER_DOMAIN);
    put(front, "virtual-device", "%u", devid);
    put(front, "state", "1");
    make_dir(back, DRIVER_DOMAIN, domain.domid);
    put(back, "frontend", "%s", front);
    put(back, "frontend-id", "%u", domain.domid);
    put(back, "params", "%s", params);
    put(back, "mode", "%s", strncmp(params, "zero", 4) ? "w" : "r");
    put(back, "state", "1");
}

/* All at once: the backend begins with a device when it sees it. */
static int put_disks(char **params)
{
    bool done;

    do {
        tx = xs_transaction_start(store);
        for (unsigned int i = 0; params[i]; i++)
            put_disk(202 << 8 | i << 4, params[i]);
        done = xs_transaction_end(store, tx, false);
    } while (!done && errno == EAGAIN); /* somebody else wrote there */
    return done ? 0 : -errno;
}

/* The backend sees its nodes go, and lets the guest's pages go. */
static void remove_nodes(void)
{
    char path[80];

    snprintf(path, sizeof(path), "/local/domain/%u/backend/vbd/%u",
             DRIVER_DOMAIN, domain.domid);
    xs_rm(store, XBT_NULL, path);
    snprintf(path, sizeof(path), "/local/domain/%u", domain.domid);
    xs_rm(store, XBT_NULL, path);
    xs_release_domain(store, domain.domid);
}

/* ---- the domain ---- */

static int create(const char *kernel)
{
    struct rs_client_create c = { .name = "booted",
                                  .memory_kib = 16 * 1024,
                                  .vcpus = 1,
                                  .flags = RS_DOMAIN_STORE };
    int err, fd = open(kernel, O_RDONLY | O_CLOEXEC);
    char why[256];

    if (fd < 0)
        return fail(kernel, -errno);
    err = rs_client_domain_create(client, &c, fd, -1, STDOUT_FILENO, &domain,
                                  why, sizeof(why));
    close(fd);
    if (err)
        fprintf(stderr, "boot: %s\n", why);
    return err;
}

/* Until it has shut down; the store says when it is time to look. */
static int wait_end(void)
{
    struct rs_domain_info info;
    unsigned int n;
    int err;

    for (;;) {
        err = rs_client_domain_info(client, (uint16_t)domain.domid, &info);
        if (err)
            return fail("the guest is gone", err);
        if (info.state == RS_DOMAIN_SHUTDOWN)
            break;
        free(xs_read_watch(store, &n));
    }
    if (info.crash[0])
        fprintf(stderr, "boot: the guest crashed: %s\n", info.crash);
    return info.crash[0] ? EXIT_FAILURE : (int)info.exit_status;
}

static int run(char **params)
{
    int err = put_disks(params);

    if (err)
        return fail("the store", err);
    xs_watch(store, "@releaseDomain", "end");
    if (!xs_introduce_domain(store, domain.domid, domain.store_gfn,
                             domain.store_port))
        return fail("the store does not take the guest", -errno);
    err = rs_client_domain_unpause(client, (uint16_t)domain.domid);
    if (err)
        return fail("cannot start the guest", err);
    return wait_end();
}

int main(int argc, char **argv)
{
    char path[108];
    int err, status;

    if (argc < 3) {
        fprintf(stderr, "usage: boot RUNDIR GUEST.elf [PARAMS...]\n");
        return EXIT_FAILURE;
    }
    snprintf(path, sizeof(path), "%s/hypervisor.sock", argv[1]);
    err = rs_client_connect(path, &client);
    if (err)
        return fail(path, err);
    snprintf(path, sizeof(path), "%s/xenstored.sock", argv[1]);
    setenv("XENSTORED_PATH", path, 1);
    store = xs_open(0);
    if (!store)
        return fail(path, -errno);
    if (create(argv[2]))
        return EXIT_FAILURE;
    status = run(argv + 3);
    remove_nodes();
    rs_client_domain_destroy(client, (uint16_t)domain.domid);
    xs_close(store);
    rs_client_disconnect(client);
    return status;
}
