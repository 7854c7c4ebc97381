/* What is told about a guest; see summary.h. */
#include "summary.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "xen_compat.h"

#include "say.h"

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void show_disk(const struct disk_config *d)
{
    char size[32];

    note("  %-8s %s, %s, %s", d->vdev, d->path,
         format_bytes(d->bytes, size, sizeof(size)),
         d->read_only ? "read-only" : "writable");
}

static void show_forward(const struct forward *f)
{
    bool any = strcmp(f->host_addr, "0.0.0.0") == 0;
    const char *addr = any ? "127.0.0.1" : f->host_addr;
    const char *kind = f->udp ? "udp" : "tcp";

    if (!f->udp && (f->guest_port == 80 || f->guest_port == 8080))
        note("           http://%s:%u/ is its %s port %u", addr, f->host_port,
             kind, f->guest_port);
    else
        note("           %s port %u of %s is its port %u", kind, f->host_port,
             f->host_addr, f->guest_port);
}

static void show_vif(const struct vif_config *v, unsigned int devid)
{
    static const char *const types[] = { "NAT", "TAP device ", "bridge " };

    note("  vif%-5u %s%s, %s", devid, types[v->type], v->dev, v->mac);
    for (unsigned int i = 0; i < v->nr_forwards; i++)
        show_forward(&v->forwards[i]);
}

void summary_start(const struct guest *g, const char *stop)
{
    const struct guest_config *c = g->config;

    note_about(c->name, "is domain %u: %s, %u MiB", g->d.domid, c->kernel,
               c->memory_mib);
    for (unsigned int i = 0; i < c->nr_disks; i++)
        show_disk(&c->disks[i]);
    for (unsigned int i = 0; i < c->nr_vifs; i++)
        show_vif(&c->vifs[i], i);
    note("  %s", stop);
}

void summary_connected(const struct guest *g, const struct rs_domain_info *info)
{
    unsigned int n = g->config->nr_disks + g->config->nr_vifs;
    char main_t[32], all_t[32];

    note_about(
        g->config->name, "started in %s; %s connected %s after its creation",
        format_ns(info->started_ns - info->created_ns, main_t, sizeof(main_t)),
        n == 1 ? "its device" : "all its devices",
        format_ns(now_ns() - info->created_ns, all_t, sizeof(all_t)));
}

/* "started in 1.2 ms, ran for 3 s" */
static void format_life(const struct rs_domain_info *info, char *life, size_t n)
{
    char start_t[32], run_t[32];

    if (info->started_ns == 0) {
        snprintf(life, n, "never ran");
        return;
    }
    snprintf(life, n, "started in %s, ran for %s",
             format_ns(info->started_ns - info->created_ns, start_t,
                       sizeof(start_t)),
             format_ns(now_ns() - info->started_ns, run_t, sizeof(run_t)));
}

const char *crash_reason(const struct rs_domain_info *info)
{
    if (info->crash[0] != '\0')
        return info->crash;
    if (info->shutdown_reason == SHUTDOWN_watchdog)
        return "its watchdog fired";
    return "its kernel gave up, as it says itself";
}

void summary_end(const struct guest *g, enum guest_end end,
                 const struct rs_domain_info *info)
{
    const char *name = g->config->name;
    char life[80];

    switch (end) {
    case GUEST_CRASH:
        complain("%s crashed: %s", name, crash_reason(info));
        break;
    case GUEST_DESTROYED:
        note_about(name, "was destroyed");
        break;
    case GUEST_HOST_GONE:
        complain("the host of %s is gone", name);
        break;
    case GUEST_REBOOT:
        note_about(name, "reboots");
        break;
    default:
        format_life(info, life, sizeof(life));
        note_about(name, "ended with status %u: %s", info->exit_status, life);
    }
}
