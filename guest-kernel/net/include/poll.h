/* poll(). lwIP has all of it in one place. */
#ifndef RINGSIDE_POSIX_POLL_H
#define RINGSIDE_POSIX_POLL_H

#include "lwip/sockets.h"

#endif
