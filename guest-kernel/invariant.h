/*
 * invariant(): what must hold where state changes, whoever called.
 *
 * It is checked where this code runs in a process of the host (unit tests, fuzz
 * targets), and in guests of a build with --enable-guest-asserts, where a
 * broken one is a panic with file and line. In other guests it costs nothing,
 * not even bytes. The condition has no side effects: it may never be evaluated.
 */
#ifndef RINGSIDE_GUEST_INVARIANT_H
#define RINGSIDE_GUEST_INVARIANT_H

#if defined(__linux__)
#include <assert.h>
#define invariant(cond) assert(cond)
#elif defined(RINGSIDE_GUEST_ASSERTS)
#include "guest-kernel/kernel.h"
#define invariant(cond) kernel_assert(cond)
#else
#define invariant(cond) ((void)sizeof((cond) ? 1 : 0))
#endif

#endif
