/* What the machine is; see machine.h. */
#include "machine.h"

#include <dirent.h>
#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "tools/say.h"

#include "bench.h"
#include "config.h"
#include "samples.h"
#include "session.h"

#define VULNERABILITIES "/sys/devices/system/cpu/vulnerabilities"
#define TSC_NS          100000000u

static void read_cpu(struct machine *m)
{
    FILE *f = fopen("/proc/cpuinfo", "re");
    char line[256];

    strcpy(m->cpu, "unknown processor");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "model name : %95[^\n]", m->cpu) == 1)
            break;
    if (f)
        fclose(f);
    m->cpus = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
}

static void read_kernel(struct machine *m)
{
    struct utsname u;

    if (uname(&u) == 0)
        snprintf(m->kernel, sizeof(m->kernel), "%s %s %s", u.sysname, u.release,
                 u.machine);
}

static void add_name(char *list, size_t n, const char *name)
{
    size_t len = strlen(list);

    if (len + strlen(name) + 2 < n)
        snprintf(list + len, n - len, "%s%s", len ? " " : "", name);
}

/* What is not affected is not worth a word. */
static void read_mitigations(struct machine *m)
{
    DIR *dir = opendir(VULNERABILITIES);
    struct dirent *e;
    char path[320], text[64];
    FILE *f;

    while (dir && (e = readdir(dir))) {
        snprintf(path, sizeof(path), "%s/%s", VULNERABILITIES, e->d_name);
        f = e->d_name[0] == '.' ? NULL : fopen(path, "re");
        if (f && fgets(text, sizeof(text), f)) {
            if (!strncmp(text, "Mitigation", 10))
                add_name(m->mitigated, sizeof(m->mitigated), e->d_name);
            else if (!strncmp(text, "Vulnerable", 10))
                add_name(m->vulnerable, sizeof(m->vulnerable), e->d_name);
        }
        if (f)
            fclose(f);
    }
    if (dir)
        closedir(dir);
}

static double raw_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double measure_tsc(void)
{
    double from = raw_ns(), to;
    uint64_t start = tsc_now();

    do
        to = raw_ns();
    while (to - from < TSC_NS);
    return (double)(tsc_now() - start) / (to - from) * 1e3;
}

static double measure_distance(void)
{
    cpu_set_t before;
    double ns;

    if (session_cpu(1) < 0 || sched_getaffinity(0, sizeof(before), &before))
        return 0;
    native_pin(session_cpu(0));
    ns = native_distance_ns(session_cpu(1));
    sched_setaffinity(0, sizeof(before), &before);
    return ns;
}

const struct machine *machine(void)
{
    static struct machine m;

    if (m.cpus)
        return &m;
    read_cpu(&m);
    read_kernel(&m);
    read_mitigations(&m);
    m.tsc_mhz = measure_tsc();
    m.distance_ns = measure_distance();
    m.version = PACKAGE_VERSION;
    m.engine = "sandbox"; /* the default of ringsided(8) */
    m.placement = session_cpu(1) >= 0
                      ? "pinned: all on one processor, far ends on another "
                        "(hostile: free)"
                      : "pinned: all on the one processor that may be used";
    return &m;
}

void machine_print_lines(FILE *f, const char *prefix)
{
    const struct machine *m = machine();

    fprintf(f, "%smachine    %s, %u processor%s, TSC %.1f MHz\n", prefix,
            m->cpu, m->cpus, m->cpus == 1 ? "" : "s", m->tsc_mhz);
    fprintf(f, "%skernel     %s\n", prefix, m->kernel);
    fprintf(f, "%smitigated  %s\n", prefix, *m->mitigated ? m->mitigated : "-");
    if (*m->vulnerable)
        fprintf(f, "%svulnerable %s\n", prefix, m->vulnerable);
    fprintf(f, "%sringside   %s, engine %s; %s\n", prefix, m->version,
            m->engine, m->placement);
    if (m->distance_ns > 0)
        fprintf(f,
                "%sdistance   %.0f ns from one to the other and back, of a "
                "word that both watch\n",
                prefix, m->distance_ns);
}

static void print_member(const char *name, const char *value)
{
    printf(", \"%s\": ", name);
    print_json_string(value);
}

static void print_json(void)
{
    const struct machine *m = machine();

    printf("{\"machine\": {\"processors\": %u, \"tsc_mhz\": %.1f", m->cpus,
           m->tsc_mhz);
    if (m->distance_ns > 0)
        printf(", \"distance_ns\": %.1f", m->distance_ns);
    else
        printf(", \"distance_ns\": null");
    print_member("cpu", m->cpu);
    print_member("kernel", m->kernel);
    print_member("mitigated", m->mitigated);
    print_member("vulnerable", m->vulnerable);
    print_member("ringside", m->version);
    print_member("engine", m->engine);
    print_member("placement", m->placement);
    printf("}}\n");
}

void machine_print(const struct bench_options *o)
{
    if (o->form == BENCH_JSON)
        print_json();
    else
        machine_print_lines(stdout, o->form == BENCH_CSV ? "# " : "");
}
