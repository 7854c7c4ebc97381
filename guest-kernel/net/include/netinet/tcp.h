/* Options of TCP. lwIP has all of it in one place. */
#ifndef RINGSIDE_POSIX_NETINET_TCP_H
#define RINGSIDE_POSIX_NETINET_TCP_H

#include "lwip/sockets.h"

#endif
