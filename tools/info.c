/*
 * ringside info: the host, or one domain with its devices; as lines for
 * people or as one JSON object for programs (--json). Names of JSON members
 * stay.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen_compat.h"

#include "counters.h"
#include "guest.h"
#include "io_stats.h"
#include "layout.h"
#include "options.h"
#include "printable.h"
#include "say.h"
#include "verbs.h"

/* One value under two names: "Free memory (MiB)" and "memory_free_kib". */
struct writer {
    bool json, first;
};

static void open_object(struct writer *w)
{
    if (w->json)
        printf("{");
    w->first = true;
}

static void close_object(struct writer *w)
{
    if (w->json)
        printf("}");
    w->first = false;
}

static void put_name(struct writer *w, const char *name)
{
    if (w->json)
        printf("%s\"%s\":", w->first ? "" : ",", name);
    else
        printf("%-22s : ", name);
    w->first = false;
}

/* For people: a line of text that may be a guest's. */
static void print_text(const char *s)
{
    char text[2048];

    fputs(printable_string(text, sizeof(text), s), stdout);
}

static void put_string(struct writer *w, const char *name, const char *s)
{
    put_name(w, name);
    if (w->json)
        print_json_string(s);
    else
        print_text(s);
    if (!w->json)
        printf("\n");
}

static void put_number(struct writer *w, const char *name,
                       unsigned long long value)
{
    put_name(w, name);
    printf("%llu%s", value, w->json ? "" : "\n");
}

/* ---- the host ---- */

static int show_host(const struct host *h, struct writer *w)
{
    struct rs_host_info i;

    if (rs_client_host_info(h->client, &i) != 0) {
        complain("the host in %s does not answer", h->rundir);
        return EXIT_FAILURE;
    }
    open_object(w);
    put_string(w, "version", i.version);
    put_string(w, "engine", i.engine);
    put_string(w, "rundir", h->rundir);
    put_number(w, "pid", i.pid);
    put_number(w, "nr_cpus", i.cpus);
    put_number(w, "domains", i.domains);
    put_number(w, "total_memory_kib", i.memory_kib);
    put_number(w, "free_memory_kib", i.memory_free_kib);
    put_number(w, "uptime_ms", i.uptime_ns / 1000000);
    close_object(w);
    return EXIT_SUCCESS;
}

/* ---- a domain ---- */

static const char *state_name(const struct rs_domain_info *d)
{
    static const char *const names[] = { "paused", "running", "shutdown",
                                         "dying" };

    return d->state < 4 ? names[d->state] : "unknown";
}

static const char *reason_name(unsigned int reason)
{
    static const char *const names[] = { "poweroff", "reboot", "suspend",
                                         "crash", "watchdog" };

    return reason < 5 ? names[reason] : "unknown";
}

static const char *xenbus_name(unsigned int state)
{
    static const char *const names[] = {
        "absent",  "initialising", "waiting",       "initialised",  "connected",
        "closing", "closed",       "reconfiguring", "reconfigured",
    };

    return state < 9 ? names[state] : "unknown";
}

struct device_list {
    struct writer *w;
    struct xs_pipeline *store;
    unsigned int domid;
    const struct device_io *io; /* of all domains' devices */
    unsigned int nr_io;
    bool first;
};

static const struct device_io *find_io(const struct device_list *l,
                                       const char *type, unsigned int devid)
{
    for (unsigned int i = 0; i < l->nr_io; i++) {
        const struct device_io *io = &l->io[i];

        if (io->domid == l->domid && io->devid == devid &&
            strcmp(io->type, type) == 0)
            return io;
    }
    return NULL;
}

/* Its counters, "reads":12,… or reads 12, …, as far as they were told. */
static void show_io(const struct device_io *io, bool json)
{
    const char *comma = "";

    for (unsigned int i = 0; i < IO_VALUES; i++) {
        if (!(io->has & 1u << i))
            continue;
        printf(json ? "%s\"%s\":%llu" : "%s%s %llu", comma, io_value_name(i),
               (unsigned long long)io->value[i]);
        comma = json ? "," : ", ";
    }
}

static int show_device(void *arg, const char *dir, const char *type,
                       unsigned int devid)
{
    struct device_list *l = arg;
    const struct device_io *io = find_io(l, type, devid);
    const char *state = xenbus_name(layout_state(l->store, dir));
    char what[400] = "";

    if (!layout_read(l->store, dir, "params", what, sizeof(what)) &&
        !layout_read(l->store, dir, "forward", what, sizeof(what)))
        layout_read(l->store, dir, "type", what, sizeof(what));
    if (!l->w->json) {
        printf("device %-15s : %u, %s%s", type, devid, state,
               what[0] != '\0' ? ", " : "");
        print_text(what);
        printf("\n");
        if (io != NULL) {
            printf("%-22s : ", "  did");
            show_io(io, false);
            printf("\n");
        }
        return 0;
    }
    printf("%s{\"type\":", l->first ? "" : ",");
    print_json_string(type);
    printf(",\"devid\":%u,\"state\":\"%s\",\"backend\":", devid, state);
    print_json_string(what);
    if (io != NULL) {
        printf(",\"io\":{");
        show_io(io, true);
        printf("}");
    }
    printf("}");
    l->first = false;
    return 0;
}

static void show_devices(const struct host *h, struct writer *w,
                         unsigned int domid)
{
    struct device_list l = {
        .w = w, .store = h->store, .domid = domid, .first = true
    };
    struct device_io *io;

    l.nr_io = io_read(h->rundir, &io);
    l.io = io;
    if (w->json) {
        put_name(w, "devices");
        printf("[");
    }
    layout_each_backend(h->store, domid, show_device, &l);
    if (w->json)
        printf("]");
    free(io);
}

/* ---- its counters ---- */

static void show_histogram(const struct rs_hypercall_stats *c)
{
    const char *comma = "";

    printf("\"histogram\":[");
    for (unsigned int i = 0; i < RS_HISTOGRAM; i++) {
        uint64_t limit = histogram_limit(i);

        if (c->histogram[i] == 0)
            continue;
        if (limit != 0)
            printf("%s{\"below_ns\":%llu,", comma, (unsigned long long)limit);
        else
            printf("%s{\"below_ns\":null,", comma);
        printf("\"calls\":%llu}", (unsigned long long)c->histogram[i]);
        comma = ",";
    }
    printf("]");
}

static void show_calls_json(const struct rs_hypercall_stats *c, bool first)
{
    struct writer w = { .json = true };

    printf(first ? "" : ",");
    open_object(&w);
    put_string(&w, "name", c->name);
    put_number(&w, "calls", c->calls);
    put_number(&w, "batched", c->batched);
    put_number(&w, "failed", c->failed);
    put_number(&w, "total_ns", c->total_ns);
    put_number(&w, "mean_ns", c->calls != 0 ? c->total_ns / c->calls : 0);
    put_number(&w, "p50_ns", histogram_quantile(c->histogram, 500));
    put_number(&w, "p99_ns", histogram_quantile(c->histogram, 990));
    printf(",");
    show_histogram(c);
    close_object(&w);
}

static void show_calls(const struct rs_hypercall_stats *c)
{
    char mean[24], p50[24], p99[24];

    printf("  %-20s : %llu", c->name, (unsigned long long)c->calls);
    if (c->batched != 0)
        printf(" and %llu in multicalls", (unsigned long long)c->batched);
    if (c->failed != 0)
        printf(", %llu failed", (unsigned long long)c->failed);
    if (c->calls != 0)
        printf(", mean %s, p50 %s, p99 %s",
               format_duration(c->total_ns / c->calls, mean, sizeof(mean)),
               format_duration(histogram_quantile(c->histogram, 500), p50,
                               sizeof(p50)),
               format_duration(histogram_quantile(c->histogram, 990), p99,
                               sizeof(p99)));
    printf("\n");
}

/* What the guest says of itself; so the name says whose word it is. */
static void show_guest_counts(struct writer *w, const struct rs_guest_counts *g)
{
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {
        { "event_sends", g->sends },
        { "event_unmasks", g->unmasks },
        { "upcalls", g->upcalls },
        { "blocks", g->blocks },
        { "polls", g->polls },
        { "timer_sets", g->timers },
        { "ticks", g->ticks },
        { "traps", g->traps },
        { "mapping_changes", g->changes },
    };
    const char *comma = "";

    put_name(w, "reported_by_guest");
    printf(w->json ? "{" : "");
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        printf(w->json ? "%s\"%s\":%llu" : "%s%s %llu", comma, counts[i].name,
               (unsigned long long)counts[i].value);
        comma = w->json ? "," : ", ";
    }
    printf(w->json ? "}" : "\n");
}

static void show_counters(const struct host *h, struct writer *w,
                          unsigned int domid)
{
    struct rs_client_stats s;

    if (rs_client_domain_stats(h->client, (uint16_t)domid, &s) != 0)
        return; /* it has just gone */
    if (w->json) {
        put_name(w, "hypercall_counters");
        printf("[");
    }
    for (unsigned int i = 0; i < s.nr_calls; i++) {
        if (w->json)
            show_calls_json(&s.calls[i], i == 0);
        else
            show_calls(&s.calls[i]);
    }
    printf(w->json ? "]" : "");
    if (domid > RS_DOMID_DRIVER)
        show_guest_counts(w, &s.guest);
}

static void show_end(struct writer *w, const struct rs_domain_info *d)
{
    if (d->state != RS_DOMAIN_SHUTDOWN)
        return;
    put_string(w, "shutdown_reason", reason_name(d->shutdown_reason));
    put_number(w, "exit_status", d->exit_status);
    if (d->crash[0] != '\0')
        put_string(w, "crash", d->crash);
}

static int show_domain(const struct host *h, struct writer *w,
                       const char *domain)
{
    struct rs_domain_info d;
    char tty[64];

    if (domain_find(h, domain, &d) != 0)
        return EXIT_FAILURE;
    open_object(w);
    put_string(w, "name", d.name);
    put_number(w, "domid", d.domid);
    put_string(w, "state", state_name(&d));
    show_end(w, &d);
    put_number(w, "memory_kib", d.memory_kib);
    put_number(w, "vcpus", d.vcpus);
    put_number(w, "cpu_ns", d.cpu_ns);
    put_string(w, "mode", d.flags & RS_DOMAIN_TRAP ? "trap" : "pv");
    put_string(w, "hypercall", d.flags & RS_DOMAIN_POLLED ? "polled" : "trap");
    put_number(w, "hypercalls", d.hypercalls);
    if (d.flags & RS_DOMAIN_POLLED)
        put_number(w, "polled_calls", d.polled_calls);
    if (d.flags & RS_DOMAIN_TRAP)
        put_number(w, "traps", d.traps);
    show_counters(h, w, d.domid);
    put_number(w, "create_to_main_ns",
               d.started_ns > d.created_ns ? d.started_ns - d.created_ns : 0);
    put_number(w, "event_channels", d.ports);
    put_number(w, "grants_mapped", d.grants_mapped);
    put_number(w, "pid", d.pid);
    if (layout_console(h->store, d.domid, tty, sizeof(tty)))
        put_string(w, "console", tty);
    show_devices(h, w, d.domid);
    close_object(w);
    return EXIT_SUCCESS;
}

/* ---- the verb ---- */

static int set_json(void *arg, int letter, const char *value)
{
    (void)letter;
    (void)value;
    ((struct writer *)arg)->json = true;
    return 0;
}

int verb_info(int argc, char **argv)
{
    static const char *const names[] = { "json" };
    static const struct option_spec spec = {
        .letters = "j",
        .names = names,
        .set = set_json,
        .max = 1,
    };
    struct writer w = { .json = false };
    struct host h;
    int rest, status;

    if (options_parse(argc, argv, &spec, &w, &rest) != 0 || host_open(&h) != 0)
        return EXIT_FAILURE;
    status = rest < argc ? show_domain(&h, &w, argv[rest]) : show_host(&h, &w);
    if (w.json && status == EXIT_SUCCESS)
        printf("\n");
    host_close(&h);
    return status;
}
