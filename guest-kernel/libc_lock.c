/*
 * newlib's locks. All may be recursive; threads that wait for one sleep. The
 * heap's is the kernel's lock: the kernel allocates where it may not sleep.
 *
 * The end is special: exit() flushes every stream, and a thread that waits for
 * input holds its stream's lock and may never give it back. From then on locks
 * of others are passed by, and streams are flushed, not closed under their
 * users' feet.
 */
#include <reent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/lock.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/libc.h"
#include "guest-kernel/thread.h"

#define PATIENCE (50 * NS_PER_MS)

struct __lock {
    struct mutex mutex;
};

/* The library's own locks, by the names that <sys/lock.h> gives them. */
#define STATIC_LOCK(name)      \
    extern struct __lock name; \
    struct __lock name = { MUTEX_INIT(name.mutex) }

STATIC_LOCK(__lock___sinit_recursive_mutex);
STATIC_LOCK(__lock___sfp_recursive_mutex);
STATIC_LOCK(__lock___atexit_recursive_mutex);
STATIC_LOCK(__lock___at_quick_exit_mutex);
STATIC_LOCK(__lock___malloc_recursive_mutex);
STATIC_LOCK(__lock___env_recursive_mutex);
STATIC_LOCK(__lock___tz_mutex);
STATIC_LOCK(__lock___dd_hash_mutex);
STATIC_LOCK(__lock___arc4random_mutex);

void __retarget_lock_init(_LOCK_T *lock)
{
    *lock = malloc(sizeof(**lock));
    if (!*lock)
        kernel_panic("no memory for a lock of the C library");
    mutex_init(&(*lock)->mutex);
}

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
    __retarget_lock_init(lock);
}

void __retarget_lock_close(_LOCK_T lock)
{
    free(lock);
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
    free(lock);
}

static bool ending;

static void flush_streams(struct _reent *r)
{
    (void)r;
    fflush(NULL);
}

/* Registered first, so it runs after the program's own atexit handlers. */
static void begin_end(void)
{
    ending = true;
    _GLOBAL_REENT->__cleanup = flush_streams;
}

void libc_lock_init(void)
{
    atexit(begin_end);
}

static bool is_heap(_LOCK_T lock)
{
    return lock == &__lock___malloc_recursive_mutex;
}

/*
 * At the end: who holds the lock may be at work with it on another vCPU, which
 * takes moments, or wait for input.
 */
static void acquire_or_pass(_LOCK_T lock)
{
    uint64_t end = clock_now() + PATIENCE;

    while (smp_active && !mutex_try_lock(&lock->mutex) && clock_now() < end)
        thread_yield();
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    if (is_heap(lock))
        kernel_enter();
    else if (mutex_try_lock(&lock->mutex))
        return;
    else if (ending)
        acquire_or_pass(lock);
    else
        mutex_lock(&lock->mutex);
}

void __retarget_lock_acquire(_LOCK_T lock)
{
    __retarget_lock_acquire_recursive(lock);
}

int __retarget_lock_try_acquire(_LOCK_T lock)
{
    return mutex_try_lock(&lock->mutex);
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    return mutex_try_lock(&lock->mutex);
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    if (is_heap(lock))
        kernel_leave();
    else if (mutex_is_mine(&lock->mutex) || !ending)
        mutex_unlock(&lock->mutex);
}

void __retarget_lock_release(_LOCK_T lock)
{
    __retarget_lock_release_recursive(lock);
}
