/* Starting ringsided(8) and ending a private one; see launch.h. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

#define READY_MS 15000
#define END_MS   5000

static bool sibling(char *path, size_t size)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (n <= 0)
        return false;
    self[n] = '\0';
    slash = strrchr(self, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    return (size_t)snprintf(path, size, "%s/ringsided", self) < size &&
           access(path, X_OK) == 0;
}

int launch_find(char *path, size_t size)
{
    if (sibling(path, size))
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

/* The name of what ringsided says before it has a log of its own. */
static void start_log(char *path, size_t size, const char *rundir)
{
    snprintf(path, size, "%s/start.log", rundir);
}

/* In the child: keeps `keep` over exec, and goes. */
static void exec_host(char *const argv[], const char *rundir, const int keep[2])
{
    char log[256];
    sigset_t none;
    int null = open("/dev/null", O_RDWR), out;

    start_log(log, sizeof(log), rundir);
    out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    if (null < 0 || out < 0)
        _exit(127);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
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

/* The last line in which ringsided said why it does not start. */
static void complain_start(const char *rundir)
{
    char path[256], line[400], last[400] = "";
    FILE *f;

    start_log(path, sizeof(path), rundir);
    f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0')
            memcpy(last, line, sizeof(last));
    }
    if (f != NULL)
        fclose(f);
    if (last[0] != '\0')
        complain("cannot start a host: %s", last);
    else
        complain("cannot start a host in %s; 'ringside doctor' may know why",
                 rundir);
}

static int wait_ready(int fd, const char *rundir)
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
    if (n < 0 || read(fd, &c, 1) != 1) {
        complain_start(rundir);
        return -EINVAL;
    }
    return 0;
}

/* Starts ringsided; life is the read end of a lifeline, or -1: a daemon. */
static int launch(const char *rundir, int life, pid_t *pid)
{
    char program[4200], ready_arg[16], life_arg[16];
    char *argv[] = { program,   "--rundir", (char *)rundir, "--ready-fd",
                     ready_arg, "--daemon", NULL,           NULL };
    int ready[2], err = find_program(program, sizeof(program));

    if (err != 0)
        return err;
    if (pipe2(ready, O_CLOEXEC) != 0)
        return complain("cannot make a pipe: %s", strerror(errno));
    snprintf(ready_arg, sizeof(ready_arg), "%d", ready[1]);
    snprintf(life_arg, sizeof(life_arg), "%d", life);
    if (life >= 0) {
        argv[5] = "--lifeline-fd";
        argv[6] = life_arg;
    }
    *pid = fork();
    if (*pid == 0)
        exec_host(argv, rundir, (int[2]){ ready[1], life });
    close(ready[1]);
    if (*pid < 0)
        err = complain("cannot start a process: %s", strerror(errno));
    else
        err = wait_ready(ready[0], rundir);
    close(ready[0]);
    return err;
}

static int make_rundir(const char *rundir)
{
    if (mkdir(rundir, 0700) != 0 && errno != EEXIST)
        return complain("cannot make the runtime directory %s: %s", rundir,
                        strerror(errno));
    return 0;
}

int launch_daemon(const char *rundir)
{
    pid_t pid = -1;
    int err = make_rundir(rundir);

    if (err == 0)
        err = launch(rundir, -1, &pid);
    if (pid > 0)
        waitpid(pid, NULL, err == 0 ? 0 : WNOHANG);
    return err;
}

static int make_private_dir(char *rundir, size_t size)
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");

    if (xdg != NULL && xdg[0] == '/') {
        if ((size_t)snprintf(rundir, size, "%s/ringside-run-XXXXXX", xdg) <
                size &&
            mkdtemp(rundir) != NULL)
            return 0;
    }
    snprintf(rundir, size, "/tmp/ringside-run-XXXXXX");
    if (mkdtemp(rundir) != NULL)
        return 0;
    return complain("cannot make a directory in /tmp: %s", strerror(errno));
}

int launch_private(char *rundir, size_t size, pid_t *pid, int *lifeline)
{
    int life[2], err = make_private_dir(rundir, size);

    if (err != 0)
        return err;
    *pid = -1;
    if (pipe2(life, O_CLOEXEC) != 0) {
        err = complain("cannot make a pipe: %s", strerror(errno));
        launch_end(rundir, -1, -1);
        return err;
    }
    err = launch(rundir, life[0], pid);
    close(life[0]);
    if (err != 0)
        launch_end(rundir, *pid, life[1]);
    else
        *lifeline = life[1];
    return err;
}

/* Waits up to END_MS; true if the child has ended. */
static bool reap(pid_t pid)
{
    struct timespec pause = { .tv_nsec = 1000000 };

    for (int ms = 0; ms < END_MS; ms++) {
        pid_t got = waitpid(pid, NULL, WNOHANG);

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
    if (lifeline >= 0)
        close(lifeline);
    if (pid > 0 && !reap(pid)) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    nftw(rundir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
