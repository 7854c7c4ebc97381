/*
 * Threads, mailboxes and locks as lwIP sees them: handles.
 */
#ifndef RINGSIDE_ARCH_SYS_ARCH_H
#define RINGSIDE_ARCH_SYS_ARCH_H

struct semaphore;
struct mutex;
struct net_mbox;

typedef struct semaphore *sys_sem_t;
typedef struct mutex *sys_mutex_t;
typedef struct net_mbox *sys_mbox_t;
typedef void *sys_thread_t;
typedef unsigned long sys_prot_t;

#define sys_sem_valid(s)         (*(s) != NULL)
#define sys_sem_set_invalid(s)   (*(s) = NULL)
#define sys_mutex_valid(m)       (*(m) != NULL)
#define sys_mutex_set_invalid(m) (*(m) = NULL)
#define sys_mbox_valid(m)        (*(m) != NULL)
#define sys_mbox_set_invalid(m)  (*(m) = NULL)

/* The calling thread's own, for as long as it lives. */
sys_sem_t *net_thread_semaphore(void);
#define LWIP_NETCONN_THREAD_SEM_GET() net_thread_semaphore()
#define LWIP_NETCONN_THREAD_SEM_ALLOC()
#define LWIP_NETCONN_THREAD_SEM_FREE()

/* Under the guest kernel's lock no other thread runs (vcpu.h there). */
void kernel_enter(void);
void kernel_leave(void);

#define SYS_ARCH_DECL_PROTECT(x)
#define SYS_ARCH_PROTECT(x)   kernel_enter()
#define SYS_ARCH_UNPROTECT(x) kernel_leave()

#endif
