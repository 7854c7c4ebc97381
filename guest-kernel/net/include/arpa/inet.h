/* Addresses as text. lwIP has all of it in one place. */
#ifndef RINGSIDE_POSIX_ARPA_INET_H
#define RINGSIDE_POSIX_ARPA_INET_H

#include "lwip/sockets.h"

#endif
