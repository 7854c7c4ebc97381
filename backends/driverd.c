/*
 * ringside-driverd: the driver domain as a process.
 *
 * Connects to the hypervisor and to the store, starts the backends, and runs
 * the loop until SIGTERM, SIGINT, or the end of either connection. All state is
 * in the store and in the guests' rings, so it may die at any moment: its
 * successor finds the devices again.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "blkback.h"
#include "consback.h"
#include "disk.h"
#include "hypercall.h"
#include "ringside/client.h"
#include "log_file.h"
#include "netback.h"
#include "ring_poll.h"
#include "rundir_check.h"
#include "slow_call.h"
#include "socket_name.h"
#include "stats_socket.h"
#include "store.h"
#include "xenbus_backend.h"

/* How long a predecessor that is not quite gone is waited for. */
#define PATIENCE_MS 5000

static const struct backend_ops *const backends[] = {
    &consback_ops,
    &blkback_ops,
    &netback_ops,
};

struct options {
    const char *rundir, *log, *store;
    int ready_fd;
    int disk_io;
};

static const char usage[] =
    "usage: ringside-driverd [--rundir DIR] [--store SOCKET] [--log FILE]\n"
    "                        [--disk-io auto|inline|uring|threads]\n"
    "                        [--ready-fd N] [--help] [--version]\n";

static _Noreturn void fail(const char *what, int err)
{
    fprintf(stderr, "ringside-driverd: %s%s%s\n", what, err ? ": " : "",
            err ? strerror(-err) : "");
    exit(1);
}

static int parse_fd(const char *text)
{
    char *end;
    long fd = strtol(text, &end, 10);

    if (!*text || *end || fd < 0 || fd > 65535 || fcntl((int)fd, F_GETFD) < 0)
        fail("--ready-fd: not an open descriptor", 0);
    return (int)fd;
}

static int parse_disk_io(const char *who, const char *text)
{
    int mode = disk_io_mode_parse(text);

    if (mode < 0) {
        fprintf(stderr,
                "ringside-driverd: %s: '%s' is not auto, inline, uring or "
                "threads\n",
                who, text);
        exit(1);
    }
    return mode;
}

static void parse_options(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        { "rundir", required_argument, NULL, 'r' },
        { "store", required_argument, NULL, 's' },
        { "log", required_argument, NULL, 'l' },
        { "disk-io", required_argument, NULL, 'd' },
        { "ready-fd", required_argument, NULL, 'f' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'v' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'r':
            o->rundir = optarg;
            break;
        case 's':
            o->store = optarg;
            break;
        case 'l':
            o->log = optarg;
            break;
        case 'd':
            o->disk_io = parse_disk_io("--disk-io", optarg);
            break;
        case 'f':
            o->ready_fd = parse_fd(optarg);
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        case 'v':
            puts("ringside-driverd " PACKAGE_VERSION);
            exit(0);
        default:
            exit(1); /* getopt has said what is wrong */
        }
    }
    if (optind < argc)
        fail("no arguments are taken, only options (see --help)", 0);
}

/* The runtime directory, by default the user's. It is no stranger's. */
static void find_rundir(struct options *o)
{
    static char dir[RUNDIR_MAX];
    char why[RUNDIR_WHY_MAX];
    int err;

    if (!o->rundir && !rundir_default(dir, sizeof(dir)))
        fail("the runtime directory's name is too long", 0);
    if (!o->rundir)
        o->rundir = dir;
    err = rundir_check(o->rundir, geteuid(), why, sizeof(why));
    if (err && err != -ENOENT) /* then nobody serves, and we say so later */
        fail(why, 0);
}

static void open_log(const char *path)
{
    struct log_file *log;
    int err = log_file_open(path, 0600, LOG_FILE_LIMIT, LOG_FILE_TELLS, &log);

    if (!err)
        err = log_file_bind(log);
    if (err)
        fail(path, err);
    driver_log_to(log);
}

static void pause_ms(unsigned int ms)
{
    struct timespec t = { .tv_nsec = (long)ms * 1000000 };

    nanosleep(&t, NULL);
}

static struct rs_client *join(void)
{
    struct rs_client *client;
    int err;

    for (int ms = 0;; ms += 10) {
        err = rs_client_join(&client);
        if (err != -EBUSY || ms >= PATIENCE_MS)
            break;
        pause_ms(10);
    }
    if (err == -ENOKEY)
        fail("ringsided starts this program, which is no use otherwise", 0);
    if (err == -EPERM)
        fail("the hypervisor runs as another user, neither as ours nor as root",
             0);
    if (err)
        fail("cannot join the host", err);
    hypercall_carry_over(client);
    return client;
}

static void store_lost(void *arg)
{
    struct driver *driver = arg;

    driver_log("the store is gone");
    event_base_loopbreak(driver->base);
}

static void connect_store(const struct options *o, struct driver *driver)
{
    struct socket_name name; /* stays: libxenstore may connect again */
    char *path = NULL;
    int err;

    if (!o->store && asprintf(&path, "%s/xenstored.sock", o->rundir) < 0)
        fail("no memory", 0);
    err = socket_name_open(&name, o->store ? o->store : path);
    if (!err) {
        setenv("XENSTORED_PATH", name.address.sun_path, 1);
        err = store_open(driver->base, store_lost, driver, &driver->store);
    }
    if (err)
        fail(o->store ? o->store : path, err);
    free(path);
}

static void hypervisor_gone(evutil_socket_t fd, short what, void *arg)
{
    struct driver *driver = arg;

    (void)fd;
    (void)what;
    driver_log("the hypervisor is gone");
    event_base_loopbreak(driver->base);
}

static void asked_to_stop(evutil_socket_t fd, short what, void *arg)
{
    struct driver *driver = arg;

    (void)fd;
    (void)what;
    event_base_loopbreak(driver->base);
}

/* What ends the loop. */
#define N_ENDS 3

static void watch_for_the_end(struct driver *driver, struct event **ends)
{
    ends[0] = evsignal_new(driver->base, SIGTERM, asked_to_stop, driver);
    ends[1] = evsignal_new(driver->base, SIGINT, asked_to_stop, driver);
    ends[2] = event_new(driver->base, rs_client_fd(driver->client), EV_READ,
                        hypervisor_gone, driver);
    for (unsigned int i = 0; i < N_ENDS; i++) {
        if (!ends[i] || event_add(ends[i], NULL))
            fail("no memory", 0);
    }
}

static void release(struct driver *driver, struct event **ends)
{
    for (unsigned int i = 0; i < N_ENDS; i++)
        event_free(ends[i]);
    slow_calls_free(driver->slow);
    disk_async_free(driver->disk_async);
    store_close(driver->store);
    poll_room_free(driver->poll);
    event_base_free(driver->base);
    hypercall_carry_over(NULL);
    rs_client_disconnect(driver->client);
}

/* A first line: we serve. */
static void say_ready(const struct options *o)
{
    if (o->ready_fd >= 0 && write(o->ready_fd, "\n", 1) != 1)
        driver_log("--ready-fd: %s", strerror(errno));
}

/* A second: we did something for a guest. Whoever starts us again does so at
 * once when we die. */
static void say_worked(void *arg)
{
    const struct options *o = arg;

    if (o->ready_fd < 0)
        return;
    if (write(o->ready_fd, "\n", 1) != 1 && errno != EPIPE)
        driver_log("--ready-fd: %s", strerror(errno));
    close(o->ready_fd);
}

/* Started by ringsided it has inherited this. */
static void raise_descriptors(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r))
        return;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
}

int main(int argc, char **argv)
{
    struct options o = { .ready_fd = -1, .disk_io = DISK_IO_AUTO };
    const char *disk_io = getenv("RINGSIDE_DISK_IO");
    struct driver driver = { 0 };
    struct event *ends[N_ENDS];
    struct stats_socket *stats;
    struct xenbus_room *room;
    int err;

    if (disk_io && *disk_io)
        o.disk_io = parse_disk_io("RINGSIDE_DISK_IO", disk_io);
    parse_options(argc, argv, &o);
    find_rundir(&o);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    driver.rundir = o.rundir;
    driver.disk_io = o.disk_io;
    driver.base = event_base_new();
    if (!driver.base || poll_room_new(driver.base, &driver.poll))
        fail("no memory", 0);
    driver.client = join();
    connect_store(&o, &driver);
    err = disk_async_new(driver.base, (enum disk_io_mode)o.disk_io,
                         &driver.disk_async);
    if (!err)
        err = slow_calls_new(driver.base, &driver.slow);
    if (err)
        fail("disk I/O", err);
    if (o.log)
        open_log(o.log);
    watch_for_the_end(&driver, ends);
    err = xenbus_backend_start(&driver, backends,
                               sizeof(backends) / sizeof(backends[0]), &room);
    if (err)
        fail("cannot watch the store", err);
    err = stats_socket_open(&driver, room, &stats);
    if (err)
        driver_log("nobody can ask for counters: %s", strerror(-err));
    if (!rs_client_grants_strict(driver.client))
        driver_log("no userfaultfd: isolation from guests' memory is weaker");
    say_ready(&o);
    poll_room_on_work(driver.poll, say_worked, &o);
    poll_room_run(driver.poll);
    stats_socket_close(stats);
    xenbus_backend_stop(room);
    release(&driver, ends);
    return 0;
}
