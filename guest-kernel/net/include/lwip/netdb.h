/*
 * lwIP's, but for programs the POSIX names are functions of the guest kernel
 * (resolve.c): whoever looks up a name first starts the network by it.
 */
#ifndef RINGSIDE_LWIP_NETDB_H
#define RINGSIDE_LWIP_NETDB_H

#include_next <lwip/netdb.h>

#ifndef RINGSIDE_LWIP
#undef getaddrinfo
#undef freeaddrinfo
#undef gethostbyname
#undef gethostbyname_r

#ifdef __cplusplus
extern "C" {
#endif

int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **out);
void freeaddrinfo(struct addrinfo *list);
struct hostent *gethostbyname(const char *name);
int gethostbyname_r(const char *name, struct hostent *out, char *buf,
                    size_t size, struct hostent **result, int *h_errnop);

#ifdef __cplusplus
}
#endif
#endif

#endif
