/*
 * Sockets: over the loopback interface against another thread, as descriptors
 * among others, and a card that gets its address by DHCP.
 *
 * run-guest: --memory 32 --vif type=nat
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <ringside/guest.h>
#include <ringside/net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/guest/tap.h"

#define BULK (4u << 20)

static struct sockaddr_in loopback(unsigned int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

static int tcp_listen(unsigned int port)
{
    struct sockaddr_in a = loopback(port);
    int s = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(s, (struct sockaddr *)&a, sizeof(a)) || listen(s, 5))
        return -1;
    return s;
}

static int tcp_connect(unsigned int port)
{
    struct sockaddr_in a = loopback(port);
    int s = socket(AF_INET, SOCK_STREAM, 0), err;

    if (connect(s, (struct sockaddr *)&a, sizeof(a)) == 0)
        return s;
    err = errno;
    close(s);
    errno = err;
    return -1;
}

static unsigned char pattern(unsigned int i)
{
    return (unsigned char)(i * 31 + i / 251);
}

/* Sends back all it gets, until the other end is done. */
static void echo(void *arg)
{
    int s = *(int *)arg, c = accept(s, NULL, NULL);
    static char buf[16384];
    ssize_t n;

    while ((n = read(c, buf, sizeof(buf))) > 0)
        for (ssize_t at = 0; at < n;) {
            ssize_t sent = write(c, buf + at, (size_t)(n - at));

            if (sent <= 0)
                break;
            at += sent;
        }
    close(c);
}

static void send_bulk(void *arg)
{
    static unsigned char buf[50000];
    unsigned int at = 0;
    int s = *(int *)arg;

    while (at < BULK) {
        unsigned int n = BULK - at < sizeof(buf) ? BULK - at : sizeof(buf);
        ssize_t sent;

        for (unsigned int i = 0; i < n; i++)
            buf[i] = pattern(at + i);
        sent = send(s, buf, n, 0);
        if (sent <= 0)
            break;
        at += (unsigned int)sent;
    }
    shutdown(s, SHUT_WR);
}

static unsigned int receive_bulk(int s)
{
    static unsigned char buf[30000];
    unsigned int at = 0;
    ssize_t n;

    while ((n = recv(s, buf, sizeof(buf), 0)) > 0)
        for (ssize_t i = 0; i < n; i++, at++)
            if (buf[i] != pattern(at))
                return 0;
    return n == 0 ? at : 0;
}

static void test_bulk(void)
{
    int s = tcp_listen(7), c;
    struct rs_thread *server, *sender;

    point(s >= 0, "a socket listens");
    server = rs_thread_create("echo", echo, &s, 0);
    c = tcp_connect(7);
    point(c >= 0, "another connects to it");
    sender = rs_thread_create("sender", send_bulk, &c, 0);
    point(receive_bulk(c) == BULK, "4 MiB come back as they were sent");
    rs_thread_join(sender);
    rs_thread_join(server);
    close(c);
    close(s);
}

static void test_udp(void)
{
    struct sockaddr_in a = loopback(9), from;
    socklen_t len = sizeof(from);
    int r = socket(AF_INET, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0);
    struct timeval soon = { .tv_usec = 50000 };
    char buf[2000] = "";

    bind(r, (struct sockaddr *)&a, sizeof(a));
    setsockopt(r, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
    point(recv(r, buf, sizeof(buf), 0) == -1 && errno == EAGAIN,
          "a receive timeout ends a wait");
    sendto(s, "datagram", 9, 0, (struct sockaddr *)&a, sizeof(a));
    point(recvfrom(r, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len) ==
                  9 &&
              strcmp(buf, "datagram") == 0 &&
              from.sin_addr.s_addr == htonl(INADDR_LOOPBACK),
          "a datagram arrives with its sender's address");
    close(r);
    close(s);
}

static void test_descriptors(void)
{
    int s = tcp_listen(8), c = tcp_connect(8), a = accept(s, NULL, NULL);
    struct pollfd p[3] = { { .fd = s, .events = POLLIN },
                           { .fd = a, .events = POLLIN | POLLOUT },
                           { .fd = 77, .events = POLLIN } };
    struct timeval soon = { .tv_usec = 20000 };
    struct stat st;
    fd_set set;
    char ch = 0;

    point(s > 2 && a > 2 && a != s && a != c, "sockets are descriptors");
    point(fstat(a, &st) == 0 && S_ISSOCK(st.st_mode), "fstat() knows them");
    point(poll(p, 2, 0) == 1 && p[0].revents == 0 && p[1].revents == POLLOUT,
          "poll() tells what is ready");
    point(poll(p, 3, 1000) == 2 && p[2].revents == POLLNVAL,
          "and what is no descriptor");
    point(poll(p, 1, 20) == 0, "and waits for a time");
    write(c, "x", 1);
    p[1].events = POLLIN;
    point(poll(p, 2, 1000) == 1 && p[1].revents == POLLIN,
          "or until something comes");
    FD_ZERO(&set);
    FD_SET(s, &set);
    FD_SET(a, &set);
    point(select(a + 1 > s + 1 ? a + 1 : s + 1, &set, NULL, NULL, &soon) == 1 &&
              FD_ISSET(a, &set) && !FD_ISSET(s, &set),
          "select() too");
    point(read(a, &ch, 1) == 1 && ch == 'x', "read() reads it");
    point(fcntl(a, F_SETFL, O_NONBLOCK) == 0 && read(a, &ch, 1) == -1 &&
              errno == EAGAIN,
          "O_NONBLOCK does not wait");
    point(send(1, "x", 1, 0) == -1 && errno == ENOTSOCK,
          "the console is no socket");
    close(c);
    fcntl(a, F_SETFL, 0);
    point(read(a, &ch, 1) == 0, "the end of a connection is read as 0");
    close(a);
    close(s);
    point(read(a, &ch, 1) == -1 && errno == EBADF, "closed is closed");
    point(tcp_connect(8) == -1 && errno == ECONNREFUSED,
          "nobody listens any more");
}

/* As many sockets as there are, and none is lost. */
static void test_exhaustion(void)
{
    static int fds[300];
    int first = 0, n;

    for (int round = 0; round < 3; round++) {
        for (n = 0; n < 300; n++)
            if ((fds[n] = socket(AF_INET, SOCK_STREAM, 0)) < 0)
                break;
        if (round == 0)
            first = n;
        for (int i = 0; i < n; i++)
            close(fds[i]);
    }
    point(first > 200 && n == first, "%d sockets, and again", n);
}

static void test_card(void)
{
    struct rs_net_info i = { .mtu = 0 };

    point(rs_net_up(10000000000) == 0 && rs_net_info(&i) == 0,
          "the card has an address");
    point(strcmp(i.address, "10.0.2.15") == 0 &&
              strcmp(i.netmask, "255.255.255.0") == 0 &&
              strcmp(i.gateway, "10.0.2.2") == 0,
          "of the NAT network");
    point(i.mtu == 65520 && i.mac[0] == 0 && i.mac[1] == 0x16, "MTU and MAC");
}

static void test_text(void)
{
    struct in_addr a;
    char text[20];

    point(inet_pton(AF_INET, "10.1.2.3", &a) == 1 &&
              a.s_addr == htonl(0x0a010203) &&
              inet_ntop(AF_INET, &a, text, sizeof(text)) &&
              strcmp(text, "10.1.2.3") == 0,
          "addresses as text");
    point(!inet_ntop(AF_INET, &a, text, 5) && errno == ENOSPC,
          "that does not fit");
}

int main(void)
{
    plan(24);
    test_card();
    test_bulk();
    test_udp();
    test_descriptors();
    test_exhaustion();
    test_text();
    return done();
}
