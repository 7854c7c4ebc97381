/*
 * What the toolstack asks: domains created, listed, stopped, ended.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build/builder.h"
#include "console.h"
#include "measure.h"

/* ---- the host ---- */

long control_host_info(struct request *rq)
{
    struct rs_host_info *i = rq->reply;

    host_fill_info(rq->host, i);
    rq->reply_size = sizeof(*i);
    return 0;
}

/* ---- information ---- */

static struct domain *domain_of(const struct request *rq, uint32_t domid)
{
    return domid < DOMID_FIRST_RESERVED ? host_domain(rq->host, (domid_t)domid)
                                        : NULL;
}

static struct domain *domain_asked(const struct request *rq)
{
    const struct control_domain *a = rq->payload;

    return domain_of(rq, a->domid);
}

long control_info(struct request *rq)
{
    struct domain *d = domain_asked(rq);

    if (!d)
        return -ESRCH;
    domain_fill_info(d, rq->reply);
    rq->reply_size = sizeof(struct rs_domain_info);
    return 0;
}

long control_list(struct request *rq)
{
    const struct control_domain *a = rq->payload;
    struct rs_domain_info *out = rq->reply;
    uint32_t max = a->max < CONTROL_LIST_MAX ? a->max : CONTROL_LIST_MAX;
    uint32_t n = 0;

    for (uint32_t id = a->domid; n < max && id < DOMID_FIRST_RESERVED; id++) {
        struct domain *d = host_domain(rq->host, (domid_t)id);

        if (d)
            domain_fill_info(d, &out[n++]);
    }
    rq->reply_size = n * (uint32_t)sizeof(*out);
    return n;
}

/* ---- vCPUs ---- */

static bool is_guest(const struct domain *d)
{
    return d && !d->dying && !d->is_process;
}

long control_vcpus(struct request *rq)
{
    struct domain *d = domain_asked(rq);
    struct rs_vcpu_info *out = rq->reply;

    if (!is_guest(d))
        return -ESRCH;
    for (unsigned int k = 0; k < d->nr_vcpus; k++)
        vcpu_fill_info(&d->vcpu[k], &out[k]);
    rq->reply_size = d->nr_vcpus * (uint32_t)sizeof(*out);
    return d->nr_vcpus;
}

long control_vcpu_pin(struct request *rq)
{
    const struct control_vcpu_pin *a = rq->payload;
    struct domain *d = domain_of(rq, a->domid);

    if (!is_guest(d))
        return -ESRCH;
    return vcpu_of(d, a->vcpu) ? vcpu_pin(&d->vcpu[a->vcpu], a->cpus) : -ENOENT;
}

/* ---- counters ---- */

long control_stats(struct request *rq)
{
    struct control_stats *out = rq->reply;
    struct domain *d = domain_asked(rq);

    _Static_assert(STATS_SLOTS <= CONTROL_CALLS_MAX, "they fit");
    if (!d)
        return -ESRCH;
    memset(out, 0, sizeof(*out));
    stats_guest_counts(d, &out->guest);
    out->calls = stats_fill(d, (void *)(out + 1), STATS_SLOTS);
    rq->reply_size = (uint32_t)(sizeof(*out) +
                                out->calls * sizeof(struct rs_hypercall_stats));
    return 0;
}

/* ---- running and ending ---- */

static long act_on(struct request *rq, void (*act)(struct domain *))
{
    struct domain *d = domain_asked(rq);

    if (!d || d->dying || d->is_process)
        return -ESRCH;
    act(d);
    return 0;
}

long control_pause(struct request *rq)
{
    return act_on(rq, domain_pause);
}

long control_unpause(struct request *rq)
{
    return act_on(rq, domain_unpause);
}

static void destroyed(struct domain_waiter *w)
{
    control_reply_later(container_of(w, struct client, waiter), 0);
}

/* The reply comes when all that the domain held is free again. */
long control_destroy(struct request *rq)
{
    struct domain *d = domain_asked(rq);

    if (!d || d->dying || d->is_process)
        return -ESRCH;
    rq->client->waiter.ended = destroyed;
    domain_await_end(d, &rq->client->waiter);
    domain_end(d);
    return CONTROL_LATER;
}

/* ---- creation ---- */

/*
 * Images come as memory files that nobody can change or shorten any more: to
 * read them can neither block nor fault, and what was checked is what is used.
 */
static int map_image(int fd, const void **image, size_t *size)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_WRITE;
    int have = fcntl(fd, F_GET_SEALS);
    struct stat st;
    void *p;

    if (have < 0 || (have & seals) != seals || fstat(fd, &st))
        return -EINVAL;
    *size = (size_t)st.st_size;
    if (!*size)
        return 0;
    p = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    *image = p;
    return 0;
}

static void unmap_image(const void *image, size_t size)
{
    if (image)
        munmap((void *)image, size);
}

static bool is_string(const char *s, size_t size)
{
    return memchr(s, '\0', size) != NULL;
}

static long fail(struct request *rq, long err, const char *why)
{
    struct control_created *out = rq->reply;

    memset(out, 0, sizeof(*out));
    snprintf(out->why, sizeof(out->why), "%s", why);
    rq->reply_size = sizeof(*out);
    return err;
}

/* Builds the domain; the sink goes over to it. */
static long build(struct request *rq, struct rs_domain_config *c)
{
    struct control_sink *sink = NULL;
    struct domain *d;
    int ret;

    if (rq->fds[2] >= 0) {
        sink = control_sink_new(rq->host, rq->fds[2]);
        rq->fds[2] = -1;
        if (!sink)
            return fail(rq, -ENOMEM, "no memory for the console");
    }
    ret = builder_create(rq->host, c);
    if (ret < 0) {
        control_sink_free(sink);
        return fail(rq, ret, rs_error());
    }
    d = host_domain(rq->host, (domid_t)ret);
    if (sink)
        console_show(d, &(struct console_output){ control_sink_write,
                                                  control_sink_free, sink });
    *(struct control_created *)rq->reply = (struct control_created){
        .domid = d->domid,
        .store_gfn = d->store_gfn,
        .store_port = d->store_port,
        .console_gfn = d->console_gfn,
        .console_port = d->console_port,
    };
    rq->reply_size = sizeof(struct control_created);
    return 0;
}

long control_create(struct request *rq)
{
    const struct control_create *c = rq->payload;
    struct rs_domain_config config = {
        .name = c->name[0] ? c->name : NULL,
        .cmdline = c->cmdline,
        .memory_kib = c->memory_kib,
        .vcpus = c->vcpus,
        .flags = c->flags,
    };
    long ret;

    if (rq->fds[0] < 0 || !is_string(c->name, sizeof(c->name)) ||
        !is_string(c->cmdline, sizeof(c->cmdline)))
        return CONTROL_DROP;
    ret = map_image(rq->fds[0], &config.kernel, &config.kernel_size);
    if (!ret && rq->fds[1] >= 0)
        ret = map_image(rq->fds[1], &config.module, &config.module_size);
    if (ret)
        ret = fail(rq, ret, "images must be sealed memory files");
    else
        ret = build(rq, &config);
    unmap_image(config.kernel, config.kernel_size);
    unmap_image(config.module, config.module_size);
    return ret;
}
