/*
 * lwIP's threads, locks and mailboxes on those of the guest kernel.
 */
#include <errno.h>
#include <stdlib.h>

#include "lwip/opt.h"
#include "lwip/sys.h"

#include "guest-kernel/clock.h"
#include "guest-kernel/console.h"
#include "guest-kernel/kernel.h"
#include "guest-kernel/net/net.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/upcall.h"

/* A bounded queue of pointers; an event handler may post. */
struct net_mbox {
    struct wait_queue readers, writers;
    unsigned int size, count, first;
    void *slots[];
};

void sys_init(void)
{
}

u32_t sys_now(void)
{
    return (u32_t)(clock_now() / NS_PER_MS);
}

void net_bug(const char *what, const char *file, int line)
{
    kernel_panic("lwIP: %s (%s:%d)", what, file, line);
}

/* Told the first time, and then ever more rarely: a peer can repeat it. */
void net_packet_error(const char *what)
{
    static unsigned long count;

    count++;
    if ((count & (count - 1)) == 0)
        console_report("net: dropped, number %lu: %s\n", count, what);
}

/* lwIP's timeouts are in ms, 0 meaning for ever. */
static uint64_t deadline_of(u32_t timeout)
{
    return timeout ? clock_deadline_ms(timeout) : NEVER;
}

/* ---- threads ---- */

/*
 * tcpip_init() asks for the network's thread, its mailbox and its lock, and
 * asserts that there are some. So the first mailbox and the lock, of which
 * there is one, take no memory; and the thread can begin later.
 */
static struct {
    lwip_thread_fn fn; /* NULL: it runs, or nobody has asked */
    const char *name;
    void *arg;
    int stack;
} awaited;

bool net_thread_start(void)
{
    struct thread *t;

    if (!awaited.fn)
        return true;
    t = thread_create(awaited.name, awaited.fn, awaited.arg,
                      (size_t)awaited.stack);
    if (!t)
        return false;
    thread_detach(t);
    awaited.fn = NULL;
    return true;
}

sys_thread_t sys_thread_new(const char *name, lwip_thread_fn fn, void *arg,
                            int stack, int priority)
{
    (void)priority;
    awaited.name = name;
    awaited.fn = fn;
    awaited.arg = arg;
    awaited.stack = stack;
    net_thread_start();
    return NULL;
}

void sys_msleep(u32_t ms)
{
    thread_sleep(ms * NS_PER_MS);
}

/* ---- semaphores and mutexes ---- */

err_t sys_sem_new(sys_sem_t *s, u8_t count)
{
    *s = malloc(sizeof(**s));
    if (!*s)
        return ERR_MEM;
    semaphore_init(*s, count);
    return ERR_OK;
}

void sys_sem_free(sys_sem_t *s)
{
    free(*s);
    *s = NULL;
}

void sys_sem_signal(sys_sem_t *s)
{
    semaphore_up(*s);
}

u32_t sys_arch_sem_wait(sys_sem_t *s, u32_t timeout)
{
    return semaphore_down(*s, deadline_of(timeout)) ? SYS_ARCH_TIMEOUT : 0;
}

sys_sem_t *net_thread_semaphore(void)
{
    static _Thread_local struct semaphore own;
    static _Thread_local sys_sem_t handle;

    if (!handle)
        semaphore_init(&own, 0);
    handle = &own;
    return &handle;
}

err_t sys_mutex_new(sys_mutex_t *m)
{
    static struct mutex only = MUTEX_INIT(only);

    *m = &only;
    return ERR_OK;
}

void sys_mutex_lock(sys_mutex_t *m)
{
    mutex_lock(*m);
}

void sys_mutex_unlock(sys_mutex_t *m)
{
    mutex_unlock(*m);
}

/* ---- mailboxes ---- */

static struct net_mbox *mbox_alloc(unsigned int size)
{
    static _Alignas(struct net_mbox) char
        first[sizeof(struct net_mbox) + TCPIP_MBOX_SIZE * sizeof(void *)];
    static bool used;

    if (used)
        return calloc(1, sizeof(struct net_mbox) + size * sizeof(void *));
    kernel_assert(size <= TCPIP_MBOX_SIZE);
    used = true;
    return (struct net_mbox *)first;
}

err_t sys_mbox_new(sys_mbox_t *mbox, int size)
{
    unsigned int n = size > 0 ? (unsigned int)size : 128;

    *mbox = mbox_alloc(n);
    if (!*mbox)
        return ERR_MEM;
    wait_queue_init(&(*mbox)->readers);
    wait_queue_init(&(*mbox)->writers);
    (*mbox)->size = n;
    return ERR_OK;
}

void sys_mbox_free(sys_mbox_t *mbox)
{
    free(*mbox);
    *mbox = NULL;
}

/* Upcalls are masked and there is room. */
static void mbox_put(struct net_mbox *m, void *msg)
{
    m->slots[(m->first + m->count++) % m->size] = msg;
    wait_queue_wake(&m->readers);
}

err_t sys_mbox_trypost(sys_mbox_t *mbox, void *msg)
{
    struct net_mbox *m = *mbox;
    bool was = upcalls_mask();
    err_t err = ERR_MEM;

    if (m->count < m->size) {
        mbox_put(m, msg);
        err = ERR_OK;
    }
    upcalls_restore(was);
    return err;
}

err_t sys_mbox_trypost_fromisr(sys_mbox_t *mbox, void *msg)
{
    return sys_mbox_trypost(mbox, msg);
}

void sys_mbox_post(sys_mbox_t *mbox, void *msg)
{
    struct net_mbox *m = *mbox;
    bool was = upcalls_mask();

    while (m->count == m->size)
        wait_queue_sleep(&m->writers, NEVER);
    mbox_put(m, msg);
    upcalls_restore(was);
}

u32_t sys_arch_mbox_fetch(sys_mbox_t *mbox, void **msg, u32_t timeout)
{
    uint64_t deadline = deadline_of(timeout);
    struct net_mbox *m = *mbox;
    bool was = upcalls_mask();
    u32_t ret = SYS_ARCH_TIMEOUT;
    int err = 0;

    while (!m->count && !err)
        err = wait_queue_sleep(&m->readers, deadline);
    if (m->count) {
        void *got = m->slots[m->first];

        m->first = (m->first + 1) % m->size;
        m->count--;
        if (msg)
            *msg = got;
        wait_queue_wake(&m->writers);
        ret = 0;
    }
    upcalls_restore(was);
    return ret;
}

u32_t sys_arch_mbox_tryfetch(sys_mbox_t *mbox, void **msg)
{
    if (!(*mbox)->count)
        return SYS_MBOX_EMPTY;
    return sys_arch_mbox_fetch(mbox, msg, 1);
}
