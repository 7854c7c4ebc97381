/*
 * A client of the store's socket that behaves badly; xenstore_hostile_client.sh
 * starts it.
 *
 *     xs_hostile SOCKET WHAT      0: the store took it as it should
 *
 * WHAT is a name of the table at the end; each is one kind of misbehaviour
 * and says on stderr what it did not expect.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/io/xs_wire.h>

#define PATIENCE_MS 20000

static struct sockaddr_un addr = { .sun_family = AF_UNIX };

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt,
                                                                ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

static int dial(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
        die("no connection: %s", strerror(errno));
    return fd;
}

/* A request as bytes. */
struct request {
    char bytes[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
    size_t len;
};

static struct request request(uint32_t type, const void *payload, size_t len)
{
    struct xsd_sockmsg hdr = { type, 7, 0, (uint32_t)len };
    struct request r = { .len = sizeof(hdr) + len };

    memcpy(r.bytes, &hdr, sizeof(hdr));
    memcpy(r.bytes + sizeof(hdr), payload, len);
    return r;
}
#define REQUEST(type, lit) request(type, lit, sizeof(lit) - 1)

/* Sends all of it; false if the store is gone. */
static bool say(int fd, const void *data, size_t len)
{
    const char *s = data;

    while (len) {
        ssize_t n = send(fd, s, len, MSG_NOSIGNAL);

        if (n < 0)
            return false;
        s += n;
        len -= (size_t)n;
    }
    return true;
}

/* Waits for exactly len bytes; false at the end of the stream. */
static bool hear(int fd, void *data, size_t len)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char *out = data;

    while (len) {
        ssize_t n;

        if (poll(&p, 1, PATIENCE_MS) != 1)
            die("the store says nothing");
        n = recv(fd, out, len, 0);
        if (n <= 0)
            return false;
        out += n;
        len -= (size_t)n;
    }
    return true;
}

static void expect_end(int fd, const char *after)
{
    char c;

    if (hear(fd, &c, 1))
        die("the store answers %s, and should have closed", after);
    close(fd);
}

/* A request that must be answered by that type. */
static void expect_reply(int fd, const struct request *r, uint32_t type)
{
    char payload[XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg hdr;

    if (!say(fd, r->bytes, r->len) || !hear(fd, &hdr, sizeof(hdr)) ||
        hdr.len > sizeof(payload) || !hear(fd, payload, hdr.len))
        die("no reply");
    if (hdr.type != type || hdr.req_id != 7)
        die("a reply of type %u and not %u", hdr.type, type);
}

/* What an honest client finds. */
static void serves(void)
{
    struct request w = REQUEST(XS_WRITE, "/hostile/x\0value");
    struct request r = REQUEST(XS_READ, "/hostile/x\0");
    struct request c = REQUEST(XS_CONTROL, "check\0");
    int fd = dial();

    expect_reply(fd, &w, XS_WRITE);
    expect_reply(fd, &r, XS_READ);
    expect_reply(fd, &c, XS_CONTROL);
    close(fd);
}

/* What the store says that it holds. */
static void report(void)
{
    struct request r = REQUEST(XS_CONTROL, "memreport\0");
    char text[XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg hdr;
    int fd = dial();

    if (!say(fd, r.bytes, r.len) || !hear(fd, &hdr, sizeof(hdr)) ||
        hdr.len > sizeof(text) || !hear(fd, text, hdr.len))
        die("no report");
    printf("%.*s", (int)hdr.len, text);
    close(fd);
}

/* ---- misbehaviour ---- */

/* Bytes without sense. */
static void garbage(void)
{
    static unsigned char buf[20000];

    srand(1);
    for (int i = 0; i < 300; i++) {
        int fd = dial();

        for (size_t j = 0; j < sizeof(buf); j++)
            buf[j] = (unsigned char)(rand() >> 8);
        if (i % 2) /* headers that can be taken for some */
            for (size_t j = 0; j + 16 < sizeof(buf); j += 64)
                memcpy(buf + j, (uint32_t[]){ j % 40, 1, j % 3, 48 }, 16);
        say(fd, buf, sizeof(buf) - (size_t)(rand() % 5000));
        close(fd);
    }
}

/* Lengths that no message has. */
static void lengths(void)
{
    static const uint32_t bad[] = { 4097,       65536,      0x7fffffff,
                                    0x80000000, 0xfffffff0, 0xffffffff };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct xsd_sockmsg hdr = { XS_READ, 7, 0, bad[i] };
        int fd = dial();

        say(fd, &hdr, sizeof(hdr));
        expect_end(fd, "a huge length");
    }
}

/* A payload that could mean something to every type. */
static struct request typical(uint32_t type)
{
    static const char *const payloads[] = { "/h/a\0001\0002\0", "5\0001\0001\0",
                                            "T\0" };
    static const size_t lens[] = { 9, 6, 2 };

    return request(type, payloads[type % 3], lens[type % 3]);
}

/* Ends at every byte of every request. */
static void cuts(void)
{
    for (uint32_t type = 0; type < 30; type++) {
        struct request r = typical(type);

        for (size_t n = 0; n <= r.len; n++) {
            int fd = dial();

            say(fd, r.bytes, n);
            close(fd);
        }
    }
}

/* One byte at a time is slow, and no mistake. */
static void drip(void)
{
    struct request r = REQUEST(XS_READ, "/hostile/x\0");
    struct request last = r;
    int fd = dial();

    for (size_t i = 0; i + 1 < r.len; i++) {
        if (!say(fd, r.bytes + i, 1))
            die("the store closes in the middle of a message");
        usleep(100);
    }
    last.bytes[0] = r.bytes[r.len - 1];
    last.len = 1;
    expect_reply(fd, &last, XS_READ);
    close(fd);
}

/* Many at once, each with half a message, and all of them answered. */
static void crowd(void)
{
    struct request r = REQUEST(XS_READ, "/hostile/x\0");
    int fd[400];

    for (int wave = 0; wave < 10; wave++) {
        for (int i = 0; i < 400; i++) {
            fd[i] = dial();
            say(fd[i], r.bytes, (size_t)i % r.len);
        }
        serves();
        for (int i = 0; i < 400; i++) {
            struct request rest = { .len = r.len - (size_t)i % r.len };

            memcpy(rest.bytes, r.bytes + (size_t)i % r.len, rest.len);
            if (i % 2)
                expect_reply(fd[i], &rest, XS_READ);
            close(fd[i]);
        }
    }
}

/* As much as the store takes from one who reads nothing. */
static size_t pour(int fd, const struct request *r, size_t max)
{
    size_t n = 0;

    while (n < max) {
        ssize_t did = send(fd, r->bytes, r->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        struct pollfd p = { .fd = fd, .events = POLLOUT };

        if (did == (ssize_t)r->len)
            n += r->len;
        else if (did >= 0 || errno != EAGAIN || poll(&p, 1, 300) != 1)
            break;
    }
    return n;
}

/* Requests whose replies are never read: the store stops listening. */
static void deaf(void)
{
    struct request big, r = REQUEST(XS_READ, "/hostile/big\0");
    char value[XENSTORE_PAYLOAD_MAX] = "/hostile/big";
    int fd[8], one = dial();

    memset(value + 13, 'v', 4000);
    big = request(XS_WRITE, value, 13 + 4000);
    expect_reply(one, &big, XS_WRITE);
    close(one);
    for (int i = 0; i < 8; i++) {
        fd[i] = dial();
        if (pour(fd[i], &r, 16u << 20) >= 16u << 20)
            die("the store takes requests without end");
    }
    serves();
    for (int i = 0; i < 8; i++)
        close(fd[i]);
}

#define TOKENS 100

/* Watches with long tokens, so that few writes make many bytes of events. */
static void watch_much(int fd)
{
    char payload[1100] = "/hostile/w";

    memset(payload + 11, 't', 1000);
    for (int i = 0; i < TOKENS; i++) {
        struct request w;

        sprintf(payload + 11, "%05d", i);
        payload[16] = 't';
        w = request(XS_WATCH, payload, 11 + 1000 + 1);
        /* It hears "OK" and the first event, and from then on nothing. */
        if (!say(fd, w.bytes, w.len) ||
            !hear(fd, w.bytes, 16 + 3 + 16 + 11 + 1000 + 1))
            die("no watch");
    }
}

/* Events that are never read: in the end the store gives up on their reader. */
static void watcher(void)
{
    char payload[XENSTORE_ABS_PATH_MAX] = "/hostile/w/";
    struct request r = REQUEST(XS_RM, "/hostile/w\0");
    int deaf_fd = dial(), fd = dial();
    size_t len = 2800;

    watch_much(deaf_fd);
    memset(payload + 11, 'p', len - 11);
    for (int i = 0; i < 100; i++) { /* 38 MB of events */
        struct request w;

        sprintf(payload + len - 6, "%05d", i);
        w = request(XS_WRITE, payload, len);
        expect_reply(fd, &w, XS_WRITE);
    }
    expect_reply(fd, &r, XS_RM);
    while (hear(deaf_fd, payload, 1000))
        ;
    close(deaf_fd);
    close(fd);
}

/* Transactions and watches that nobody ends. */
static void leaver(void)
{
    for (int i = 0; i < 100; i++) {
        struct request s = REQUEST(XS_TRANSACTION_START, "\0");
        struct request w = REQUEST(XS_WRITE, "/hostile/t/a\0in it");
        int fd = dial();

        for (uint32_t j = 1; j <= 10; j++) {
            expect_reply(fd, &s, XS_TRANSACTION_START);
            memcpy(w.bytes + offsetof(struct xsd_sockmsg, tx_id), &j,
                   sizeof(j));
            expect_reply(fd, &w, XS_WRITE);
        }
        for (int j = 0; j < 10; j++) {
            struct request watch;
            char payload[32];

            sprintf(payload, "/hostile/%03d%ct", j, 0);
            watch = request(XS_WATCH, payload, 15);
            say(fd, watch.bytes, watch.len);
        }
        close(fd);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} kinds[] = {
    { "serves", serves }, { "garbage", garbage }, { "lengths", lengths },
    { "cuts", cuts },     { "drip", drip },       { "crowd", crowd },
    { "deaf", deaf },     { "watcher", watcher }, { "leaver", leaver },
    { "report", report },
};

int main(int argc, char **argv)
{
    if (argc != 3 || strlen(argv[1]) >= sizeof(addr.sun_path))
        die("xs_hostile SOCKET WHAT");
    strcpy(addr.sun_path, argv[1]);
    alarm(180);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!strcmp(kinds[i].name, argv[2])) {
            kinds[i].run();
            return 0;
        }
    }
    die("there is no '%s'", argv[2]);
}
