/*
 * Names to addresses, as POSIX has them. As with sockets, the first name starts
 * the network and waits for an address: the name server comes with it. Numbers
 * need only lwIP.
 */
#include <netdb.h>

#include "lwip/ip_addr.h"

#include "guest-kernel/net/net.h"
#include "guest-kernel/net/timers.h"
#include "guest-kernel/vcpu.h"

static void begin(const char *name)
{
    ip_addr_t number;

    if (!name || ipaddr_aton(name, &number)) {
        net_start();
        return;
    }
    net_want();
    net_timers_resolve();
}

int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **out)
{
    IN_KERNEL();
    begin(node);
    return lwip_getaddrinfo(node, service, hints, out);
}

void freeaddrinfo(struct addrinfo *list)
{
    IN_KERNEL();
    lwip_freeaddrinfo(list);
}

struct hostent *gethostbyname(const char *name)
{
    IN_KERNEL();
    begin(name);
    return lwip_gethostbyname(name);
}

int gethostbyname_r(const char *name, struct hostent *out, char *buf,
                    size_t size, struct hostent **result, int *h_errnop)
{
    IN_KERNEL();
    begin(name);
    return lwip_gethostbyname_r(name, out, buf, size, result, h_errnop);
}
