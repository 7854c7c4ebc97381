/*
 * Two network cards: both start, the second one when there are grants for it.
 *
 * run-guest: --memory 48 --vif type=nat --vif type=nat
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <ringside/guest.h>
#include <ringside/net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/guest/tap.h"

#define PATIENCE (20ull * 1000000000)
#define MOST     65536
#define FOR_ONE  700 /* a card has 514 pages */

/* Enough for one card and not for two. */
static void test_few_grants(void)
{
    static uint32_t refs[MOST];
    void *page = rs_pages_alloc(1);
    unsigned int n = 0;

    while (n < MOST && rs_grant(1, page, true, &refs[n]) == 0)
        n++;
    for (unsigned int i = 0; i < FOR_ONE && n; i++)
        rs_grant_end(refs[--n]);
    point(rs_net_up(PATIENCE) == 0, "the first card starts");
    point(rs_net_card_up(1, 0) == -ENODEV, "the second one has no grants");
    while (n)
        rs_grant_end(refs[--n]);
    rs_pages_free(page, 1);
}

static void test_both(void)
{
    struct rs_net_info one, two, first;

    point(rs_net_card_up(1, PATIENCE) == 0, "now it has, and starts");
    point(rs_net_card_up(2, PATIENCE) == -ENODEV &&
              rs_net_card_info(2, &one) == -ENODEV,
          "there is no third one");
    point(!rs_net_card_info(0, &one) && !rs_net_card_info(1, &two) &&
              !rs_net_info(&first),
          "both tell what they have");
    point(strcmp(two.address, "10.0.2.15") == 0 &&
              memcmp(one.mac, two.mac, sizeof(one.mac)) != 0,
          "they are two cards: %s", two.address);
    point(memcmp(&one, &first, sizeof(one)) == 0, "the first is the default");
}

int main(void)
{
    plan(7);
    test_few_grants();
    test_both();
    return done();
}
