/*
 * A hostile guest's console: the input is what it does to its ring page, and
 * when, also in the middle of a call. The log must get what the ring held and
 * no more, input goes only where the guest had read, and a device that failed
 * touches the ring no more.
 *
 * Input: the four indices as the backend finds them (4 bytes each), then steps
 * of a byte and its arguments (step()).
 */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "consback.h"
#include "console_log.h"
#include "console_pty.h"
#include "fake_host.h"
#include "log_file.h"
#include "ring_poll.h"
#include "tests/fuzz/input.h"

static struct event_base *base;
static struct xencons_interface *ring;
static struct ring_poll *poller;
static bool failed;
static uint64_t now;

/* The terminal: how many bytes were typed, and who is told of them. */
static size_t typed;
static void (*on_input)(void *arg);
static void *on_input_arg;

/* What the guest adds to an index in the middle of the next call. */
static unsigned int meddle_index;
static int8_t meddle;

static XENCONS_RING_IDX *index_of(unsigned int i)
{
    XENCONS_RING_IDX *const all[] = { &ring->out_prod, &ring->out_cons,
                                      &ring->in_prod, &ring->in_cons };

    return all[i % 4];
}

static void guest_meddles(void)
{
    *index_of(meddle_index) += (XENCONS_RING_IDX)(int)meddle;
    meddle = 0;
}

/* ---- what consback.c sees of the rest ---- */

void ring_poll_init(struct poll_room *room, struct ring_poll *p)
{
    (void)room;
    poller = p;
    p->active = false;
}

int ring_poll_bind(struct ring_poll *p, int fd)
{
    (void)p;
    (void)fd;
    return 0;
}

void ring_poll_kick(struct ring_poll *p)
{
    demand(!failed);
    p->active = true;
}

void ring_poll_remove(struct ring_poll *p)
{
    p->active = false;
}

void dev_fail(struct xenbus_device *d, const char *fmt, ...)
{
    (void)fmt;
    d->failed = failed = true;
}

void dev_log(struct xenbus_device *d, const char *fmt, ...)
{
    (void)d;
    (void)fmt;
}

uint64_t driver_now(void)
{
    return now;
}

/* ---- the log: it is told the model's bytes ---- */

struct log_file {
    int unused;
};

int console_log_open(const char *dir, const char *name, size_t limit,
                     struct log_file **out)
{
    static struct log_file log;

    (void)dir;
    (void)name;
    (void)limit;
    *out = &log;
    return 0;
}

void log_file_close(struct log_file *log)
{
    (void)log;
}

void log_file_write(struct log_file *log, const char *buf, size_t n)
{
    (void)log;
    demand(!failed);
    demand(n > 0 && n <= sizeof(ring->out));
    for (size_t i = 0; i < n; i++) /* the ring holds this in each byte */
        demand(buf[i] == 'o');
    guest_meddles();
}

/* ---- the terminal ---- */

struct console_pty {
    int unused;
};

int console_pty_open(struct event_base *b, void (*fn)(void *arg), void *arg,
                     struct console_pty **out)
{
    static struct console_pty pty;

    (void)b;
    on_input = fn;
    on_input_arg = arg;
    *out = &pty;
    return 0;
}

void console_pty_close(struct console_pty *pty)
{
    (void)pty;
}

const char *console_pty_name(const struct console_pty *pty)
{
    (void)pty;
    return "/dev/pts/0";
}

void console_pty_write(struct console_pty *pty, const char *buf, size_t n)
{
    (void)pty;
    (void)buf;
    (void)n;
    guest_meddles();
}

size_t console_pty_read(struct console_pty *pty, char *buf, size_t n)
{
    (void)pty;
    demand(!failed);
    demand(n > 0 && n <= sizeof(ring->in));
    if (n > typed)
        n = typed;
    memset(buf, 'i', n);
    typed -= n;
    guest_meddles();
    return n;
}

/* ---- the guest ---- */

static void service(void)
{
    for (int turns = 0; turns < 64 && poller->active; turns++)
        if (!poller->service(poller, RING_POLL_QUANTUM) && poller->active &&
            !poller->arm(poller))
            poller->active = false;
}

static void step(void)
{
    unsigned int op = take(1);

    switch (op % 8) {
    case 0:
    case 1:
        *index_of(op / 8) += take(1) * (op & 64 ? 16u : 1u);
        break;
    case 2:
        *index_of(op / 8) -= take(1);
        break;
    case 3:
        *index_of(op / 8) = take(4);
        break;
    case 4:
        meddle_index = op / 8;
        meddle = (int8_t)take(1);
        break;
    case 5:
        typed += take(1) * 8;
        on_input(on_input_arg);
        break;
    case 6: /* time passes: the bucket fills, its timer fires */
        now += take(1) * 10000000ull;
        event_base_loop(base, EVLOOP_NONBLOCK);
        break;
    default:
        poller->active = !failed;
        service();
        break;
    }
}

/* Neither ring's bytes are anything but what its writer put there. */
static void check_page(void)
{
    for (size_t i = 0; i < sizeof(ring->out); i++)
        demand(ring->out[i] == 'o');
    for (size_t i = 0; i < sizeof(ring->in); i++)
        demand(ring->in[i] == 'i' || ring->in[i] == '-');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xenbus_device dev = { .frontend_id = 7 };
    struct driver driver = { .rundir = "/" };
    char path[] = "/console";

    input_begin(data, size);
    if (!base)
        base = event_base_new();
    fake_host_reset();
    ring = fake_page(0);
    memset(ring->out, 'o', sizeof(ring->out));
    memset(ring->in, '-', sizeof(ring->in));
    failed = false;
    typed = 0;
    meddle = 0;
    now = 1000000000;
    for (unsigned int i = 0; i < 4; i++)
        *index_of(i) = take(4);
    driver.base = base;
    driver.store = fake_store_new(base);
    fake_store_set(driver.store, "/console/port", "2");
    dev.frontend_path = path;
    dev.driver = &driver;
    demand(consback_ops.create(&dev) == 0);
    demand(consback_ops.connect(&dev) == 0);
    service();
    while (input_left) {
        step();
        check_page();
    }
    demand(consback_ops.disconnect(&dev) == 0);
    consback_ops.destroy(&dev);
    store_close(driver.store);
    demand(fake.maps == 0 && fake.bound == 0);
    return 0;
}
