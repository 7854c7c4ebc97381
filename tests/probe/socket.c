/*
 * Probes over the socket, as domain 0: starts a daemon of its own and asks it.
 *
 *     probe_socket [TEXT]            probes with TEXT in their names
 *     probe_socket --at SOCKET [TEXT]   the same of a store that runs already,
 *                                       ours or another's
 *     probe_socket --agent SOCKET    serves guests instead; see agent.h
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/probe/agent.h"
#include "tests/probe/stream.h"

#define PATIENCE_MS 5000

unsigned int probe_domid; /* 0 */

static char dir[] = "/tmp/ringside-probe.XXXXXX", sock_path[64];
static pid_t daemon_pid;
static int me_fd = -1;

/* ---- connections ---- */

static size_t fd_read(int fd, void *data, size_t len)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    ssize_t n = poll(&p, 1, PATIENCE_MS) == 1 ? read(fd, data, len) : 0;

    return n > 0 ? (size_t)n : 0;
}

static bool fd_write(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static size_t root_read(struct stream *st, void *data, size_t len)
{
    return fd_read(st->fd, data, len);
}

static bool root_write(struct stream *st, const void *data, size_t len)
{
    return fd_write(st->fd, data, len);
}

static struct stream root = { .read = root_read, .write = root_write };
static struct stream mail = { .read = root_read, .write = root_write };

static int open_store(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    perror(path);
    exit(1);
}

bool carrier_write(const void *data, size_t len)
{
    return fd_write(me_fd, data, len);
}

size_t carrier_read(void *data, size_t len)
{
    return fd_read(me_fd, data, len);
}

bool carrier_broken(void)
{
    struct pollfd p = { .fd = me_fd, .events = POLLIN };
    char byte;

    return poll(&p, 1, PATIENCE_MS) == 1 && read(me_fd, &byte, 1) <= 0;
}

bool carrier_renew(void)
{
    close(me_fd);
    me_fd = open_store(sock_path);
    return true;
}

bool root_ask(struct message *m)
{
    return stream_ask(&root, m);
}

bool root_event(struct message *m)
{
    return stream_event(&root, m);
}

/* ---- the daemon ---- */

static void daemon_exec(int ready)
{
    const char *build = getenv("abs_top_builddir");
    char program[4096], number[16];

    snprintf(program, sizeof(program), "%s/ringside-xenstored",
             build ? build : ".");
    snprintf(number, sizeof(number), "%d", ready);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(program, program, "--socket", sock_path, "--hypervisor", "none",
          "--ready-fd", number, (char *)NULL);
    perror(program);
    _exit(127);
}

static bool daemon_start(void)
{
    int ready[2];
    char byte;

    if (!mkdtemp(dir) || pipe(ready))
        return false;
    snprintf(sock_path, sizeof(sock_path), "%s/xs.sock", dir);
    daemon_pid = fork();
    if (daemon_pid == 0) {
        close(ready[0]);
        daemon_exec(ready[1]);
    }
    close(ready[1]);
    return daemon_pid > 0 && read(ready[0], &byte, 1) == 1;
}

/* It must still be there, and end well when told to. */
static bool daemon_stop(void)
{
    int status = -1;

    kill(daemon_pid, SIGTERM);
    waitpid(daemon_pid, &status, 0);
    unlink(sock_path);
    rmdir(dir);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int probe_at(const char *only)
{
    int status;

    root.fd = open_store(sock_path);
    me_fd = open_store(sock_path);
    status = probes_run(only);
    close(me_fd);
    close(root.fd);
    stream_clear(&root);
    return status;
}

int main(int argc, char **argv)
{
    int status;

    if (argc >= 3 && !strcmp(argv[1], "--at")) {
        snprintf(sock_path, sizeof(sock_path), "%s", argv[2]);
        return probe_at(argv[3]);
    }
    if (argc == 3 && !strcmp(argv[1], "--agent")) {
        root.fd = open_store(argv[2]);
        mail.fd = open_store(argv[2]);
        return agent_run(&mail, &root);
    }
    if (!daemon_start()) {
        puts("Bail out! the store does not start");
        return 1;
    }
    status = probe_at(argv[1]);
    if (!daemon_stop()) {
        puts("# the store did not end well");
        status = 1;
    }
    return status;
}
