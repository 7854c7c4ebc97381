/* The compiler and C library as lwIP sees them. */
#ifndef RINGSIDE_ARCH_CC_H
#define RINGSIDE_ARCH_CC_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

/* Unset, lwIP would make ssize_t an int. */
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif

#define LWIP_RAND() ((u32_t)rand())

#endif
