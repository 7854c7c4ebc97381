/*
 * More sockets than any table had places: memory is the limit, and what is
 * closed is used again.
 *
 * run-guest: --memory 64
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/guest/tap.h"

#define MANY 1500
#define TCP  400 /* connections: two sockets each */

static int fds[MANY];
static struct pollfd polls[MANY];

static struct sockaddr_in loopback(unsigned int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

static int open_many(void)
{
    int n = 0;

    while (n < MANY && (fds[n] = socket(AF_INET, SOCK_DGRAM, 0)) >= 0)
        n++;
    return n;
}

static void close_many(int n)
{
    while (n)
        close(fds[--n]);
}

/* One of many has something; poll() says which. */
static bool last_is_ready(void)
{
    struct sockaddr_in a = loopback(9000);
    int n = 0, at = -1;

    bind(fds[MANY - 1], (struct sockaddr *)&a, sizeof(a));
    sendto(fds[0], "x", 1, 0, (struct sockaddr *)&a, sizeof(a));
    for (int i = 0; i < MANY; i++)
        polls[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    if (poll(polls, MANY, 5000) != 1)
        return false;
    for (int i = 0; i < MANY; i++)
        if (polls[i].revents) {
            n++;
            at = i;
        }
    return n == 1 && at == MANY - 1;
}

/* All connected at the same time, and each carries a byte. */
static int connect_many(void)
{
    struct sockaddr_in a = loopback(80);
    int l = socket(AF_INET, SOCK_STREAM, 0), good = 0;
    char c;

    bind(l, (struct sockaddr *)&a, sizeof(a));
    listen(l, 5);
    for (int i = 0; i < TCP; i++) {
        fds[2 * i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fds[2 * i], (struct sockaddr *)&a, sizeof(a)))
            break;
        fds[2 * i + 1] = accept(l, NULL, NULL);
        good += fds[2 * i + 1] >= 0;
    }
    for (int i = 0; i < good; i++)
        if (send(fds[2 * i], "y", 1, 0) != 1 ||
            recv(fds[2 * i + 1], &c, 1, 0) != 1 || c != 'y')
            good = i;
    close(l);
    return good;
}

int main(void)
{
    int n;

    plan(5);
    n = open_many();
    point(n == MANY, "%d sockets", n);
    point(last_is_ready(), "poll() of all of them");
    close_many(n);
    n = open_many();
    point(n == MANY, "and again: %d", n);
    point(fds[0] == 3, "from the lowest descriptor on");
    close_many(n);
    n = connect_many();
    point(n == TCP, "%d connections to itself", n);
    close_many(2 * n);
    return done();
}
