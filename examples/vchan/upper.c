/*
 * A service for one other guest: what comes over the vchan goes back in upper
 * case. Ends when the other end does.
 */
#include <ctype.h>
#include <ringside/vchan.h>
#include <stdio.h>
#include <string.h>

#include "peer.h"

int main(void)
{
    unsigned int peer = peer_domid();
    struct rs_vchan *v;
    char buf[1024];
    long n;
    int err = rs_vchan_listen(peer, "data/upper", 1024, 1024, &v);

    if (err) {
        printf("no vchan for domain %u: %s\n", peer, strerror(-err));
        return 1;
    }
    rs_vchan_accept(v, RS_FOREVER);
    printf("serving domain %u\n", peer);
    while ((n = rs_vchan_read(v, buf, sizeof(buf))) > 0) {
        for (long i = 0; i < n; i++)
            buf[i] = (char)toupper((unsigned char)buf[i]);
        if (rs_vchan_write(v, buf, (size_t)n) < 0)
            break;
    }
    printf("domain %u has gone\n", peer);
    rs_vchan_close(v);
    return 0;
}
