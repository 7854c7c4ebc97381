/*
 * Names to addresses without a network: numbers need none, names fail at once;
 * looking up is also the first thing that this guest does with the network.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/guest/tap.h"

static bool is_address(const struct addrinfo *a, const char *address,
                       unsigned int port)
{
    const struct sockaddr_in *in;

    if (!a || a->ai_family != AF_INET)
        return false;
    in = (const struct sockaddr_in *)a->ai_addr;
    return in->sin_addr.s_addr == inet_addr(address) &&
           in->sin_port == htons((uint16_t)port);
}

int main(void)
{
    char name[] = "nowhere.example", space[512];
    struct addrinfo *found = NULL;
    struct hostent entry, *host;
    int err;

    plan(6);
    point(getaddrinfo(name, "80", NULL, &found) != 0, "a name is not found");
    point(!gethostbyname(name), "nor by the old call");
    point(gethostbyname_r(name, &entry, space, sizeof(space), &host, &err) &&
              !host,
          "nor by that for threads");
    err = getaddrinfo("192.0.2.7", "8080", NULL, &found);
    point(!err && is_address(found, "192.0.2.7", 8080),
          "a number is an address");
    freeaddrinfo(found);
    err = getaddrinfo(NULL, "80", NULL, &found);
    point(!err && is_address(found, "127.0.0.1", 80), "no name is this guest");
    freeaddrinfo(found);
    host = gethostbyname("10.1.2.3");
    point(host && host->h_length == 4 &&
              !memcmp(host->h_addr_list[0], "\x0a\x01\x02\x03", 4),
          "a number, by the old call");
    return done();
}
