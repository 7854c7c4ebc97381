/*
 * What `ringside doctor` asks of the machine and the installation, and the
 * table of all its checks; see doctor.h.
 */
#include "doctor.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host.h"
#include "launch.h"
#include "rundir_check.h"

#define CPUID_INVARIANT_TSC (1U << 8) /* leaf 0x80000007, EDX */
#define HWCAP2_FSGSBASE_BIT (1UL << 1)

/* What a guest with a disk and a network card takes; docs/scale.md counts. */
#define GUESTS_WANTED         1000
#define DESCRIPTORS_PER_GUEST 16
#define DESCRIPTORS_LEAST     1024 /* the sandbox gives them numbers */
#define PORTS_PER_GUEST       3    /* of the 4,096 that the driver domain has */
#define PORTS                 4096

/* ---- the processor ---- */

static enum verdict check_fsgsbase(struct finding *f)
{
    bool has = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT) != 0;

    DOCTOR_SAY(f, "%s", has ? "" : "not offered by processor and kernel");
    return has ? DOCTOR_OK : DOCTOR_WEAKER;
}

static enum verdict check_tsc(struct finding *f)
{
    unsigned int a, b, c, d = 0;
    bool has = __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 &&
               (d & CPUID_INVARIANT_TSC) != 0;

    DOCTOR_SAY(f, "%s", has ? "" : "the processor does not promise it");
    return has ? DOCTOR_OK : DOCTOR_WEAKER;
}

static enum verdict check_cpus(struct finding *f)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    DOCTOR_SAY(f, "%d", n);
    return n >= 2 ? DOCTOR_OK : DOCTOR_WEAKER;
}

/* ---- devices and limits ---- */

static enum verdict check_device(struct finding *f, const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    int err = fd < 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    DOCTOR_SAY(f, "%s%s%s", path, err != 0 ? ": " : "",
               err != 0 ? strerror(err) : "");
    return err == 0 ? DOCTOR_OK : DOCTOR_WEAKER;
}

static enum verdict check_kvm(struct finding *f)
{
    return check_device(f, "/dev/kvm");
}

static enum verdict check_tun(struct finding *f)
{
    return check_device(f, "/dev/net/tun");
}

static enum verdict check_pty(struct finding *f)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int err = fd < 0 ? errno : 0;

    if (err == 0 && (grantpt(fd) != 0 || unlockpt(fd) != 0))
        err = errno;
    if (fd >= 0)
        close(fd);
    return doctor_verdict(f, err, DOCTOR_MISSING);
}

/* The lesser, if the file has a number. */
static unsigned long long lesser_of(const char *path, unsigned long long than)
{
    unsigned long long n = than;
    FILE *file = fopen(path, "re");

    if (file != NULL) {
        if (fscanf(file, "%llu", &n) != 1)
            n = than;
        fclose(file);
    }
    return n < than ? n : than;
}

/* What hypervisor/host.c keeps from guests that are to be made: three quarters
 * of its reserve, which is an eighth of the limit (2,048 at most) and 32. */
static unsigned long long kept_descriptors(unsigned long long limit)
{
    unsigned long long kept = limit / 8 < 2048 ? limit / 8 : 2048;

    return (kept + 32) * 3 / 4;
}

static enum verdict check_nofile(struct finding *f)
{
    struct rlimit r = { 0 };
    unsigned long long guests = 0;

    getrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_max < DESCRIPTORS_LEAST) {
        DOCTOR_SAY(f, "%llu: for no guest", (unsigned long long)r.rlim_max);
        f->consequence = "No guest fits: one alone needs 1,024.";
        return DOCTOR_MISSING;
    }
    guests =
        (r.rlim_max - kept_descriptors(r.rlim_max)) / DESCRIPTORS_PER_GUEST;
    if (guests > PORTS / PORTS_PER_GUEST)
        guests = PORTS / PORTS_PER_GUEST;
    DOCTOR_SAY(f, "%llu: for about %llu guests", (unsigned long long)r.rlim_max,
               guests);
    return guests >= GUESTS_WANTED ? DOCTOR_OK : DOCTOR_WEAKER;
}

/* A guest is a process, its console a pseudo terminal. */
static enum verdict check_processes(struct finding *f)
{
    struct rlimit r = { .rlim_max = RLIM_INFINITY };
    unsigned long long n;

    getrlimit(RLIMIT_NPROC, &r);
    n = lesser_of("/proc/sys/kernel/pid_max", r.rlim_max);
    n = lesser_of("/proc/sys/kernel/threads-max", n);
    n = lesser_of("/proc/sys/kernel/pty/max", n);
    n = lesser_of("/sys/fs/cgroup/pids.max", n);
    DOCTOR_SAY(f, "%llu, the least of several limits", n);
    return n >= GUESTS_WANTED + 100 ? DOCTOR_OK : DOCTOR_WEAKER;
}

/* Can something be made in a directory? 0, or an errno. */
static int try_directory(const char *dir)
{
    char path[RUNDIR_FILE_MAX];

    snprintf(path, sizeof(path), "%s/ringside-doctor-XXXXXX", dir);
    if (mkdtemp(path) == NULL)
        return errno;
    rmdir(path);
    return 0;
}

static enum verdict check_rundir(struct finding *f)
{
    char dir[RUNDIR_MAX], parent[RUNDIR_MAX], why[RUNDIR_WHY_MAX], *slash;
    int err;

    if (host_rundir(dir) != 0)
        return DOCTOR_MISSING;
    if (rundir_check(dir, geteuid(), why, sizeof(why)) == -EPERM) {
        DOCTOR_SAY(f, "%s", why);
        return DOCTOR_MISSING;
    }
    err = try_directory(dir);
    if (err == ENOENT) { /* it will be made */
        memcpy(parent, dir, sizeof(parent));
        slash = strrchr(parent, '/');
        if (slash != NULL)
            *slash = '\0';
        err = try_directory(slash != NULL ? parent : ".");
    }
    DOCTOR_SAY(f, "%s%s%s", dir, err != 0 ? ": " : "",
               err != 0 ? strerror(err) : "");
    return err == 0 ? DOCTOR_OK : DOCTOR_MISSING;
}

/* ---- software ---- */

static enum verdict check_programs(struct finding *f)
{
    char path[4200];

    if (launch_find(path, sizeof(path)) != 0) {
        DOCTOR_SAY(f, "ringsided not found");
        return DOCTOR_MISSING;
    }
    DOCTOR_SAY(f, "%.150s", path);
    return DOCTOR_OK;
}

/* What is needed to build guests from this source. */
static enum verdict check_packages(struct finding *f)
{
    static const struct {
        const char *package, *file;
    } needed[] = {
        { "gcc", "/usr/bin/gcc" },
        { "newlib-source", "/usr/src/newlib" },
        { "libxen-dev", "/usr/include/xen/xen.h" },
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (access(needed[i].file, F_OK) != 0)
            n +=
                (size_t)snprintf(f->detail + n, sizeof(f->detail) - n, "%s%s",
                                 n > 0 ? ", " : "missing: ", needed[i].package);
    }
    return n == 0 ? DOCTOR_OK : DOCTOR_WEAKER;
}

/* Is there a program of that name in $PATH? */
static bool find_in_path(const char *name)
{
    const char *all = getenv("PATH");
    char *copy = strdup(all != NULL ? all : ""), *rest = copy, *dir;
    char path[4096];
    bool found = false;

    while (!found && (dir = strsep(&rest, ":")) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", dir, name);
        found = access(path, X_OK) == 0;
    }
    free(copy);
    return found;
}

static enum verdict check_gnuplot(struct finding *f)
{
    bool found = find_in_path("gnuplot");

    DOCTOR_SAY(f, "%s", found ? "" : "not found");
    return found ? DOCTOR_OK : DOCTOR_WEAKER;
}

const struct check doctor_checks[] = {
    { .name = "kernel",
      .look = doctor_check_kernel,
      .consequence = "Ringside needs Linux 6.1 or newer.",
      .remedy = "Update the kernel." },
    { .name = "seccomp listener",
      .look = doctor_check_listener,
      .consequence = "Guests' hypercalls cannot reach the hypervisor.",
      .remedy =
          "Run outside the other sandbox, or allow seccomp(2) in the container's "
          "profile." },
    { .name = "sync wake-up",
      .look = doctor_check_sync_wake_up,
      .consequence =
          "Hypercalls are slower; the hypervisor stays on the guest's CPU.",
      .remedy = "Linux 6.6 or newer has it." },
    { .name = "memory files",
      .look = doctor_check_memfd,
      .consequence = "Guests have no memory.",
      .remedy = "Allow memfd_create(2) in the container's profile." },
    { .name = "epoll_pwait2",
      .look = doctor_check_epoll_pwait2,
      .consequence = "Guests cannot sleep.",
      .remedy = "Allow epoll_pwait2(2) in the container's profile." },
    { .name = "pidfd",
      .look = doctor_check_pidfd,
      .consequence = "Guests cannot be watched.",
      .remedy = "Allow pidfd_open(2) in the container's profile." },
    { .name = "pseudo terminals",
      .look = check_pty,
      .consequence = "Guests have no console.",
      .remedy = "Mount devpts on /dev/pts." },
    { .name = "runtime directory",
      .look = check_rundir,
      .consequence = "No host can be started there.",
      .remedy = "Set RINGSIDE_RUNDIR to a directory of yours.",
      .installation = true },
    { .name = "ringsided",
      .look = check_programs,
      .consequence = "There is no hypervisor to start.",
      .remedy =
          "Install Ringside completely, or run it from its build directory.",
      .installation = true },
    { .name = "userfaultfd",
      .look = doctor_check_userfaultfd,
      .consequence =
          "The driver domain is less confined: it can see all memory of a guest "
          "that grants it a page.",
      .remedy = "Allow userfaultfd(2) in the container's profile.",
      .off = "RINGSIDE_NO_USERFAULTFD" },
    { .name = "user namespaces",
      .look = doctor_check_namespaces,
      .consequence = "Guests are confined by their system call filter alone.",
      .remedy =
          "sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone or "
          "kernel.apparmor_restrict_unprivileged_userns allow them.",
      .off = "RINGSIDE_NO_USERNS" },
    { .name = "io_uring",
      .look = doctor_check_io_uring,
      .consequence =
          "Disks that can block are served by threads, which is slower.",
      .remedy =
          "sysctl kernel.io_uring_disabled=0, and the container's profile.",
      .off = "RINGSIDE_NO_IO_URING" },
    { .name = "FSGSBASE",
      .look = check_fsgsbase,
      .consequence = "Guests with threads switch between them by a hypercall.",
      .remedy = "" },
    { .name = "invariant TSC",
      .look = check_tsc,
      .consequence =
          "Guests' clocks are corrected more often and are less exact.",
      .remedy = "" },
    { .name = "CPUs",
      .look = check_cpus,
      .consequence =
          "A guest and the driver domain share the CPU and cannot poll.",
      .remedy = "" },
    { .name = "descriptors",
      .look = check_nofile,
      .consequence = "1,000 guests with disk and network card do not fit.",
      .remedy = "Raise the hard limit of open files (ulimit -Hn) to 17,600 or "
                "more." },
    { .name = "processes",
      .look = check_processes,
      .consequence = "1,000 guests do not fit.",
      .remedy =
          "Raise ulimit -Hu, kernel.pid_max, kernel.threads-max, kernel.pty.max "
          "or the control group's pids.max." },
    { .name = "TAP devices",
      .look = check_tun,
      .consequence = "vifs of type tap do not work; nat does.",
      .remedy = "modprobe tun, and the right to open the device." },
    { .name = "KVM",
      .look = check_kvm,
      .consequence =
          "Guests run as confined processes only; the kvm engine, which is to "
          "come, will need it.",
      .remedy = "Enable virtualization, and join the group kvm.",
      .off = "RINGSIDE_NO_KVM" },
    { .name = "packages",
      .look = check_packages,
      .consequence = "Guests cannot be built here.",
      .remedy = "apt-get install what is missing." },
    { .name = "gnuplot",
      .look = check_gnuplot,
      .consequence = "bench --plot and --growth FILE.svg cannot draw.",
      .remedy = "apt-get install gnuplot-nox." },
};
const size_t doctor_nr_checks =
    sizeof(doctor_checks) / sizeof(doctor_checks[0]);
