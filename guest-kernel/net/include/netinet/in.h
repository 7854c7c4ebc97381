/* Internet addresses. lwIP has all of it in one place. */
#ifndef RINGSIDE_POSIX_NETINET_IN_H
#define RINGSIDE_POSIX_NETINET_IN_H

#include "lwip/sockets.h"

#endif
