/*
 * Socket calls that nobody should make: before the network has been started,
 * on what is no socket, of kinds that are not there, at the wrong time, and at
 * random. Each has an error of its own, and the guest goes on.
 *
 * run-guest: --memory 32
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <ringside/guest.h>
#include <ringside/net.h>
#include <stdint.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/guest/tap.h"

#define NOT_OPEN 77
#define CALLS    20000

static struct sockaddr_in loopback(unsigned int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

static bool failed(long ret, int err)
{
    return ret == -1 && errno == err;
}

/* ---- without a network ---- */

static bool slept(uint64_t since, unsigned int ms)
{
    return rs_now() - since >= ms * 1000000ull;
}

static void test_waiting(void)
{
    struct pollfd none = { .fd = -1, .events = POLLIN, .revents = 9 };
    struct pollfd closed = { .fd = NOT_OPEN, .events = POLLIN };
    struct pollfd out = { .fd = 1, .events = POLLOUT };
    struct timeval time = { .tv_usec = 10000 };
    uint64_t since = rs_now();
    fd_set set;

    point(poll(NULL, 0, 10) == 0 && slept(since, 10),
          "poll() of nothing waits");
    since = rs_now();
    point(poll(&none, 1, 10) == 0 && !none.revents && slept(since, 10),
          "poll() of descriptor -1 waits");
    point(poll(&closed, 1, 10) == 1 && closed.revents == POLLNVAL,
          "poll() of what is not open");
    point(poll(&out, 1, -1) == 1 && out.revents == POLLOUT, "poll() of a file");
    since = rs_now();
    point(select(0, NULL, NULL, NULL, &time) == 0 && slept(since, 10),
          "select() as a sleep");
    FD_ZERO(&set);
    FD_SET(NOT_OPEN, &set);
    point(failed(select(NOT_OPEN + 1, &set, NULL, NULL, &time), EBADF),
          "select() of what is not open");
    time = (struct timeval){ .tv_usec = -1 };
    point(failed(select(0, NULL, NULL, NULL, &time), EINVAL),
          "select() for less than no time");
    time = (struct timeval){ .tv_sec = -1 };
    point(failed(select(0, NULL, NULL, NULL, &time), EINVAL),
          "and for even less");
}

/* Each call on a descriptor that is no socket. */
static bool all_fail(int fd, int err)
{
    struct sockaddr_in a = loopback(7);
    struct sockaddr *name = (struct sockaddr *)&a;
    socklen_t len = sizeof(a);
    struct msghdr msg = { 0 };
    char buf[10] = "";
    int on = 1;

    return failed(accept(fd, NULL, NULL), err) &&
           failed(bind(fd, name, len), err) &&
           failed(connect(fd, name, len), err) && failed(listen(fd, 1), err) &&
           failed(shutdown(fd, SHUT_RD), err) &&
           failed(getpeername(fd, name, &len), err) &&
           failed(getsockname(fd, name, &len), err) &&
           failed(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, 4), err) &&
           failed(getsockopt(fd, SOL_SOCKET, SO_TYPE, &on, &len), err) &&
           failed(recv(fd, buf, 1, 0), err) &&
           failed(recvfrom(fd, buf, 1, 0, name, &len), err) &&
           failed(recvmsg(fd, &msg, 0), err) &&
           failed(send(fd, buf, 1, 0), err) &&
           failed(sendto(fd, buf, 1, 0, name, sizeof(a)), err) &&
           failed(sendmsg(fd, &msg, 0), err) &&
           failed(ioctlsocket(fd, FIONREAD, &on), err);
}

static void test_before_start(void)
{
    struct in_addr in;
    char text[20];

    test_waiting();
    point(all_fail(NOT_OPEN, EBADF) && all_fail(-1, EBADF) &&
              all_fail(1 << 30, EBADF),
          "calls on what is not open");
    point(all_fail(1, ENOTSOCK), "calls on what is no socket");
    freeaddrinfo(NULL);
    point(inet_pton(AF_INET, "10.1.2.3", &in) == 1 &&
              inet_ntop(AF_INET, &in, text, sizeof(text)) &&
              !strcmp(text, "10.1.2.3"),
          "addresses as text");
}

/* ---- kinds ---- */

static void test_kinds(void)
{
    int s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    int d = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);

    point(s >= 0 && d >= 0, "TCP and UDP by name");
    close(s);
    close(d);
    point(failed(socket(AF_INET6, SOCK_STREAM, 0), EAFNOSUPPORT) &&
              failed(socket(AF_UNSPEC, SOCK_DGRAM, 0), EAFNOSUPPORT) &&
              failed(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT),
          "other families are not there");
    point(failed(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), ESOCKTNOSUPPORT) &&
              failed(socket(AF_INET, 0, 0), ESOCKTNOSUPPORT) &&
              failed(socket(AF_INET, 77, 0), ESOCKTNOSUPPORT),
          "nor are other types");
    point(failed(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT) &&
              failed(socket(AF_INET, SOCK_DGRAM, 136), EPROTONOSUPPORT) &&
              failed(socket(AF_INET, SOCK_STREAM, -1), EPROTONOSUPPORT),
          "nor other protocols");
}

/* ---- the wrong time ---- */

static void make_pair(unsigned int port, int *a, int *b)
{
    struct sockaddr_in name = loopback(port);
    int l = socket(AF_INET, SOCK_STREAM, 0);

    bind(l, (struct sockaddr *)&name, sizeof(name));
    listen(l, 1);
    *a = socket(AF_INET, SOCK_STREAM, 0);
    connect(*a, (struct sockaddr *)&name, sizeof(name));
    *b = accept(l, NULL, NULL);
    close(l);
}

static void test_unconnected(void)
{
    struct sockaddr_in name = loopback(4321), got;
    struct sockaddr *to = (struct sockaddr *)&name;
    socklen_t len = sizeof(got);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    char buf[4];

    point(failed(recv(s, buf, 1, 0), ENOTCONN) &&
              failed(read(s, buf, 1), ENOTCONN),
          "nothing is received without a connection");
    point(failed(send(s, buf, 1, 0), EPIPE) && failed(write(s, buf, 1), EPIPE),
          "nothing is sent");
    point(failed(getpeername(s, (struct sockaddr *)&got, &len), ENOTCONN) &&
              failed(shutdown(s, SHUT_WR), ENOTCONN),
          "there is no peer");
    point(failed(bind(s, NULL, 16), EFAULT) && failed(bind(s, to, 8), EINVAL) &&
              failed(connect(s, to, 3), EINVAL) &&
              failed(connect(s, NULL, 0), EFAULT),
          "names that are none");
    name.sin_family = AF_INET6;
    point(failed(bind(s, to, sizeof(name)), EAFNOSUPPORT) &&
              failed(connect(s, to, sizeof(name)), EAFNOSUPPORT) &&
              failed(sendto(s, buf, 1, 0, to, sizeof(name)), EAFNOSUPPORT),
          "names of another family");
    close(s);
}

static int error_of(int s)
{
    int err = -1;
    socklen_t len = sizeof(err);

    getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &len);
    return err;
}

static void test_refused(void)
{
    struct sockaddr_in name = loopback(4321);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct pollfd p = { .fd = s, .events = POLLOUT };

    point(failed(connect(s, (struct sockaddr *)&name, sizeof(name)),
                 ECONNREFUSED),
          "a connection is refused");
    close(s);
    p.fd = s = socket(AF_INET, SOCK_STREAM, 0);
    fcntl(s, F_SETFL, O_NONBLOCK);
    connect(s, (struct sockaddr *)&name, sizeof(name));
    point(poll(&p, 1, 5000) == 1 && error_of(s) == ECONNREFUSED &&
              error_of(s) == 0,
          "SO_ERROR tells it later, once");
    close(s);
}

static void test_ends(void)
{
    struct linger now = { .l_onoff = 1 };
    char buf[10];
    int a, b;

    make_pair(4400, &a, &b);
    shutdown(a, SHUT_WR);
    point(failed(send(a, "x", 1, 0), EPIPE), "after SHUT_WR nothing is sent");
    point(recv(b, buf, 1, 0) == 0 && recv(b, buf, 1, 0) == 0,
          "the end is received, and again");
    close(a);
    close(b);
    make_pair(4401, &a, &b);
    setsockopt(a, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(a);
    point(failed(recv(b, buf, 1, 0), ECONNRESET),
          "SO_LINGER without time resets");
    point(failed(send(b, "x", 1, 0), EPIPE), "and that is the end");
    close(b);
}

static void test_flags(void)
{
    char buf[10] = "";
    int a, b;

    make_pair(4402, &a, &b);
    send(a, "abc", 3, MSG_NOSIGNAL);
    send(a, "def", 3, MSG_NOSIGNAL);
    point(recv(b, buf, 5, MSG_WAITALL) == 5 && !memcmp(buf, "abcde", 5),
          "MSG_WAITALL waits for all");
    point(failed(send(a, "x", 1, MSG_OOB), EOPNOTSUPP) &&
              failed(recv(b, buf, 1, MSG_OOB), EOPNOTSUPP),
          "urgent data are not there");
    close(a);
    point(recv(b, buf, 5, MSG_WAITALL) == 1 && buf[0] == 'f',
          "MSG_WAITALL ends at the end");
    close(b);
}

/* ---- another thread ends what one waits on ---- */

enum call { RECV, ACCEPT, CONNECT, SEND, POLL };

static struct waiting {
    enum call call;
    int fd;
    long ret;
    int err;
    bool done;
} waiting[3];

static void wait_in_call(void *arg)
{
    struct sockaddr_in nobody = loopback(4499);
    static char many[100000];
    struct waiting *w = arg;
    struct pollfd p = { .fd = w->fd, .events = POLLIN };
    char c;

    switch (w->call) {
    case RECV:
        w->ret = recv(w->fd, &c, 1, 0);
        break;
    case ACCEPT:
        w->ret = accept(w->fd, NULL, NULL);
        break;
    case CONNECT: /* a backlog that is full never answers */
        w->ret = connect(w->fd, (struct sockaddr *)&nobody, sizeof(nobody));
        break;
    case SEND:
        do {
            w->ret = send(w->fd, many, sizeof(many), 0);
        } while (w->ret == sizeof(many));
        break;
    case POLL:
        w->ret = poll(&p, 1, -1);
        break;
    }
    w->err = errno;
    w->done = true;
}

/* How many of n threads in this call come back when the socket is ended. */
static int woken(enum call call, int fd, int n, bool by_close)
{
    struct rs_thread *threads[3];
    int count = 0;

    for (int i = 0; i < n; i++) {
        waiting[i] = (struct waiting){ .call = call, .fd = fd };
        threads[i] = rs_thread_create("waits", wait_in_call, &waiting[i], 0);
    }
    rs_sleep(50000000);
    for (int i = 0; i < n; i++)
        if (waiting[i].done)
            return -1; /* it did not wait */
    if (by_close)
        close(fd);
    else
        shutdown(fd, SHUT_RDWR);
    for (int ms = 0; ms < 5000 && count < n; ms++) {
        rs_sleep(1000000);
        count = 0;
        for (int i = 0; i < n; i++)
            count += waiting[i].done;
    }
    for (int i = 0; i < n; i++) {
        if (waiting[i].done)
            rs_thread_join(threads[i]);
        else
            rs_thread_detach(threads[i]);
    }
    return count;
}

/* ---- threads that share a socket ---- */

#define SHARERS 3
#define SHARED  1000000 /* bytes from each */

struct sharer {
    int fd;
    unsigned long bytes, sum;
    int err; /* the first call's that failed */
};

/* Small pieces, so that each packet is shared. */
static void receive_some(void *arg)
{
    struct sharer *s = arg;
    unsigned char buf[100];
    long n;

    while ((n = recv(s->fd, buf, sizeof(buf), 0)) > 0) {
        s->bytes += (unsigned long)n;
        for (long i = 0; i < n; i++)
            s->sum += buf[i];
        rs_thread_yield();
    }
    s->err = n < 0 ? errno : 0;
}

static void send_some(void *arg)
{
    static char data[SHARED];
    struct sharer *s = arg;
    long n = send(s->fd, data, sizeof(data), 0);

    s->bytes = n > 0 ? (unsigned long)n : 0;
    s->err = n < 0 ? errno : 0;
}

static void start_sharers(struct sharer *s, struct rs_thread **t,
                          void (*fn)(void *), int fd)
{
    for (int i = 0; i < SHARERS; i++) {
        s[i] = (struct sharer){ .fd = fd };
        t[i] = rs_thread_create("shares", fn, &s[i], 0);
    }
}

static void test_shared_receiving(void)
{
    struct sharer s[SHARERS];
    struct rs_thread *t[SHARERS];
    unsigned long wanted = 0, sent = 0, bytes = 0, sum = 0;
    unsigned char data[3000];
    int a, b;

    make_pair(4440, &a, &b);
    for (unsigned int i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 7 + i / 256);
    start_sharers(s, t, receive_some, b);
    for (int round = 0; round < 60; round++) {
        if (send(a, data, sizeof(data), 0) != (long)sizeof(data))
            break;
        sent += sizeof(data);
        for (unsigned int i = 0; i < sizeof(data); i++)
            wanted += data[i];
    }
    close(a);
    for (int i = 0; i < SHARERS; i++) {
        rs_thread_join(t[i]);
        bytes += s[i].bytes;
        sum += s[i].sum;
    }
    point(sent == 180000 && bytes == sent && sum == wanted,
          "three threads in recv() get every byte once (%lu of %lu)", bytes,
          sent);
    close(b);
}

static void test_shared_sending(void)
{
    struct sharer s[SHARERS];
    struct rs_thread *t[SHARERS];
    struct timeval patience = { .tv_sec = 3 };
    unsigned long got = 0;
    char buf[1000];
    int a, b, good = 0;
    long n;

    make_pair(4441, &a, &b);
    start_sharers(s, t, send_some, a);
    setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    while (got < SHARERS * SHARED && (n = recv(b, buf, sizeof(buf), 0)) > 0)
        got += (unsigned long)n;
    shutdown(b, SHUT_RDWR);
    close(b);
    for (int i = 0; i < SHARERS; i++) {
        rs_thread_join(t[i]);
        good += s[i].bytes == SHARED;
    }
    point(good == SHARERS && got == SHARERS * SHARED,
          "three threads in send() send everything (%d do)", good);
    close(a);
}

/* Who does not want to wait does not wait for one who does. */
static void test_shared_without_waiting(void)
{
    struct sharer s[SHARERS];
    struct rs_thread *t[SHARERS];
    struct timeval little = { .tv_usec = 20000 };
    char c;
    int a, b;

    make_pair(4442, &a, &b);
    start_sharers(s, t, receive_some, b);
    rs_sleep(20000000);
    point(failed(recv(b, &c, 1, MSG_DONTWAIT), EAGAIN),
          "MSG_DONTWAIT beside threads that wait");
    setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &little, sizeof(little));
    point(failed(recv(b, &c, 1, 0), EAGAIN), "so does SO_RCVTIMEO, later");
    close(a);
    for (int i = 0; i < SHARERS; i++)
        rs_thread_join(t[i]);
    close(b);
}

static int udp_socket(void)
{
    struct sockaddr_in a = loopback(4450);
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    bind(s, (struct sockaddr *)&a, sizeof(a));
    return s;
}

static int tcp_listener(unsigned int port)
{
    struct sockaddr_in a = loopback(port);
    int s = socket(AF_INET, SOCK_STREAM, 0);

    bind(s, (struct sockaddr *)&a, sizeof(a));
    listen(s, 1);
    return s;
}

static void test_woken(bool by_close)
{
    const char *how = by_close ? "close()" : "shutdown()";
    int a, b, s, full = tcp_listener(4499);
    struct sockaddr_in name = loopback(4499);
    int first = socket(AF_INET, SOCK_STREAM, 0);

    make_pair(4410 + by_close, &a, &b);
    point(woken(RECV, a, 3, by_close) == 3 && waiting[0].ret == 0 &&
              waiting[2].ret == 0,
          "%s wakes three threads in recv()", how);
    close(a);
    close(b);
    make_pair(4420 + by_close, &a, &b);
    point(woken(POLL, a, 2, by_close) == 2, "%s wakes poll()", how);
    close(a);
    close(b);
    make_pair(4430 + by_close, &a, &b);
    point(woken(SEND, a, 1, by_close) == 1, "%s wakes send()", how);
    close(a);
    close(b);
    s = tcp_listener(4440 + by_close);
    point(woken(ACCEPT, s, 3, by_close) == 3 && waiting[0].err == EINVAL &&
              waiting[2].err == EINVAL,
          "%s wakes three threads in accept()", how);
    close(s);
    s = udp_socket();
    point(woken(RECV, s, 2, by_close) == 2, "%s wakes recv() of UDP", how);
    close(s);
    connect(first, (struct sockaddr *)&name, sizeof(name));
    s = socket(AF_INET, SOCK_STREAM, 0);
    point(woken(CONNECT, s, 1, by_close) == 1 && waiting[0].ret == -1,
          "%s wakes connect()", how);
    close(s);
    close(first);
    close(full);
}

/* ---- at random ---- */

static uint32_t state = 1;

static uint32_t any(uint32_t n)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

static int any_number(void)
{
    static const int numbers[] = {
        -1, 0, 1, 2, 3, 4, 6, 8, 17, 0xfff, 255, 128, INT32_MAX, INT32_MIN
    };

    return any(3) ? numbers[any(14)] : (int)any(1 << 20);
}

static union {
    char bytes[70000];
    struct sockaddr_in name;
    struct timeval time;
    int number;
} space;

/* What a call is given, and may write to. */
static void fill_space(void)
{
    for (int i = 0; i < 64; i++)
        space.bytes[i] = (char)any_number();
    if (any(4))
        space.name = loopback(5000 + any(4));
    else if (any(2))
        space.number = any_number();
}

static void call_option(int s)
{
    static const int levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP, 17, -1 };
    int level = levels[any(5)], name = (int)any(any(2) ? 16 : 0x1100);
    socklen_t len = any(2) ? 4 : any(20);

    if (level == SOL_SOCKET && name == SO_LINGER)
        space.bytes[4] = space.bytes[5] = space.bytes[6] = space.bytes[7] = 0;
    if (any(2))
        setsockopt(s, level, name, any(8) ? space.bytes : NULL, len);
    else
        getsockopt(s, level, name, any(8) ? space.bytes : NULL, &len);
}

static void call_data(int s)
{
    struct iovec pieces[3];
    struct msghdr msg = { .msg_iov = pieces, .msg_iovlen = any(4) };
    struct sockaddr *name = any(2) ? (struct sockaddr *)&space.name : NULL;
    int flags = MSG_DONTWAIT | (any(4) ? 0 : any_number());
    socklen_t len = any(8) ? 16 : any(32);
    size_t n = any(8) ? any(3000) : any(66000);

    for (int i = 0; i < 3; i++)
        pieces[i] = (struct iovec){ space.bytes, any(4) ? any(2000) : 0 };
    switch (any(6)) {
    case 0:
        send(s, space.bytes, n, flags);
        break;
    case 1:
        sendto(s, space.bytes, n, flags, name, len);
        break;
    case 2:
        sendmsg(s, &msg, flags);
        break;
    case 3:
        recv(s, space.bytes, n, flags);
        break;
    case 4:
        recvfrom(s, space.bytes, n, flags, name, name ? &len : NULL);
        break;
    case 5:
        recvmsg(s, &msg, flags);
        break;
    }
}

static void call_any(int s)
{
    struct sockaddr *name = (struct sockaddr *)&space.name;
    struct pollfd p = { .fd = s, .events = (short)any_number() };
    socklen_t len = any(8) ? 16 : any(32);

    switch (any(14)) {
    case 0:
        bind(s, any(9) ? name : NULL, len);
        break;
    case 1:
        connect(s, any(9) ? name : NULL, len);
        break;
    case 2:
        listen(s, any_number());
        break;
    case 3:
        dup(accept(s, any(2) ? name : NULL, &len));
        break;
    case 4:
        shutdown(s, (int)any(5) - 1);
        break;
    case 5:
        getsockname(s, name, &len);
        break;
    case 6:
        getpeername(s, name, &len);
        break;
    case 7:
        poll(&p, any(3) ? 1 : 0, 0);
        break;
    case 8:
        ioctlsocket(s, any(2) ? FIONREAD : any_number(), space.bytes);
        break;
    case 9:
        call_option(s);
        break;
    default:
        call_data(s);
        break;
    }
}

static void test_at_random(void)
{
    for (unsigned int i = 0; i < CALLS; i++) {
        int s = 3 + (int)any(12);

        fill_space();
        if (!any(6)) {
            s = socket(any(9) ? AF_INET : any_number(),
                       any(9) ? 1 + (int)any(2) : any_number(),
                       any(9) ? 0 : any_number());
        } else if (!any(6)) {
            close(s);
            continue;
        }
        if (s > 14)
            close(s);
        else
            fcntl(s, F_SETFL, O_NONBLOCK);
        call_any(s);
    }
    for (int s = 3; s < 256; s++)
        close(s);
    point(true, "%u calls at random", CALLS);
}

int main(void)
{
    plan(48);
    test_before_start();
    test_kinds();
    test_unconnected();
    test_refused();
    test_ends();
    test_flags();
    test_woken(false);
    test_woken(true);
    test_shared_receiving();
    test_shared_sending();
    test_shared_without_waiting();
    test_at_random();
    test_refused();
    return done();
}
