/* Names to addresses. */
#ifndef RINGSIDE_POSIX_NETDB_H
#define RINGSIDE_POSIX_NETDB_H

#include <lwip/netdb.h>

#endif
