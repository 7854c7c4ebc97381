/*
 * The compiler and C library as lwIP sees them.
 */
#ifndef RINGSIDE_ARCH_CC_H
#define RINGSIDE_ARCH_CC_H

#include <errno.h>
#include <fcntl.h> /* O_NONBLOCK and F_GETFL as everybody else has them */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

/* newlib has its number, but the name only with other extensions. */
#ifndef ESOCKTNOSUPPORT
#define ESOCKTNOSUPPORT 124
#endif

/* Unset, lwIP would make ssize_t an int. */
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif

uint32_t net_random(void);
#define LWIP_RAND() net_random()

_Noreturn void net_bug(const char *what, const char *file, int line);
#define LWIP_PLATFORM_ASSERT(what) net_bug(what, __FILE__, __LINE__)

#endif
