/* Starting ringsided(8) and ending a private one; see launch.h. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "host.h"
#include "say.h"

#define READY_MS 15000
#define END_MS   5000

/* Beside this command, as in the build tree. */
static bool find_near(char *path, size_t size)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n <= 0)
        return false;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(path, size, "%s/ringsided", self);
    return access(path, X_OK) == 0;
}

int launch_find(char *path, size_t size)
{
    if (find_near(path, size))
        return 0;
    snprintf(path, size, "%s", RINGSIDED_PATH);
    return access(path, X_OK) == 0 ? 0 : -ENOENT;
}

static int find_program(char *path, size_t size)
{
    if (launch_find(path, size) == 0)
        return 0;
    return complain("ringsided is neither next to this command nor at %s; is "
                    "Ringside installed completely?",
                    RINGSIDED_PATH);
}

/* In the child: keeps `keep` over exec, and goes. */
static void exec_host(char *const argv[], int said, const int keep[2])
{
    int null = open("/dev/null", O_RDWR);
    sigset_t none;

    if (null < 0 || dup2(null, 0) < 0 || dup2(said, 1) < 0 || dup2(said, 2) < 0)
        _exit(127);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* the user's, if there are */
    for (int i = 0; i < 2; i++) {
        if (keep[i] >= 0)
            fcntl(keep[i], F_SETFD, 0);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* a terminal's Ctrl-C is for the command alone */
    execv(argv[0], argv);
    _exit(127);
}

/* The last line that ringsided said is why it does not start. */
static int complain_start(int said, const char *rundir)
{
    char text[4096];
    ssize_t n = pread(said, text, sizeof(text) - 1, 0);
    char *line = NULL, *rest = text, *next;

    text[n > 0 ? n : 0] = '\0';
    while ((next = strsep(&rest, "\n")) != NULL) {
        if (next[0] != '\0')
            line = next;
    }
    if (line != NULL)
        return complain("cannot start a host: %s", line);
    return complain("cannot start a host in %s; 'ringside doctor' may know why",
                    rundir);
}

static int wait_ready(int fd, int said, const char *rundir)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char c;
    int n;

    do {
        n = poll(&p, 1, READY_MS);
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        return complain("the host in %s was not ready after %d seconds", rundir,
                        READY_MS / 1000);
    if (n < 0 || read(fd, &c, 1) != 1)
        return complain_start(said, rundir);
    return 0;
}

/* Starts the program and waits until it serves. */
static int start(char *const argv[], const char *rundir, int ready[2], int life,
                 pid_t *pid)
{
    int said = memfd_create("ringsided", MFD_CLOEXEC), err;

    if (said < 0)
        return complain("cannot make a memory file: %s", strerror(errno));
    *pid = fork();
    if (*pid == 0)
        exec_host(argv, said, (int[2]){ ready[1], life });
    close(ready[1]);
    ready[1] = -1;
    if (*pid < 0)
        err = complain("cannot start a process: %s", strerror(errno));
    else
        err = wait_ready(ready[0], said, rundir);
    close(said);
    return err;
}

/*
 * Starts ringsided with options behind those that always are;
 * life is the read end of a lifeline among them, or -1.
 */
static int launch(const char *rundir, const char *const options[], int life,
                  pid_t *pid)
{
    char program[4200], ready_arg[16];
    char *argv[16] = { program, "--rundir", (char *)rundir, "--ready-fd",
                       ready_arg };
    int ready[2], n = 5, err = find_program(program, sizeof(program));

    *pid = -1;
    if (err != 0)
        return err;
    if (pipe2(ready, O_CLOEXEC) != 0)
        return complain("cannot make a pipe: %s", strerror(errno));
    snprintf(ready_arg, sizeof(ready_arg), "%d", ready[1]);
    for (; *options != NULL && n < 15; options++)
        argv[n++] = (char *)*options;
    err = start(argv, rundir, ready, life, pid);
    close(ready[0]);
    if (ready[1] >= 0)
        close(ready[1]);
    return err;
}

int launch_daemon(const char *rundir)
{
    static const char *const options[] = { "--daemon", NULL };
    pid_t pid;
    int err = launch(rundir, options, -1, &pid);

    if (pid > 0)
        waitpid(pid, NULL, err == 0 ? 0 : WNOHANG);
    return err;
}

/*
 * A name that is free. ringsided makes the directory, because what it made it
 * removes at its end, also when this command was killed.
 */
static int choose_private_dir(char *rundir, size_t size)
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    char name[64];
    uint32_t r;

    if (getrandom(&r, sizeof(r), 0) != sizeof(r))
        return complain("the kernel gives no random numbers");
    snprintf(name, sizeof(name), "ringside-run-%d-%08x", (int)getpid(), r);
    if (xdg == NULL || xdg[0] != '/' || access(xdg, W_OK) != 0 ||
        (size_t)snprintf(rundir, size, "%s/%s", xdg, name) >= size)
        snprintf(rundir, size, "/tmp/%s", name);
    return 0;
}

int launch_private(char *rundir, size_t size, const char *engine, pid_t *pid,
                   int *lifeline)
{
    char life_arg[16], log[RUNDIR_FILE_MAX];
    const char *options[] = { "--lifeline-fd",
                              life_arg,
                              "--log",
                              log,
                              engine != NULL ? "--engine" : NULL,
                              engine,
                              NULL };
    int life[2], err = choose_private_dir(rundir, size);

    if (err != 0)
        return err;
    if (pipe2(life, O_CLOEXEC) != 0)
        return complain("cannot make a pipe: %s", strerror(errno));
    snprintf(life_arg, sizeof(life_arg), "%d", life[0]);
    snprintf(log, sizeof(log), "%s/log/ringsided.log", rundir);
    err = launch(rundir, options, life[0], pid);
    close(life[0]);
    if (err != 0)
        launch_end(rundir, *pid, life[1]);
    else
        *lifeline = life[1];
    return err;
}

/* Waits up to END_MS; true if the child has ended. */
static bool reap(pid_t pid, int *status)
{
    struct timespec pause = { .tv_nsec = 1000000 };

    for (int ms = 0; ms < END_MS; ms++) {
        pid_t got = waitpid(pid, status, WNOHANG);

        if (got == pid || (got < 0 && errno == ECHILD))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

void launch_end(const char *rundir, pid_t pid, int lifeline)
{
    int status = 0;

    if (lifeline >= 0)
        close(lifeline);
    if (pid > 0 && !reap(pid, &status)) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        return; /* it failed, and has left what says why */
    nftw(rundir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
