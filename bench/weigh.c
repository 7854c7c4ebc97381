/*
 * What a guest costs in memory and descriptors. See weigh.h.
 */
#include "weigh.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- memory ---- */

/* The sum of some lines of /proc/meminfo. */
static double meminfo_kib(const char *const fields[], size_t n)
{
    char line[128], name[64];
    double sum = 0, kib;
    FILE *f = fopen("/proc/meminfo", "r");

    while (f && fgets(line, sizeof(line), f))
        for (size_t i = 0; i < n; i++)
            if (sscanf(line, "%63s %lf", name, &kib) == 2 &&
                !strcmp(name, fields[i]))
                sum += kib;
    if (f)
        fclose(f);
    return sum;
}

double weigh_machine_kib(void)
{
    static const char *const fields[] = { "AnonPages:",   "Shmem:",
                                          "SUnreclaim:",  "PageTables:",
                                          "KernelStack:", "Percpu:" };

    return meminfo_kib(fields, sizeof(fields) / sizeof(fields[0]));
}

size_t weigh_available_kib(void)
{
    static const char *const fields[] = { "MemAvailable:" };

    return (size_t)meminfo_kib(fields, 1);
}

/* Bytes below `end` that a file really has. */
static off_t data_below(int fd, off_t end)
{
    off_t at = 0, data, sum = 0;

    while (at < end && (data = lseek(fd, at, SEEK_DATA)) >= 0 && data < end) {
        at = lseek(fd, data, SEEK_HOLE);
        sum += (at < end ? at : end) - data;
    }
    return sum;
}

/* Calls fn for each descriptor of a process: "/proc/12/fd/3". */
static void each_descriptor(pid_t pid, void (*fn)(const char *path, void *arg),
                            void *arg)
{
    char dir[32], path[300];
    struct dirent *e;
    DIR *d;

    snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)pid);
    d = opendir(dir);
    while (d && (e = readdir(d)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (isdigit((unsigned char)e->d_name[0]))
            fn(path, arg);
    }
    if (d)
        closedir(d);
}

struct touched {
    off_t ram, bytes;
};

static void add_touched(const char *path, void *arg)
{
    static const char name[] = "/memfd:ringside-guest";
    struct touched *t = arg;
    char to[sizeof(name)];
    int fd;

    if (readlink(path, to, sizeof(to)) != sizeof(to) ||
        memcmp(to, name, sizeof(name) - 1))
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    t->bytes += data_below(fd, t->ram);
    close(fd);
}

double weigh_touched_kib(pid_t ringsided, off_t ram)
{
    struct touched t = { .ram = ram };

    each_descriptor(ringsided, add_touched, &t);
    return (double)t.bytes / 1024;
}

static void count(const char *path, void *arg)
{
    (void)path;
    ++*(unsigned int *)arg;
}

unsigned int weigh_descriptors(pid_t pid)
{
    unsigned int n = 0;

    each_descriptor(pid, count, &n);
    return n;
}

/* ---- processor time ---- */

struct process {
    pid_t pid, parent;
    bool counts;
};

static pid_t parent_of(pid_t pid)
{
    char path[32], text[512], *p;
    int parent = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    f = fopen(path, "r");
    if (!f)
        return 0;
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    p = strrchr(text, ')'); /* names may have parentheses */
    return p && sscanf(p, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* All processes that we see, to be freed. */
static struct process *list_processes(unsigned int *n)
{
    struct process *all = NULL, *grown;
    unsigned int room = 0;
    struct dirent *e;
    DIR *d = opendir("/proc");

    *n = 0;
    while (d && (e = readdir(d)) != NULL) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

        if (pid <= 0)
            continue;
        if (*n == room) {
            room = room ? room * 2 : 256;
            grown = realloc(all, room * sizeof(*all));
            if (!grown)
                break;
            all = grown;
        }
        all[(*n)++] = (struct process){ .pid = pid, .parent = parent_of(pid) };
    }
    if (d)
        closedir(d);
    return all;
}

/* Marks all descendants of a process. The process tree is not deep. */
static void mark_children(struct process *all, unsigned int n, pid_t parent)
{
    for (unsigned int i = 0; i < n; i++)
        if (!all[i].counts && all[i].parent == parent) {
            all[i].counts = true;
            mark_children(all, n, all[i].pid);
        }
}

static double cpu_ns(pid_t pid)
{
    struct timespec t;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
        return 0;
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double weigh_cpu_ns(pid_t root)
{
    unsigned int n;
    struct process *all = list_processes(&n);
    double ns = cpu_ns(root);

    mark_children(all, n, root);
    for (unsigned int i = 0; i < n; i++)
        if (all[i].counts)
            ns += cpu_ns(all[i].pid);
    free(all);
    return ns;
}
