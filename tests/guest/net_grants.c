/*
 * A program that has used up all grants before it uses the network for the
 * first time: the card does not come up, the loopback interface works, and the
 * card comes up when there are grants again.
 *
 * run-guest: --memory 32 --vif type=nat
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <ringside/guest.h>
#include <ringside/net.h>
#include <sys/socket.h>

#include "tests/guest/tap.h"

#define SECOND 1000000000ull
#define MOST   65536

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
    static uint32_t refs[MOST];
    void *page = rs_pages_alloc(1);
    unsigned int n = 0;
    int s;

    plan(6);
    while (n < MOST && rs_grant(1, page, true, &refs[n]) == 0)
        n++;
    point(page && n > 1000 && n < MOST, "grants until there is none");
    point(rs_net_up(SECOND) == -ENOSPC, "the card is not there");
    s = socket(AF_INET, SOCK_DGRAM, 0);
    point(s >= 0 && loops(s), "the loopback interface is");
    point(rs_net_up(SECOND) == -ENOSPC, "the card still is not");
    while (n > 0)
        rs_grant_end(refs[--n]);
    point(rs_net_up(20 * SECOND) == 0, "with grants the card comes up");
    point(rs_net_up(SECOND) == 0, "and is up");
    return done();
}
