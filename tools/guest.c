/* A guest's life; see guest.h. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <xenstore.h>

#include "xen_compat.h"

#include "layout.h"
#include "say.h"
#include "measure.h"

#define BACKENDS_READY_MS 5000
#define BACKENDS_CLOSE_MS 10000 /* as xl has it */
#define PATIENCE_MS       1000  /* then we say what we wait for */
#define RESTART_MIN_MS    1000
#define QUICK_LOOKS       20
#define QUICK_NS          100000
#define LOOK_AGAIN_MS     250 /* should the store's news be lost */

/* ---- waiting for news of the store ---- */

static void watch_path(const struct guest *g, const char *type, char *path,
                       size_t n)
{
    snprintf(path, n, "/local/domain/%u/backend/%s/%u", RS_DOMID_DRIVER, type,
             g->d.domid);
}

static const char *const watched_types[] = { "console", "vbd", "vif" };
#define NR_WATCHED 3

int guest_watch(struct guest *g)
{
    char path[100];

    if (g->watched)
        return 0;
    g->watched = true;
    if (host_watch_ends(g->host) != 0)
        return -EINVAL;
    for (int i = 0; i < NR_WATCHED; i++) {
        watch_path(g, watched_types[i], path, sizeof(path));
        if (!xs_watch(g->host->news, path, "device"))
            return complain("cannot watch the store: %s", strerror(errno));
    }
    return 0;
}

void guest_unwatch(struct guest *g)
{
    char path[100];

    if (!g->watched)
        return;
    g->watched = false;
    for (int i = 0; i < NR_WATCHED; i++) {
        watch_path(g, watched_types[i], path, sizeof(path));
        xs_unwatch(g->host->news, path, "device");
    }
}

void guest_drain(struct guest *g)
{
    char **event;

    while (g->host->news && (event = xs_check_watch(g->host->news)) != NULL)
        free(event);
}

void guest_wait(struct guest *g, int ms)
{
    struct pollfd p = { .fd = g->host->news ? xs_fileno(g->host->news) : -1,
                        .events = POLLIN };

    poll(&p, 1, ms < LOOK_AGAIN_MS ? ms : LOOK_AGAIN_MS);
    guest_drain(g);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- backends ---- */

/* What the user calls a device: "disk xvda". */
static void device_name(const struct guest *g, const char *type,
                        unsigned int devid, char *name, size_t n)
{
    snprintf(name, n, "%s %u", type, devid);
    for (unsigned int i = 0; i < g->config->nr_disks; i++) {
        if (strcmp(type, "vbd") == 0 && g->config->disks[i].devid == devid)
            snprintf(name, n, "disk %s", g->config->disks[i].vdev);
    }
}

static int complain_device(const struct guest *g, const char *dir,
                           const char *type, unsigned int devid)
{
    char name[40], why[400];

    device_name(g, type, devid, name, sizeof(name));
    if (!layout_read(g->host->store, dir, "hotplug-error", why, sizeof(why)) ||
        why[0] == '\0')
        snprintf(why, sizeof(why), "the driver domain refuses it");
    return complain("%s: %s", name, why);
}

/*
 * Calls fn for each backend of the guest, those first that the driver domain
 * comes to last: mostly the answer is known after one. Stops when fn returns
 * non-zero, which is returned.
 */
static int each_backend(const struct guest *g,
                        int (*fn)(const struct guest *g, const char *dir,
                                  const char *type, unsigned int devid))
{
    const struct guest_config *c = g->config;
    char dir[160];
    int ret = 0;

    for (unsigned int i = c->nr_vifs; i-- > 0 && ret == 0;) {
        layout_backend(dir, sizeof(dir), "vif", g->d.domid, i);
        ret = fn(g, dir, "vif", i);
    }
    for (unsigned int i = c->nr_disks; i-- > 0 && ret == 0;) {
        layout_backend(dir, sizeof(dir), "vbd", g->d.domid, c->disks[i].devid);
        ret = fn(g, dir, "vbd", c->disks[i].devid);
    }
    if (ret != 0)
        return ret;
    layout_backend(dir, sizeof(dir), "console", g->d.domid, 0);
    return fn(g, dir, "console", 0);
}

/* 0: ready; 1: not yet; -EINVAL: it failed. */
static int backend_ready(const struct guest *g, const char *dir,
                         const char *type, unsigned int devid)
{
    unsigned int state = layout_state(g->host->store, dir);

    if (state == XenbusStateClosing || state == XenbusStateClosed)
        return complain_device(g, dir, type, devid);
    return state < XenbusStateInitWait;
}

/*
 * Whether the driver domain has looked at the console of standard error. One
 * that does not know such a thing refuses it: then the guest does without.
 */
static bool error_console_settled(struct guest *g)
{
    struct xs_pipeline *store = g->host->store;
    unsigned int state;
    char dir[160];

    if (!g->config->error_apart)
        return true;
    layout_backend(dir, sizeof(dir), "console", g->d.domid,
                   LAYOUT_ERROR_CONSOLE);
    state = layout_state(store, dir);
    if (state == XenbusStateInitWait)
        layout_error_console(store, g->d.domid, g->error_tty,
                             sizeof(g->error_tty));
    return state >= XenbusStateInitWait;
}

static int complain_backends(const struct guest *g)
{
    char log[RUNDIR_FILE_MAX];

    if (host_keep_log(g->host, "driverd.log", log))
        return complain("the driver domain did not make the devices ready in "
                        "%d seconds; its log is %s",
                        BACKENDS_READY_MS / 1000, log);
    return complain("no driver domain made the devices ready in %d seconds; "
                    "was the host started with --no-driver?",
                    BACKENDS_READY_MS / 1000);
}

/*
 * They are ready so soon that looking a few times is quicker than a watch, for
 * which libxenstore starts a thread.
 */
static int wait_backends(struct guest *g)
{
    const struct timespec quick = { .tv_nsec = QUICK_NS };
    uint64_t begun = now_ms();
    bool told = false;
    int look = 0;

    for (;;) {
        int ret = each_backend(g, backend_ready);

        if (ret < 0)
            return ret;
        if (ret == 0 && error_console_settled(g) &&
            layout_console(g->host->store, g->d.domid, g->tty, sizeof(g->tty)))
            return 0;
        if (now_ms() - begun >= BACKENDS_READY_MS) {
            g->given_up = true;
            return complain_backends(g);
        }
        if (!told && now_ms() - begun > PATIENCE_MS) {
            note("the driver domain has not made the devices ready yet");
            told = true;
        }
        if (look++ < QUICK_LOOKS)
            nanosleep(&quick, NULL);
        else if (guest_watch(g) != 0)
            return -EINVAL;
        else
            guest_wait(g, LOOK_AGAIN_MS);
    }
}

static int not_connected(const struct guest *g, const char *dir,
                         const char *type, unsigned int devid)
{
    (void)type;
    (void)devid;
    return layout_state(g->host->store, dir) != XenbusStateConnected;
}

bool guest_connected(const struct guest *g)
{
    return each_backend(g, not_connected) == 0;
}

/* ---- creation ---- */

static bool name_taken(const struct rs_domain_info *list, int n,
                       const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(list[i].name, name) == 0)
            return true;
    }
    return false;
}

/* "hello" → "hello-2", "hello-3"… : the first that nobody has. */
static int derive_name(struct guest_config *c,
                       const struct rs_domain_info *list, int n)
{
    char name[RS_NAME_MAX];

    for (int i = 2; i < n + 3; i++) {
        snprintf(name, sizeof(name), "%.50s-%d", c->name, i);
        if (!name_taken(list, n, name))
            return config_set(&c->name, name);
    }
    return complain("there are too many domains called %s", c->name);
}

/* A name that the user chose is the hypervisor's to refuse. */
static int choose_name(const struct host *h, struct guest_config *c)
{
    struct rs_domain_info *list;
    int n, err = 0;

    if (!c->name_derived)
        return 0;
    n = domain_list(h, &list);
    if (n < 0)
        return n;
    if (name_taken(list, n, c->name))
        err = derive_name(c, list, n);
    free(list);
    return err;
}

static int open_image(const char *path, int *fd)
{
    *fd = -1;
    if (path == NULL)
        return 0;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    return *fd >= 0 ? 0 : complain("cannot open %s: %s", path, strerror(errno));
}

static uint32_t creation_flags(const struct guest_config *c)
{
    static const uint32_t of_mode[] = {
        [MODE_TRAP] = RS_DOMAIN_TRAP,
        [MODE_TRAP_STUB] = RS_DOMAIN_TRAP | RS_DOMAIN_TRAP_STUB,
    };

    return RS_DOMAIN_STORE | RS_DOMAIN_CONSOLE | of_mode[c->mode] |
           (c->polled ? RS_DOMAIN_POLLED : 0);
}

static int complain_taken(const struct host *h, const char *name)
{
    struct rs_domain_info *list;
    bool hosts = false;
    int n = domain_list(h, &list);

    if (n < 0)
        return n;
    for (int i = 0; i < n; i++)
        hosts |=
            list[i].domid <= RS_DOMID_DRIVER && strcmp(list[i].name, name) == 0;
    free(list);
    if (hosts)
        return complain("%s is the name of a domain of the host itself; choose "
                        "another",
                        name);
    return complain("there is a domain called %s already; choose another "
                    "name, or 'ringside destroy %s' first",
                    name, name);
}

static int create_domain(struct guest *g, int kernel, int ramdisk,
                         int console_fd)
{
    const struct guest_config *c = g->config;
    struct rs_client_create hc = {
        .memory_kib = (uint64_t)c->memory_mib * 1024,
        .vcpus = config_max_vcpus(c),
        .flags = creation_flags(c),
    };
    char why[256] = "";
    int err;

    snprintf(hc.name, sizeof(hc.name), "%s", c->name);
    snprintf(hc.cmdline, sizeof(hc.cmdline), "%s",
             c->cmdline != NULL ? c->cmdline : "");
    err = rs_client_domain_create(g->host->client, &hc, kernel, ramdisk,
                                  console_fd, &g->d, why, sizeof(why));
    if (err == 0)
        return 0;
    if (err == -EEXIST)
        return complain_taken(g->host, c->name);
    return complain("cannot create %s: %s", c->name,
                    why[0] != '\0' ? why : strerror(-err));
}

static int build_domain(struct guest *g, int console_fd)
{
    int kernel = -1, ramdisk = -1, err;

    err = open_image(g->config->kernel, &kernel);
    if (err == 0)
        err = open_image(g->config->ramdisk, &ramdisk);
    if (err == 0)
        err = create_domain(g, kernel, ramdisk, console_fd);
    if (kernel >= 0)
        close(kernel);
    if (ramdisk >= 0)
        close(ramdisk);
    return err;
}

static int unpause(struct guest *g)
{
    int err = rs_client_domain_unpause(g->host->client, (uint16_t)g->d.domid);

    if (err != 0)
        return complain("cannot start %s: %s", g->config->name, strerror(-err));
    sched_yield(); /* where there is one processor, the guest comes first */
    return 0;
}

/* The name is the domain's own by now: the log's next bytes are its. */
static void mark_log(struct guest *g)
{
    char path[RUNDIR_FILE_MAX];

    log_tail_path(path, sizeof(path), g->host->rundir, g->config->name);
    log_tail_mark(path, &g->log_start);
    log_tail_path_of(path, sizeof(path), g->host->rundir, LAYOUT_ERROR_CONSOLE,
                     g->config->name);
    log_tail_mark(path, &g->error_start);
}

static int create(struct guest *g, struct host *h, struct guest_config *c,
                  int console_fd, bool start)
{
    int err;

    *g = (struct guest){ .host = h, .config = c };
    err = choose_name(g->host, c);
    if (err == 0)
        err = guest_lock_disks(g);
    if (err == 0)
        err = build_domain(g, console_fd);
    if (err != 0) {
        guest_unlock_disks(g);
        return err;
    }
    mark_log(g);
    if (start)
        err = unpause(g);
    if (err == 0)
        err = layout_create(h->store, c, &g->d, &g->log_start);
    if (err != 0) {
        rs_client_domain_destroy(g->host->client, (uint16_t)g->d.domid);
        guest_unlock_disks(g);
        return err;
    }
    err = wait_backends(g);
    if (err == 0 && start)
        err = guest_watch(g);
    if (err != 0)
        guest_remove(g, NULL, NULL);
    return err;
}

int guest_create(struct guest *g, struct host *h, struct guest_config *c,
                 int console_fd)
{
    return create(g, h, c, console_fd, false);
}

int guest_launch(struct guest *g, struct host *h, struct guest_config *c,
                 int console_fd)
{
    return create(g, h, c, console_fd, true);
}

int guest_start(struct guest *g)
{
    int err = unpause(g);

    return err != 0 ? err : guest_watch(g);
}

/* ---- the end ---- */

int guest_keeper(const struct guest *g)
{
    unsigned long pid;
    char dir[64];

    snprintf(dir, sizeof(dir), "/local/domain/%u", g->d.domid);
    pid = layout_number(g->host->store, dir, "keeper", 0);
    if (pid == 0 || pid > INT32_MAX)
        return -1;
    return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

/* Until what the devices had is free for others. */
static void close_backends(struct guest *g, void (*pump)(void *arg), void *arg)
{
    uint64_t begun = now_ms();
    bool told = false;

    layout_close_backends(g->host->store, g->d.domid);
    while (!layout_backends_closed(g->host->store, g->d.domid) &&
           !g->given_up && now_ms() - begun < BACKENDS_CLOSE_MS) {
        if (!told && now_ms() - begun > PATIENCE_MS)
            note("the driver domain has not closed the devices yet");
        told |= now_ms() - begun > PATIENCE_MS;
        guest_wait(g, 10);
        if (pump != NULL)
            pump(arg);
    }
}

void guest_remove(struct guest *g, void (*pump)(void *arg), void *arg)
{
    rs_client_domain_pause(g->host->client, (uint16_t)g->d.domid);
    close_backends(g, pump, arg);
    if (pump != NULL)
        pump(arg);
    guest_unlock_disks(g); /* the driver domain has its own while it writes */
    rs_client_domain_destroy(g->host->client, (uint16_t)g->d.domid);
    guest_unwatch(g);
    layout_remove(g->host->store, g->d.domid);
}

enum guest_end guest_look(const struct guest *g, struct rs_domain_info *info)
{
    int err =
        rs_client_domain_info(g->host->client, (uint16_t)g->d.domid, info);

    if (err == -ESRCH)
        return GUEST_DESTROYED;
    if (err != 0)
        return GUEST_HOST_GONE;
    if (info->state == RS_DOMAIN_DYING)
        return GUEST_DESTROYED;
    if (info->state != RS_DOMAIN_SHUTDOWN)
        return GUEST_LIVES;
    switch (info->shutdown_reason) {
    case SHUTDOWN_poweroff:
        return GUEST_POWEROFF;
    case SHUTDOWN_reboot:
        return GUEST_REBOOT;
    case SHUTDOWN_suspend:
        return GUEST_SUSPEND;
    default:
        return GUEST_CRASH;
    }
}

static enum end_action configured_action(const struct guest_config *c,
                                         enum guest_end end)
{
    switch (end) {
    case GUEST_POWEROFF:
        return c->on_poweroff;
    case GUEST_REBOOT:
        return c->on_reboot;
    case GUEST_CRASH:
        return c->on_crash;
    default:
        return END_DESTROY;
    }
}

enum end_action guest_action(const struct guest_config *c, enum guest_end end,
                             const struct rs_domain_info *info)
{
    enum end_action action = configured_action(c, end);

    if (action != END_RESTART ||
        now_ms() - info->created_ns / 1000000 >= RESTART_MIN_MS)
        return action;
    complain("%s ended within a second and is not started again", c->name);
    return END_DESTROY;
}

int guest_ask_shutdown(struct xs_pipeline *store, unsigned int domid,
                       const char *what)
{
    char path[64];

    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    if (layout_write(store, path, what))
        return 0;
    return complain("cannot ask domain %u to shut down: %s", domid,
                    strerror(errno));
}
