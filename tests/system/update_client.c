/*
 * Clients of the live update's test. Each works until the file STOP exists,
 * and prints one line: what it did, or what went wrong.
 *
 *   count STOP PATH      writes numbers, reads each again
 *   sequence STOP PATH   makes PATH/1, PATH/2, ..., then PATH/end
 *   follow PATH          watches that: each event once and in order
 *   txn STOP PATH        a transaction that is open until then
 *   half STOP PATH       reads PATH, and until then has sent half of that
 *   unread STOP PATH     asks very often, and reads no answer until then
 *   last PID PATH        writes PATH/0, PATH/1, ... and garbage at once; kills
 *                        PID at the first answer, and prints how many came
 *   control ARGUMENT...  CONTROL, as xenstore-control does it
 *   update [-c ARGUMENTS] [-F] [-t SECONDS] FILE   likewise, its live-update
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xenstore.h>

#include <xen/io/xs_wire.h>

#define LIFE_S 100 /* nobody outlives the test */

static const char *stop_file;

static int failed(const char *what)
{
    printf("%s: %s\n", what, strerror(errno));
    return 1;
}

static bool stopped(void)
{
    return access(stop_file, F_OK) == 0;
}

static void await_stop(void)
{
    while (!stopped())
        usleep(10000);
}

static bool put(struct xs_handle *xs, xs_transaction_t t, const char *path,
                const char *value)
{
    return xs_write(xs, t, path, value, (unsigned int)strlen(value));
}

static bool holds(struct xs_handle *xs, const char *path, const char *want)
{
    unsigned int len;
    char *value = xs_read(xs, XBT_NULL, path, &len);
    bool same = value && !strcmp(value, want);

    if (!same)
        printf("%s is '%s', not '%s'\n", path, value ? value : "", want);
    free(value);
    return same;
}

static int count(struct xs_handle *xs, char **arg)
{
    unsigned long n = 0;
    char value[24];

    while (!stopped()) {
        snprintf(value, sizeof(value), "%lu", ++n);
        if (!put(xs, XBT_NULL, arg[0], value))
            return failed("write");
        if (!holds(xs, arg[0], value))
            return 1;
    }
    printf("%s\n", n > 100 ? "good" : "too few");
    return 0;
}

static int sequence(struct xs_handle *xs, char **arg)
{
    unsigned long n = 0;
    char path[256];

    while (!stopped()) {
        snprintf(path, sizeof(path), "%s/%lu", arg[0], ++n);
        if (!put(xs, XBT_NULL, path, ""))
            return failed("write");
        usleep(200); /* whoever follows is slower */
    }
    snprintf(path, sizeof(path), "%s/end", arg[0]);
    if (!put(xs, XBT_NULL, path, ""))
        return failed("end");
    printf("%s\n", n > 100 ? "good" : "too few");
    return 0;
}

static int follow(struct xs_handle *xs, char **arg)
{
    size_t len = strlen(arg[0]);
    unsigned int fields;
    unsigned long n = 0;
    char want[256], **event;

    if (!xs_watch(xs, arg[0], "t"))
        return failed("watch");
    while ((event = xs_read_watch(xs, &fields))) {
        const char *path = event[XS_WATCH_PATH];

        if (!strcmp(path + len, "/end")) {
            free(event);
            printf("%s\n", n > 100 ? "good" : "too few");
            return 0;
        }
        snprintf(want, sizeof(want), "%s/%lu", arg[0], ++n);
        if (n == 1 && !strcmp(path, arg[0])) {
            n = 0; /* the first of a watch */
        } else if (strcmp(path, want)) {
            printf("%s came, not %s\n", path, want);
            return 1;
        }
        free(event);
    }
    return failed("events");
}

static int txn(struct xs_handle *xs, char **arg)
{
    xs_transaction_t t = xs_transaction_start(xs);
    unsigned int len;
    char *value;

    if (!t || !put(xs, t, arg[0], "v"))
        return failed("transaction");
    printf("open\n");
    fflush(stdout);
    await_stop();
    if (!put(xs, t, arg[0], "w"))
        return failed("write inside");
    value = xs_read(xs, t, arg[0], &len);
    if (!value)
        return failed("read inside");
    free(value);
    if (!xs_transaction_end(xs, t, false))
        return failed("end");
    printf("committed\n");
    return 0;
}

/* ---- without the library ---- */

static int raw_connect(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", getenv("XENSTORED_PATH"));
    return connect(fd, (struct sockaddr *)&a, sizeof(a)) ? -1 : fd;
}

static size_t raw_read(char *buf, const char *path, uint32_t id)
{
    struct xsd_sockmsg hdr = { XS_READ, id, 0, (uint32_t)strlen(path) + 1 };

    memcpy(buf, &hdr, sizeof(hdr));
    memcpy(buf + sizeof(hdr), path, hdr.len);
    return sizeof(hdr) + hdr.len;
}

static bool receive(int fd, void *to, size_t len)
{
    for (ssize_t n; len; to = (char *)to + n, len -= (size_t)n) {
        n = recv(fd, to, len, 0);
        if (n <= 0)
            return false;
    }
    return true;
}

/* The answer to request `id` is a value of `len` bytes. */
static bool raw_answer(int fd, uint32_t id, uint32_t *len)
{
    struct xsd_sockmsg hdr;
    char value[XENSTORE_PAYLOAD_MAX];

    if (!receive(fd, &hdr, sizeof(hdr)) || hdr.type == XS_ERROR ||
        hdr.req_id != id || hdr.len > sizeof(value))
        return false;
    *len = hdr.len;
    return receive(fd, value, hdr.len);
}

static int half(struct xs_handle *xs, char **arg)
{
    char buf[512];
    size_t len = raw_read(buf, arg[0], 7);
    int fd = raw_connect();
    uint32_t n;

    (void)xs;
    if (fd < 0 || send(fd, buf, len / 2, 0) != (ssize_t)(len / 2))
        return failed("send");
    await_stop();
    if (send(fd, buf + len / 2, len - len / 2, 0) < 0)
        return failed("the other half");
    printf("%s\n", raw_answer(fd, 7, &n) ? "good" : "no answer");
    return 0;
}

/* Until the daemon's queue, and then the socket to it, are full. */
static int unread(struct xs_handle *xs, char **arg)
{
    char buf[512];
    uint32_t sent = 0, n = 0;
    int fd = raw_connect();

    (void)xs;
    if (fd < 0)
        return failed("connect");
    for (;;) {
        size_t len = raw_read(buf, arg[0], sent), done = 0;
        struct pollfd p = { .fd = fd, .events = POLLOUT };

        if (poll(&p, 1, 500) != 1)
            break;
        while (done < len) { /* never half of one: that is tried elsewhere */
            ssize_t k = send(fd, buf + done, len - done, 0);

            if (k < 0)
                return failed("send");
            done += (size_t)k;
        }
        sent++;
        if (sent == 200000)
            break;
    }
    await_stop();
    for (uint32_t i = 0; i < sent; i++) {
        if (!raw_answer(fd, i, &n)) {
            printf("answer %u of %u is missing\n", i, sent);
            return 1;
        }
    }
    printf("%s\n", sent > 100 && n ? "good" : "too few");
    return 0;
}

#define LAST_WRITES 60
#define LAST_VALUE  900

/* Writes, then a header that ends the connection. */
static int last(struct xs_handle *xs, char **arg)
{
    static char buf[LAST_WRITES * (LAST_VALUE + 400)];
    struct xsd_sockmsg hdr = { .type = XS_WRITE };
    size_t len = 0;
    uint32_t told = 0, n;
    int fd = raw_connect();

    (void)xs;
    for (; hdr.req_id < LAST_WRITES; hdr.req_id++) {
        char *payload = buf + len + sizeof(hdr);
        int path = snprintf(payload, 256, "%s/%u", arg[0], hdr.req_id) + 1;

        memset(payload + path, 'x', LAST_VALUE);
        hdr.len = (uint32_t)path + LAST_VALUE;
        memcpy(buf + len, &hdr, sizeof(hdr));
        len += sizeof(hdr) + hdr.len;
    }
    hdr.len = UINT32_MAX;
    memcpy(buf + len, &hdr, sizeof(hdr));
    len += sizeof(hdr);
    if (fd < 0 || send(fd, buf, len, 0) != (ssize_t)len)
        return failed("send");
    while (told < LAST_WRITES && raw_answer(fd, told, &n))
        if (told++ == 0)
            kill(atoi(stop_file), SIGKILL);
    printf("%u\n", told);
    return 0;
}

/* One CONTROL of strings; the answer is good until the next. */
static const char *ask(struct xs_handle *xs, char *const *arg, int n)
{
    static char *answer;
    char line[1024] = "";
    size_t len = 0;

    for (int i = 1; i < n && len < sizeof(line) - 256; i++)
        len += (size_t)snprintf(line + len, 256, "%s", arg[i]) + 1;
    free(answer);
    answer = xs_control_command(xs, arg[0], line, (unsigned int)len);
    return answer ? answer : strerror(errno);
}

static int control(struct xs_handle *xs, char **arg, int n)
{
    puts(ask(xs, arg, n));
    return 0;
}

static bool ask_ok(struct xs_handle *xs, char *const *arg, int n)
{
    const char *answer = ask(xs, arg, n);
    bool ok = !strcmp(answer, "OK");

    if (!ok)
        puts(answer);
    return ok;
}

static int update(struct xs_handle *xs, char **arg, int n)
{
    char *name[] = { "live-update", "-f", arg[n - 1] };
    char *arguments[] = { "live-update", "-c", NULL };
    char *start[] = { "live-update", "-s", "-t", "60", "-F" };
    bool force = false;

    for (int i = 0; i < n - 1; i++) {
        if (!strcmp(arg[i], "-F"))
            force = true;
        else if (!strcmp(arg[i], "-c"))
            arguments[2] = arg[++i];
        else if (!strcmp(arg[i], "-t"))
            start[3] = arg[++i];
    }
    if (!ask_ok(xs, name, 3) || (arguments[2] && !ask_ok(xs, arguments, 3)) ||
        !ask_ok(xs, start, force ? 5 : 4))
        return 3;
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(struct xs_handle *xs, char **arg);
        bool stops, raw;
    } modes[] = {
        { "count", count, true, false },
        { "sequence", sequence, true, false },
        { "follow", follow, false, false },
        { "txn", txn, true, false },
        { "half", half, true, true },
        { "unread", unread, true, true },
        { "last", last, true, true },
    };

    alarm(LIFE_S);
    if (argc > 2 && !strcmp(argv[1], "control"))
        return control(xs_open(0), argv + 2, argc - 2);
    if (argc > 2 && !strcmp(argv[1], "update"))
        return update(xs_open(0), argv + 2, argc - 2);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct xs_handle *xs;

        if (argc != 3 + modes[i].stops || strcmp(argv[1], modes[i].name))
            continue;
        stop_file = argv[2];
        xs = modes[i].raw ? NULL : xs_open(0);
        if (!xs && !modes[i].raw)
            return failed("open");
        return modes[i].run(xs, argv + 2 + modes[i].stops);
    }
    fprintf(stderr, "update_client: no such mode\n");
    return 2;
}
