/*
 * Names to addresses, as POSIX has them. As with sockets, the first name starts
 * the network and waits for an address: the name server comes with it. Numbers
 * need only lwIP.
 */
#include <errno.h>
#include <netdb.h>

#include "lwip/ip_addr.h"

#include "guest-kernel/net/net.h"
#include "guest-kernel/net/timers.h"
#include "guest-kernel/vcpu.h"

/* False: there is no memory for the network. */
static bool begin(const char *name)
{
    ip_addr_t number;

    if (!name || ipaddr_aton(name, &number))
        return net_start() != -ENOMEM;
    if (net_want())
        return false;
    net_timers_resolve();
    return true;
}

int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **out)
{
    IN_KERNEL();
    if (!begin(node))
        return EAI_MEMORY;
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
    if (!begin(name)) {
        h_errno = NO_RECOVERY;
        return NULL;
    }
    return lwip_gethostbyname(name);
}

int gethostbyname_r(const char *name, struct hostent *out, char *buf,
                    size_t size, struct hostent **result, int *h_errnop)
{
    IN_KERNEL();
    if (!begin(name)) {
        *result = NULL;
        *h_errnop = NO_RECOVERY;
        return ENOMEM;
    }
    return lwip_gethostbyname_r(name, out, buf, size, result, h_errnop);
}
