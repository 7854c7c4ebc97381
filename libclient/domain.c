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

/* Strings of the hypervisor end inside of their fields. */
static void end_strings(struct rs_domain_info *i)
{
    i->name[sizeof(i->name) - 1] = '\0';
    i->crash[sizeof(i->crash) - 1] = '\0';
}

int rs_client_domain_info(struct rs_client *c, uint16_t domid,
                          struct rs_domain_info *out)
{
    struct control_domain d = { .domid = domid };
    long err = ask(c, CONTROL_INFO, &d, sizeof(d), out, sizeof(*out));

    if (!err)
        end_strings(out);
    return err;
}

int rs_client_domain_list(struct rs_client *c, struct rs_domain_info *out,
                          unsigned int max)
{
    struct control_domain d = { 0 };
    unsigned int count = 0;

    while (count < max) {
        d.max = max - count < CONTROL_LIST_MAX ? max - count : CONTROL_LIST_MAX;
        struct control_message m = CONTROL_MESSAGE(&d, sizeof(d));
        struct control_reply r =
            CONTROL_REPLY(out + count, d.max * sizeof(*out));

        long n = control_exchange(c, CONTROL_LIST, &m, &r);
        if (n < 0)
            return n;
        if (n > d.max || r.size != n * sizeof(*out))
            return -EPROTO;
        for (long i = 0; i < n; i++)
            end_strings(&out[count++]);
        if (n < d.max)
            break;
        d.domid = out[count - 1].domid + 1;
    }
    return count;
}

int rs_client_domain_stats(struct rs_client *c, uint16_t domid,
                           struct rs_client_stats *out)
{
    struct control_domain d = { .domid = domid };
    struct control_stats stats = { 0 };
    struct control_message m = CONTROL_MESSAGE(&d, sizeof(d));
    struct control_reply r = CONTROL_REPLY(&stats, sizeof(stats));

    _Static_assert(RS_CLIENT_CALLS_MAX == CONTROL_CALLS_MAX, "a whole reply");
    memset(out, 0, sizeof(*out));
    r.body = out->calls;
    r.body_size = sizeof(out->calls);
    long err = control_exchange(c, CONTROL_STATS, &m, &r);
    if (err)
        return err;
    if (stats.calls > CONTROL_CALLS_MAX ||
        r.size != sizeof(stats) + stats.calls * sizeof(out->calls[0]))
        return -EPROTO;
    out->guest = stats.guest;
    out->nr_calls = stats.calls;
    for (unsigned int i = 0; i < out->nr_calls; i++)
        out->calls[i].name[sizeof(out->calls[i].name) - 1] = '\0';
    return 0;
}

int rs_client_vcpu_list(struct rs_client *c, uint16_t domid,
                        struct rs_vcpu_info out[RS_VCPUS_MAX])
{
    struct control_domain d = { .domid = domid };
    struct control_message m = CONTROL_MESSAGE(&d, sizeof(d));
    struct control_reply r = CONTROL_REPLY(out, RS_VCPUS_MAX * sizeof(*out));
    long n = control_exchange(c, CONTROL_VCPUS, &m, &r);

    if (n < 0)
        return n;
    return n > RS_VCPUS_MAX || r.size != n * sizeof(*out) ? -EPROTO : n;
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

int rs_client_host_info(struct rs_client *c, struct rs_host_info *out)
{
    long err = ask(c, CONTROL_HOST_INFO, NULL, 0, out, sizeof(*out));

    if (err)
        return err;
    out->engine[sizeof(out->engine) - 1] = '\0';
    out->version[sizeof(out->version) - 1] = '\0';
    return 0;
}
