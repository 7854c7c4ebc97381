/*
 * Hypercalls by value: the argument's structs travel to the hypervisor and
 * come back, in as many messages as they need.
 */
#include <errno.h>

#include "internal.h"
#include "xen_compat.h"

/* One message: `count` structs, changed in place. */
static long call_once(struct rs_client *c, struct control_hypercall *out,
                      void *arg)
{
    struct control_hypercall in = { 0 };
    struct control_message m = CONTROL_MESSAGE(out, sizeof(*out));
    struct control_reply r = CONTROL_REPLY(&in, sizeof(in));

    m.body = r.body = arg;
    m.body_size = r.body_size = (size_t)out->size * out->count;
    long ret = control_exchange(c, CONTROL_HYPERCALL, &m, &r);
    if (ret >= 0 && in.port) {
        int err = ports_add(c, in.port, r.fds[0], r.fds[1]);
        if (err) {
            struct evtchn_close op = { .port = in.port };

            rs_client_hypercall(c, __HYPERVISOR_event_channel_op,
                                EVTCHNOP_close, &op, sizeof(op), 1);
            return err;
        }
    }
    return ret;
}

static long call_one(struct rs_client *c, struct control_hypercall *h,
                     void *arg)
{
    if (h->size > CONTROL_ARGS_MAX)
        return -E2BIG;
    h->count = 1;
    long ret = call_once(c, h, arg);

    if (!ret && h->nr == __HYPERVISOR_event_channel_op &&
        h->cmd == EVTCHNOP_close)
        ports_remove(c, ((const struct evtchn_close *)arg)->port);
    return ret;
}

long rs_client_hypercall(struct rs_client *c, unsigned int nr, unsigned int cmd,
                         void *arg, size_t size, unsigned int count)
{
    struct control_hypercall h = { .nr = nr, .cmd = cmd };
    unsigned int most = size ? CONTROL_ARGS_MAX / size : 0;

    h.size = size <= CONTROL_ARGS_MAX ? (uint32_t)size : UINT32_MAX;
    if (count == 1)
        return call_one(c, &h, arg);
    if (!most)
        return -EINVAL;
    for (unsigned int done = 0; done < count; done += h.count) {
        h.count = count - done < most ? count - done : most;
        long ret = call_once(c, &h, (char *)arg + done * size);

        if (ret < 0)
            return ret;
    }
    return 0;
}
