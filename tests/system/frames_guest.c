/*
 * The guest of frames.sh: uses all of its stack while hostile frames come in.
 * TCP ports 80 and 81 are served and UDP port 7 repeats; connections are read,
 * filled, left alone, shut down, closed or reset; it connects, asks for names
 * and lets DHCP run for a while. A connection from 10.9.0.201 is always served:
 * what it sends is repeated.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ringside/guest.h>
#include <ringside/net.h>

#include "lwip/dhcp.h"
#include "lwip/sockets.h"
#include "lwip/tcpip.h"

#include "guest-kernel/net/timers.h"

#define CLIENT      0x0a0900c9u
#define PEERS       0x0a090009u
#define CONNECTIONS 48
#define BYTES       8192
#define TICK_MS     20

enum deed { REPEAT, READ, FILL, LEAVE, DEEDS };

struct connection {
    int fd;
    bool client;
    enum deed deed;
    size_t at, n; /* what is to be repeated */
    char data[BYTES];
};

/* In the heap, as a server has them: a guest without memory serves nobody. */
static struct connection *connections[CONNECTIONS];
static char data[60000];

static uint32_t random_below(uint32_t n)
{
    static uint32_t state = 1;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % n;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int make_socket(int type, uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    int s = socket(AF_INET, type, 0);

    if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) ||
        (type == SOCK_STREAM && listen(s, 64)) ||
        fcntl(s, F_SETFL, O_NONBLOCK)) {
        printf("port %u: %s\n", port, strerror(errno));
        exit(1);
    }
    return s;
}

/* ---- connections ---- */

static void drop(struct connection **at)
{
    struct connection *c = *at;
    struct linger l = { .l_onoff = 1 };

    if (c->client || random_below(4) == 0)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(c->fd);
    free(c);
    *at = NULL;
}

/* Room for one more; some other one goes, but none of the client's. */
static struct connection **take(void)
{
    struct connection **at;

    for (size_t i = 0; i < CONNECTIONS; i++)
        if (!connections[i])
            return &connections[i];
    do {
        at = &connections[random_below(CONNECTIONS)];
    } while ((*at)->client && random_below(1000));
    drop(at);
    return at;
}

static void add(int fd, bool client)
{
    struct connection *c = malloc(sizeof(*c));
    int one = 1;

    if (!c) {
        close(fd);
        return;
    }
    c->fd = fd;
    c->client = client;
    c->deed = client ? REPEAT : (enum deed)random_below(DEEDS);
    c->at = c->n = 0;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (random_below(2))
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    *take() = c;
}

static void accept_all(int listener)
{
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    int fd;

    while ((fd = accept(listener, (struct sockaddr *)&a, &len)) >= 0)
        add(fd, a.sin_addr.s_addr == htonl(CLIENT));
}

static short wanted(const struct connection *c)
{
    switch (c->deed) {
    case REPEAT:
        return c->n ? POLLOUT : POLLIN;
    case READ:
        return POLLIN;
    case FILL:
        return POLLOUT;
    default:
        return 0;
    }
}

/* False: it is at its end. */
static bool went_on(ssize_t n)
{
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static bool repeat(struct connection *c)
{
    ssize_t n;

    if (!c->n) {
        n = recv(c->fd, c->data, sizeof(c->data), 0);
        if (n <= 0)
            return went_on(n);
        c->at = 0;
        c->n = (size_t)n;
    }
    n = send(c->fd, c->data + c->at, c->n, 0);
    if (n > 0) {
        c->at += (size_t)n;
        c->n -= (size_t)n;
    }
    return went_on(n);
}

static void go_on(struct connection **at, short what)
{
    struct connection *c = *at;
    bool good = true;

    if (what & (POLLERR | POLLNVAL))
        good = false;
    else if (c->deed == REPEAT && what & wanted(c))
        good = repeat(c);
    else if (c->deed == READ && what & POLLIN)
        good = went_on(recv(c->fd, data, 1 + random_below(sizeof(data)), 0));
    else if (c->deed == FILL && what & POLLOUT)
        good = went_on(send(c->fd, data, 1 + random_below(sizeof(data)), 0));
    if (!good)
        drop(at);
}

/* ---- what happens by itself ---- */

static void connect_to_peer(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port =
                                 htons((uint16_t)(81 + random_below(4))),
                             .sin_addr.s_addr =
                                 htonl(PEERS + random_below(4)) };
    int s = socket(AF_INET, SOCK_STREAM, 0);

    if (s < 0)
        return;
    add(s, false);
    fcntl(s, F_SETFL, O_NONBLOCK);
    connect(s, (struct sockaddr *)&a, sizeof(a));
    add(s, false);
}

static void something(void)
{
    struct connection **at = &connections[random_below(CONNECTIONS)];
    struct connection *c = *at;

    if (!c || c->client)
        return;
    switch (random_below(4)) {
    case 0:
        drop(at);
        break;
    case 1:
        shutdown(c->fd, (int)random_below(3));
        break;
    default:
        c->deed = c->n ? REPEAT : (enum deed)random_below(DEEDS);
        break;
    }
}

static void ask_for_names(void *arg)
{
    char name[] = "a.example.test";

    (void)arg;
    for (;;) {
        name[0] = (char)('a' + random_below(26));
        gethostbyname(name);
        rs_sleep(5000000);
    }
}

/* What peers say of the address must not last. */
static void run_dhcp(void *arg)
{
    ip4_addr_t address, mask, gateway;

    (void)arg;
    LOCK_TCPIP_CORE();
    ip4_addr_copy(address, *netif_ip4_addr(netif_default));
    ip4_addr_copy(mask, *netif_ip4_netmask(netif_default));
    ip4_addr_copy(gateway, *netif_ip4_gw(netif_default));
    UNLOCK_TCPIP_CORE();
    for (;;) {
        rs_sleep(3000000000u);
        LOCK_TCPIP_CORE();
        dhcp_start(netif_default);
        net_timers_dhcp();
        UNLOCK_TCPIP_CORE();
        rs_sleep(500000000);
        LOCK_TCPIP_CORE();
        dhcp_release_and_stop(netif_default);
        netif_set_addr(netif_default, &address, &mask, &gateway);
        UNLOCK_TCPIP_CORE();
    }
}

static void repeat_datagram(int s)
{
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    ssize_t n =
        recvfrom(s, data, sizeof(data), 0, (struct sockaddr *)&from, &len);

    if (n >= 0)
        sendto(s, data, (size_t)n, 0, (struct sockaddr *)&from, len);
}

/* ---- all of it ---- */

static void turn(struct pollfd *fds)
{
    struct connection **of[CONNECTIONS];
    static uint64_t last;
    nfds_t n = 3;

    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *c = connections[i];

        if (!c)
            continue;
        of[n - 3] = &connections[i];
        fds[n++] = (struct pollfd){ .fd = c->fd, .events = wanted(c) };
    }
    poll(fds, n, TICK_MS);
    for (nfds_t i = 3; i < n; i++)
        go_on(of[i - 3], fds[i].revents);
    accept_all(fds[0].fd);
    accept_all(fds[1].fd);
    repeat_datagram(fds[2].fd);
    if (now_ms() - last < TICK_MS)
        return;
    last = now_ms();
    something();
    if (random_below(8) == 0)
        connect_to_peer();
}

int main(int argc, char **argv)
{
    static struct pollfd fds[3 + CONNECTIONS];

    (void)argv;
    if (rs_net_up(20000000000u))
        return 1;
    fds[0].fd = make_socket(SOCK_STREAM, 80);
    fds[1].fd = make_socket(SOCK_STREAM, 81);
    fds[2].fd = make_socket(SOCK_DGRAM, 7);
    for (int i = 0; i < 3; i++)
        fds[i].events = POLLIN;
    /* With an argument it only serves. */
    if (argc < 2) {
        rs_thread_create("names", ask_for_names, NULL, 0);
        rs_thread_create("dhcp", run_dhcp, NULL, 0);
    }
    printf("serving\n");
    fflush(stdout);
    for (;;)
        turn(fds);
}
