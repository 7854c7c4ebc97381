/*
 * What a tool asks about domains and does to them; each is one exchange.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

/* An exchange that carries one struct there and at most one back. */
static long ask(struct rs_client *c, enum control_type type, const void *out,
                size_t out_size, void *in, size_t in_size)
{
    struct control_message m = CONTROL_MESSAGE(out, out_size);
    struct control_reply r = CONTROL_REPLY(in, in_size);
    long ret = control_exchange(c, type, &m, &r);

    return ret >= 0 && r.size != in_size ? -EPROTO : ret;
}

static void take_info(struct hypercall_info *out,
                      const struct control_domain_info *i)
{
    *out = (struct hypercall_info){
        .domid = i->domid,
        .state = i->state,
        .shutdown_reason = i->shutdown_reason,
        .exit_status = i->exit_status,
        .memory_kib = i->memory_kib,
        .cpu_ns = i->cpu_ns,
        .hypercalls = i->hypercalls,
        .ring_calls = i->ring_calls,
        .traps = i->traps,
        .created_ns = i->created_ns,
        .main_ns = i->started_ns,
        .ports = i->ports,
        .grants_mapped = i->grants_mapped,
        .pid = i->pid,
        .vcpus = i->vcpus,
        .flags = (i->flags & CONTROL_CREATE_RING ? HYPERCALL_CREATE_RING : 0) |
                 (i->flags & CONTROL_CREATE_TRAP ? HYPERCALL_CREATE_TRAP : 0),
    };
    _Static_assert(sizeof(out->name) == sizeof(i->name), "name");
    _Static_assert(sizeof(out->crash) == sizeof(i->crash), "crash");
    memcpy(out->name, i->name, sizeof(out->name) - 1);
    memcpy(out->crash, i->crash, sizeof(out->crash) - 1);
}

int rs_client_domain_info(struct rs_client *c, uint16_t domid,
                          struct hypercall_info *out)
{
    struct control_domain d = { .domid = domid };
    struct control_domain_info info;
    long err = ask(c, CONTROL_INFO, &d, sizeof(d), &info, sizeof(info));

    if (!err)
        take_info(out, &info);
    return err;
}

int rs_client_domain_list(struct rs_client *c, struct hypercall_info *out,
                          unsigned int max)
{
    struct control_domain_info infos[CONTROL_LIST_MAX];
    struct control_domain d = { 0 };
    unsigned int count = 0;

    while (count < max) {
        struct control_message m = CONTROL_MESSAGE(&d, sizeof(d));
        struct control_reply r = CONTROL_REPLY(infos, sizeof(infos));

        d.max = max - count < CONTROL_LIST_MAX ? max - count : CONTROL_LIST_MAX;
        long n = control_exchange(c, CONTROL_LIST, &m, &r);
        if (n < 0)
            return n;
        if (n > d.max || r.size != n * sizeof(infos[0]))
            return -EPROTO;
        for (long i = 0; i < n; i++)
            take_info(&out[count++], &infos[i]);
        if (n < d.max)
            break;
        d.domid = out[count - 1].domid + 1;
    }
    return count;
}

int rs_client_domain_stats(struct rs_client *c, uint16_t domid,
                           struct hypercall_stats *out)
{
    struct control_calls calls[CONTROL_CALLS_MAX];
    struct control_domain d = { .domid = domid };
    struct control_stats stats = { 0 };
    struct control_message m = CONTROL_MESSAGE(&d, sizeof(d));
    struct control_reply r = CONTROL_REPLY(&stats, sizeof(stats));

    r.body = calls;
    r.body_size = sizeof(calls);
    long err = control_exchange(c, CONTROL_STATS, &m, &r);
    if (err)
        return err;
    if (stats.calls > CONTROL_CALLS_MAX ||
        r.size != sizeof(stats) + stats.calls * sizeof(calls[0]))
        return -EPROTO;
    _Static_assert(sizeof(out->guest) == sizeof(stats.guest) &&
                       sizeof(out->calls) == sizeof(calls),
                   "as on the wire");
    memset(out, 0, sizeof(*out));
    memcpy(&out->guest, &stats.guest, sizeof(out->guest));
    memcpy(out->calls, calls, stats.calls * sizeof(calls[0]));
    out->nr_calls = stats.calls;
    for (unsigned int i = 0; i < out->nr_calls; i++)
        out->calls[i].name[sizeof(out->calls[i].name) - 1] = '\0';
    return 0;
}

int rs_client_vcpu_list(struct rs_client *c, uint16_t domid,
                        struct hypercall_vcpu_info out[HYPERCALL_VCPUS_MAX])
{
    struct control_vcpu in[HYPERCALL_VCPUS_MAX];
    struct control_domain d = { .domid = domid };
    struct control_message m = CONTROL_MESSAGE(&d, sizeof(d));
    struct control_reply r = CONTROL_REPLY(in, sizeof(in));
    long n = control_exchange(c, CONTROL_VCPUS, &m, &r);

    if (n < 0)
        return n;
    if (n > HYPERCALL_VCPUS_MAX || r.size != n * sizeof(in[0]))
        return -EPROTO;
    for (long i = 0; i < n; i++)
        out[i] = (struct hypercall_vcpu_info){ .id = in[i].id,
                                               .state = in[i].state,
                                               .cpu = in[i].cpu,
                                               .cpu_ns = in[i].cpu_ns,
                                               .stolen_ns = in[i].stolen_ns,
                                               .cpus = in[i].cpus };
    return n;
}

int rs_client_vcpu_pin(struct rs_client *c, uint16_t domid, unsigned int vcpu,
                       uint64_t cpus)
{
    struct control_vcpu_pin p = { .domid = domid, .vcpu = vcpu, .cpus = cpus };

    return ask(c, CONTROL_VCPU_PIN, &p, sizeof(p), NULL, 0);
}

static int act_on(struct rs_client *c, enum control_type type, uint16_t domid)
{
    struct control_domain d = { .domid = domid };

    return ask(c, type, &d, sizeof(d), NULL, 0);
}

int rs_client_domain_pause(struct rs_client *c, uint16_t domid)
{
    return act_on(c, CONTROL_PAUSE, domid);
}

int rs_client_domain_unpause(struct rs_client *c, uint16_t domid)
{
    return act_on(c, CONTROL_UNPAUSE, domid);
}

int rs_client_domain_destroy(struct rs_client *c, uint16_t domid)
{
    return act_on(c, CONTROL_DESTROY, domid);
}

int rs_client_host_info(struct rs_client *c, struct hypercall_host_info *out)
{
    struct control_host_info info;
    long err = ask(c, CONTROL_HOST_INFO, NULL, 0, &info, sizeof(info));

    if (err)
        return err;
    *out = (struct hypercall_host_info){
        .pid = info.pid,
        .domains = info.domains,
        .cpus = info.cpus,
        .engine_flags = info.flags,
        .memory_kib = info.memory_kib,
        .memory_free_kib = info.memory_free_kib,
        .uptime_ns = info.uptime_ns,
    };
    memcpy(out->engine, info.engine, sizeof(out->engine) - 1);
    memcpy(out->version, info.version, sizeof(out->version) - 1);
    return 0;
}
