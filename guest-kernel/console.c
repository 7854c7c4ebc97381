/*
 * The console as descriptors 0, 1 and 2 see it, over the ring or over the
 * hypervisor's log. See console.h.
 */
#include "guest-kernel/console.h"

#include "guest-kernel/arch.h"
#include "guest-kernel/clock.h"
#include "guest-kernel/console_ring.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/upcall.h"

/* What a terminal's user types, as a Unix terminal takes it. */
#define CTRL_D 0x04 /* the end of the input */
#define CTRL_V 0x16 /* the next character is itself, whatever it is */

/*
 * A full ring is waited for: as long as somebody reads it; while nobody does
 * (the driver domain starts, or is started again), for this long per guest,
 * after which output goes to the log.
 */
#define GLANCE (10 * NS_PER_MS)

static bool have_ring;

/* Input that is out of the ring and not read yet. */
static struct {
    char text[256];
    size_t at, n;
} ahead;

void console_init(const struct start_info *si)
{
    have_ring = consfront_init(&console_primary.front, si) == 0;
}

/* Says on the log that a direction of the ring broke, or makes sense again. */
static void note(bool *was, bool is, const char *direction, const char *means)
{
    if (*was == is)
        return;
    *was = is;
    if (is)
        console_report("console: the backend's %s index cannot be: %s\n",
                       direction, means);
    else
        console_report("console: the backend's %s index makes sense again\n",
                       direction);
}

/* Looks at the backend's indices; true if we can write. */
static bool is_sane(struct console *c)
{
    if ((c->out_broken || c->in_broken) && !consfront_connected(&c->front))
        consfront_repair(&c->front);
    note(&c->in_broken, consfront_in_broken(&c->front), "input", "input waits");
    note(&c->out_broken, consfront_out_broken(&c->front), "output",
         "output goes to the log");
    return !c->out_broken;
}

/* True when the ring has room; false when it is hopeless. */
static bool wait_for_room(struct console *c)
{
    for (;;) {
        int err = wait_event(&c->front.changed,
                             consfront_room(&c->front) > 0 ||
                                 consfront_out_broken(&c->front),
                             clock_now() + GLANCE);

        if (!is_sane(c))
            return false;
        if (!err)
            return true;
        if (consfront_connected(&c->front))
            c->patience = CONSOLE_PATIENCE;
        else if (c->patience < GLANCE)
            return false;
        else
            c->patience -= GLANCE;
    }
}

size_t console_put(struct console *c, const char *s, size_t n)
{
    while (n && wait_for_room(c)) {
        size_t written = consfront_write(&c->front, s, n); /* 0: it broke */

        s += written;
        n -= written;
    }
    return n;
}

void console_write(const char *s, size_t n)
{
    size_t left = have_ring ? console_put(&console_primary, s, n) : n;

    if (left)
        arch_log(s + n - left, left);
}

/* Waits for input and takes it over from the ring. */
static void read_ahead(void)
{
    ahead.at = ahead.n = 0;
    do {
        is_sane(&console_primary);
        wait_event(&console_primary.front.changed,
                   consfront_available(&console_primary.front) > 0 ||
                       consfront_in_broken(&console_primary.front) !=
                           console_primary.in_broken,
                   NEVER);
        ahead.n = consfront_read(&console_primary.front, ahead.text,
                                 sizeof(ahead.text));
    } while (!ahead.n);
}

/* True at the end of the input; else one character of what was read ahead has
 * been stored, or has told how to take the next. */
static bool take_char(char *buf, size_t *got)
{
    static bool literal;
    char c = ahead.text[ahead.at++];

    if (!literal && c == CTRL_D)
        return true;
    if (!literal && c == CTRL_V) {
        literal = true;
        return false;
    }
    buf[(*got)++] = c == '\r' && !literal ? '\n' : c;
    literal = false;
    return false;
}

size_t console_read(char *buf, size_t n)
{
    size_t got = 0;

    while (have_ring && n && !got) {
        if (ahead.at == ahead.n)
            read_ahead();
        while (got < n && ahead.at < ahead.n) {
            if (!take_char(buf, &got))
                continue;
            if (got)
                ahead.at--; /* for the next call */
            return got;
        }
    }
    return got;
}

void console_finish(struct console *c)
{
    uint64_t deadline = clock_now() + CONSOLE_PATIENCE;

    while (consfront_unread(&c->front) && clock_now() < deadline &&
           consfront_connected(&c->front))
        wait_event(&c->front.changed, consfront_unread(&c->front) == 0,
                   clock_now() + GLANCE);
}

void console_flush(void)
{
    if (have_ring)
        console_finish(&console_primary);
}
