/* Threads, mailboxes and locks as lwIP sees them: handles. */
#ifndef RINGSIDE_ARCH_SYS_ARCH_H
#define RINGSIDE_ARCH_SYS_ARCH_H

struct sys_sem;
struct sys_mutex;
struct sys_mbox;

typedef struct sys_sem *sys_sem_t;
typedef struct sys_mutex *sys_mutex_t;
typedef struct sys_mbox *sys_mbox_t;
typedef void *sys_thread_t;
typedef unsigned long sys_prot_t;

#endif
