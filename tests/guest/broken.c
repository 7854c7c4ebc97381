/*
 * Backends that break the protocol, and come back: the guest writes indices
 * into its shared pages that no backend would write. Disk and card fail, say so
 * to the backend, and are connected anew; the console falls back and returns.
 *
 * run-guest: --vif type=nat --disk $tmp/d,raw,xvda,w $(truncate -s1M $tmp/d)
 */
#include <errno.h>
#include <ringside/blk.h>
#include <ringside/guest.h>
#include <ringside/net.h>
#include <string.h>

#include "frontends/blkfront.h"
#include "frontends/netfront_ring.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/net/net.h"
#include "lwip/netif.h"
#include "tests/guest/tap.h"

#define SECOND 1000000000ull

/* Waits for half a minute at most. */
#define COMES(expr)                    \
    ({                                 \
        int left_ = 3000;              \
        while (!(expr) && left_-- > 0) \
            rs_sleep(SECOND / 100);    \
        left_ > 0;                     \
    })

/* The backend's next response mends the index: until we are first to look. */
static bool read_fails(struct rs_blk *b, char *back)
{
    int err = 0;

    for (int i = 0; i < 1000 && err == 0; i++) {
        WRITE_ONCE(b->ring.sring->rsp_prod, b->ring.rsp_cons + 100);
        err = rs_blk_read(b, 5, back, 1);
    }
    return err == -EIO;
}

static void break_disk(void)
{
    static char sector[RS_BLK_SECTOR], back[RS_BLK_SECTOR];
    struct rs_blk *b;

    if (!point(rs_blk_open("xvda", &b) == 0, "the disk opens"))
        return;
    memset(sector, 'x', sizeof(sector));
    point(rs_blk_write(b, 5, sector, 1) == 0, "a sector is written");
    point(read_fails(b, back), "a read on a broken ring fails");
    point(COMES(b->phase == BLKFRONT_CONNECTED), "the disk is connected anew");
    point(rs_blk_read(b, 5, back, 1) == 0 &&
              !memcmp(back, sector, RS_BLK_SECTOR),
          "the sector is read");
}

static void break_card(void)
{
    struct netfront *nf;
    unsigned int connection;

    if (!point(rs_net_up(30 * SECOND) == 0, "the card has an address"))
        return;
    nf = ethif_netfront(netif_default);
    connection = nf->connection;
    WRITE_ONCE(nf->rx.sring->rsp_prod, nf->rx.rsp_cons + 1000);
    point(COMES(nf->connection != connection), "the card is down");
    point(COMES(nf->connected && netif_is_link_up(netif_default)),
          "the card is connected anew");
    point(rs_net_up(30 * SECOND) == 0, "and has an address");
}

static void break_console(void)
{
    struct xencons_interface *ring =
        (void *)(start_info->console.domU.mfn << PAGE_SHIFT);

    fflush(stdout);
    WRITE_ONCE(ring->out_cons, ring->out_prod + 5000);
    printf("# by the log\n");
    fflush(stdout);
    WRITE_ONCE(ring->out_cons, ring->out_prod);
    point(true, "an impossible index of the console stops nobody");
}

int main(void)
{
    plan(10);
    break_disk();
    break_card();
    break_console();
    return done();
}
