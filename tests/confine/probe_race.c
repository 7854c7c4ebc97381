/*
 * Mode "race DOMID N": two vCPUs of one domain and two pages.
 *
 * vCPU 1 never stops to read where the first page is mapped, to write to the
 * second, and to make that accessible. vCPU 0 maps and unmaps the one, and what
 * it writes after an unmapping nobody may read there; it gives the other back
 * and takes it again, and in the end it is given back.
 */
#include "probe.h"

#include "hypercall.h"

#include <xen/hvm/hvm_vcpu.h>

#define SHARED ((volatile struct probe_shared *)PROBE_SHARED)
#define PAGE   PROBE_GRANTED
#define HOLE   (PROBE_GRANTED + 4096)
#define STACK  0x1a0000ul
#define REF    8
#define SECRET 0x5ec2e7ul

static unsigned long mapped; /* where PAGE is seen, or not */

extern char read_at[], read_done[], write_at[], write_done[];

/* What is there, 0 if nothing is. */
static __attribute__((noinline)) unsigned long try_read(unsigned long addr)
{
    unsigned long v = 0;

    __asm__ __volatile__("read_at: mov (%1), %0\n"
                         "read_done:\n"
                         : "+r"(v)
                         : "r"(addr)
                         : "memory");
    return v;
}

static __attribute__((noinline)) void try_write(unsigned long addr)
{
    __asm__ __volatile__("write_at: movq $1, (%0)\n"
                         "write_done:\n" ::"r"(addr)
                         : "memory");
}

static void on_fault(struct cpu_user_regs *regs)
{
    SHARED->traps++;
    if (regs->rip == (unsigned long)read_at)
        regs->rip = (unsigned long)read_done;
    else if (regs->rip == (unsigned long)write_at)
        regs->rip = (unsigned long)write_done;
    else
        hypercall_shutdown(SHUTDOWN_crash, 0);
}

/* Linux's mprotect(HOLE, 4096, PROT_READ | PROT_WRITE). */
static void make_accessible(void)
{
    long ret;

    __asm__ __volatile__("syscall"
                         : "=a"(ret)
                         : "a"(10), "D"(HOLE), "S"(4096), "d"(3)
                         : "rcx", "r11", "memory");
}

static _Noreturn void second(void)
{
    for (unsigned long i = 0;; i++) {
        if (try_read(mapped) == SECRET)
            SHARED->wrong++;
        try_write(HOLE);
        if (i % 8 == 0)
            make_accessible();
        if (i % 8 == 4) /* what it was let do is done, as everybody knows now */
            hypercall_xen_version(XENVER_pagesize, 0, 0);
        SHARED->upcalls = i;
    }
}

static void check(int ok)
{
    if (!ok)
        SHARED->wrong++;
}

static void start_second(void)
{
    static const struct trap_info table[] = {
        { 14, 0, 0, (unsigned long)on_fault },
        { 0, 0, 0, 0 },
    };
    struct vcpu_hvm_context c;

    for (unsigned int i = 0; i < sizeof(c); i++)
        ((volatile char *)&c)[i] = 0;
    c.mode = VCPU_HVM_MODE_64B;
    c.cpu_regs.x86_64.rip = (unsigned long)second;
    c.cpu_regs.x86_64.rsp = STACK + 8192 - 8;
    check(hypercall_set_trap_table(table) == 0);
    check(hypercall_vcpu_op(VCPUOP_initialise, 1, &c) == 0);
    check(hypercall_vcpu_op(VCPUOP_up, 1, 0) == 0);
    while (!SHARED->upcalls)
        hypercall_sched_op(SCHEDOP_yield, 0, 0);
}

static void grant_to_self(domid_t self, unsigned long table)
{
    struct xen_add_to_physmap op = { .domid = DOMID_SELF,
                                     .space = XENMAPSPACE_grant_table,
                                     .gpfn = table >> 12 };
    volatile grant_entry_v1_t *e = (void *)table;

    check(hypercall_memory_op(XENMEM_add_to_physmap, &op, sizeof(op)) == 0);
    e[REF].domid = self;
    e[REF].frame = PAGE >> 12;
    e[REF].flags = GTF_permit_access;
}

static void map_and_unmap(domid_t self)
{
    volatile unsigned long *page = (void *)PAGE;
    struct gnttab_map_grant_ref map = {
        .host_addr = mapped, .flags = GNTMAP_host_map, .ref = REF, .dom = self
    };
    struct gnttab_unmap_grant_ref unmap = { .host_addr = mapped };

    check(hypercall_grant_map(&map, 1) == 0 && map.status == GNTST_okay);
    check(try_read(mapped) == 0);
    unmap.handle = map.handle;
    check(hypercall_grant_unmap(&unmap, 1) == 0 && unmap.status == GNTST_okay);
    *page = SECRET;
    hypercall_xen_version(XENVER_pagesize, 0, 0);
    *page = 0;
}

/* While the other vCPU's mprotect() may be on its way it is refused. */
static void adjust(unsigned int cmd)
{
    unsigned long gfn = HOLE >> 12;
    struct xen_memory_reservation op = { .nr_extents = 1, .domid = DOMID_SELF };

    set_xen_guest_handle(op.extent_start, &gfn);
    while (hypercall_memory_op(cmd, &op, sizeof(op)) != 1)
        hypercall_sched_op(SCHEDOP_yield, 0, 0);
}

_Noreturn void probe_race(domid_t self, unsigned long rounds,
                          unsigned long aperture)
{
    mapped = aperture + 4096;
    grant_to_self(self, aperture);
    *(volatile unsigned long *)PAGE = 0;
    start_second();
    for (unsigned long i = 0; i < rounds; i++) {
        map_and_unmap(self);
        adjust(XENMEM_decrease_reservation);
        hypercall_xen_version(XENVER_pagesize, 0, 0);
        adjust(XENMEM_populate_physmap);
        SHARED->count++;
    }
    adjust(XENMEM_decrease_reservation);
    SHARED->count++;
    for (;;)
        hypercall_sched_op(SCHEDOP_yield, 0, 0);
}
