/* Sockets. lwIP has all of it in one place. */
#ifndef RINGSIDE_POSIX_SYS_SOCKET_H
#define RINGSIDE_POSIX_SYS_SOCKET_H

#include "lwip/sockets.h"

#endif
