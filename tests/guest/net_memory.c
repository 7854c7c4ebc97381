/*
 * A program that has taken all memory before it uses the network for the first
 * time: its calls fail, and they work when there is memory again.
 *
 * run-guest: --memory 16 --vif type=nat
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <ringside/guest.h>
#include <ringside/net.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/guest/tap.h"

#define SECOND 1000000000ull

/* Blocks of n bytes, linked through their first word, until there is none. */
static void take(void ***chain, size_t n)
{
    void **block;

    while ((block = malloc(n)) != NULL) {
        *block = *chain;
        *chain = block;
    }
}

static void give_back(void ***chain)
{
    while (*chain) {
        void **block = *chain;

        *chain = *block;
        free(block);
    }
}

/* A datagram to itself. */
static bool loops(int s)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9) };
    char c = 0;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return bind(s, (struct sockaddr *)&a, sizeof(a)) == 0 &&
           sendto(s, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1 &&
           recv(s, &c, 1, 0) == 1 && c == 'x';
}

int main(void)
{
    void **chain = NULL;
    int s;

    plan(5);
    for (size_t n = 65536; n >= 16; n /= 2)
        take(&chain, n);
    point(socket(AF_INET, SOCK_STREAM, 0) < 0, "no socket without memory");
    point(rs_net_up(SECOND) < 0, "no network without memory");
    point(gethostbyname("a.example") == NULL, "no names without memory");
    give_back(&chain);
    s = socket(AF_INET, SOCK_DGRAM, 0);
    point(s >= 0 && loops(s), "a socket when there is memory again");
    point(rs_net_up(20 * SECOND) == 0, "the card has an address");
    return done();
}
