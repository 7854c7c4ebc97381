/*
 * Memory barriers for memory shared between domains.
 *
 * x86-64 keeps loads and stores in order among themselves, so the read and
 * write barriers only stop the compiler; the full barrier also drains the
 * store buffer (a store followed by a load of another word: ring indices and
 * event indices need it). Every use names its partner.
 *
 * The names xen_mb, xen_rmb and xen_wmb are those that <xen/io/ring.h>
 * expects.
 */
#ifndef RINGSIDE_BARRIER_H
#define RINGSIDE_BARRIER_H

#define barrier() __asm__ __volatile__("" ::: "memory")
#define xen_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb() barrier()
#define xen_wmb() barrier()

static inline void cpu_relax(void)
{
    __asm__ __volatile__("pause" ::: "memory");
}

/* Reads or writes one shared word exactly once. */
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#endif
