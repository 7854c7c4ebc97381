/*
 * The probe: a guest without a kernel, that does to its engine what its
 * command line says. Words are separated by blanks, numbers are hexadecimal:
 *
 *   call NR A1..A6 [/ NR A1..A6]...  Linux system calls; prints the results
 *   int80 NR | vsyscall              the same by other doors
 *   spin | hypercalls | sleep        until it is stopped
 *   many                             all vCPUs, half spin, half do hypercalls
 *   timer N                          N hypercalls under a 1 kHz timer
 *   carried                          such as a mailbox may carry, likewise,
 *                                    until it may go
 *   grant DOMID                      grants pages from PROBE_GRANTED on
 *   map DOMID N | map-raw DOMID | map-and-keep DOMID | crowd DOMID MIB
 *   hole                             gives a page back, in its own way
 *   own-page HOW                     loses a page of RAM by page table (1), or
 *                                    a hole that it takes (0); writes to it
 *   reset N                          makes N ports, and resets them
 *   race DOMID N                     two vCPUs and pages (probe_race.c)
 *   mail-same | mail-sweep 0|1 | mail-storm  (probe_mail.c)
 *   fault WHAT                       ends in a fault
 *   scribble                         over what the host names, then spins
 *   block-signals                    by a forged sigreturn, then spins
 *   puppets                          all vCPUs do what the host says
 *                                    (probe_puppet.c)
 */
#include "probe.h"

#include "hypercall.h"

#define SHARED ((volatile struct probe_shared *)PROBE_SHARED)

__asm__(".section .text.page, \"ax\"\n"
        ".balign 4096\n"
        ".globl __rs_hypercall_page\n"
        "__rs_hypercall_page: .fill 4096, 1, 0xcc\n"
        ".text\n"
        ".globl _start\n"
        "_start: mov %rsi, %rdi\n"
        "and $-16, %rsp\n"
        "call probe_main\n"
        "ud2\n"
        ".macro NOTE type, desc:vararg\n"
        ".pushsection .note.Xen, \"a\", @note\n"
        ".balign 4\n"
        ".long 4, 2f - 1f, \\type\n"
        ".asciz \"Xen\"\n"
        "1: \\desc\n"
        "2: .balign 4\n"
        ".popsection\n"
        ".endm\n"
        "NOTE 5, .asciz \"xen-3.0\"\n"
        "NOTE 2, .quad __rs_hypercall_page\n"
        /* One letter away from the note of a native kernel (confine.c). */
        ".pushsection .note.Xen, \"a\", @note\n"
        ".long 9, 4, 1\n"
        ".asciz \"Ringsid_\"\n"
        ".balign 4\n"
        ".long 1\n"
        ".popsection\n");

_Noreturn void probe_main(struct start_info *si);

/* ---- the little that a C program needs ---- */

void *memset(void *p, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);

void *memset(void *p, int c, size_t n)
{
    for (volatile char *q = p; n--;)
        *q++ = (char)c;
    return p;
}

void *memcpy(void *to, const void *from, size_t n)
{
    volatile char *q = to;

    for (const char *s = from; n--;)
        *q++ = *s++;
    return to;
}

static unsigned long aperture; /* its first free address */
static char text[256];
static unsigned int text_n;

static void put(const char *s)
{
    while (*s && text_n < sizeof(text))
        text[text_n++] = *s++;
}

static void put_hex(unsigned long v)
{
    char digits[17];
    int at = 16;

    digits[at] = '\0';
    do
        digits[--at] = "0123456789abcdef"[v & 15];
    while ((v >>= 4) && at);
    put(digits + at);
}

static void flush(void)
{
    hypercall_console_write(text, text_n);
    text_n = 0;
}

/* A line "word number". */
static void say(const char *word, unsigned long v)
{
    put(word);
    put(" ");
    put_hex(v);
    put("\n");
    flush();
}

static _Noreturn void quit(unsigned int status)
{
    for (;;)
        hypercall_shutdown(SHUTDOWN_poweroff, status);
}

/* ---- the command line ---- */

static const char *word;

static void next(void)
{
    while (*word && *word != ' ')
        word++;
    while (*word == ' ')
        word++;
}

static int is(const char *s)
{
    const char *w = word;

    while (*s && *s == *w)
        s++, w++;
    return !*s && (!*w || *w == ' ');
}

/* The number at `word`, which moves on. */
static unsigned long number(void)
{
    unsigned long v = 0;

    for (; *word && *word != ' '; word++)
        v = v << 4 |
            (unsigned long)(*word <= '9' ? *word - '0' : *word - 'a' + 10);
    next();
    return v;
}

/* ---- Linux system calls ---- */

static long linux_call(unsigned long nr, const unsigned long *a)
{
    register unsigned long r10 __asm__("r10") = a[3];
    register unsigned long r8 __asm__("r8") = a[4];
    register unsigned long r9 __asm__("r9") = a[5];
    long ret;

    __asm__ __volatile__("syscall"
                         : "=a"(ret)
                         : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10),
                           "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
    return ret;
}

static void calls(void)
{
    while (*word) {
        unsigned long nr = number(), a[6];

        for (int i = 0; i < 6; i++)
            a[i] = *word && *word != '/' ? number() : 0;
        if (*word == '/')
            next();
        say("result", (unsigned long)linux_call(nr, a));
    }
    quit(0);
}

static void int80(void)
{
    unsigned long ret = number();

    __asm__ __volatile__("int $0x80"
                         : "+a"(ret)
                         : "b"(0), "c"(0), "d"(0)
                         : "memory", "r8", "r9", "r10", "r11");
    say("result", ret);
    quit(0);
}

/* The kernel's old page of system calls at a fixed address: time(). */
static void vsyscall(void)
{
    say("result", (unsigned long)((long (*)(void *))0xffffffffff600400)(0));
    quit(0);
}

/* ---- running ---- */

static _Noreturn void spin(void)
{
    for (;;)
        SHARED->count++;
}

static void check(int ok)
{
    if (!ok)
        SHARED->wrong++;
}

/*
 * Hypercalls that tell whether one was lost or done twice: the port that is
 * given is always the same one, as it was closed again.
 */
static void one_round(evtchn_port_t expect)
{
    evtchn_port_t port = 0;

    check(hypercall_evtchn_alloc_unbound(DOMID_SELF, &port) == 0);
    check(port == expect);
    check(hypercall_evtchn_close(port) == 0);
    check(hypercall_xen_version(XENVER_pagesize, 0, 0) == 4096);
    SHARED->count++;
}

static void hypercalls(void)
{
    for (;;)
        one_round(1);
}

/* Of vCPU k the k-th word counts: 0 count, 1 traps, 2 upcalls, 3 port. */
static _Noreturn void one_of_many(unsigned long id)
{
    volatile uint64_t *words[] = { &SHARED->count, &SHARED->traps,
                                   &SHARED->upcalls, &SHARED->port };

    for (;;) {
        if (id % 2)
            check(hypercall_xen_version(XENVER_pagesize, 0, 0) == 4096);
        ++*words[id % 4];
    }
}

/* All other vCPUs run this, with their number. */
static void start_others(void (*entry)(unsigned long))
{
    struct vcpu_hvm_context c = { .mode = VCPU_HVM_MODE_64B };

    for (unsigned int i = 1; hypercall_vcpu_op(VCPUOP_is_up, i, 0) == 0; i++) {
        c.cpu_regs.x86_64.rip = (unsigned long)entry;
        c.cpu_regs.x86_64.rsp = 0x1b0000 + i * 8192 - 8;
        c.cpu_regs.x86_64.rdi = i;
        check(hypercall_vcpu_op(VCPUOP_initialise, i, &c) == 0);
        check(hypercall_vcpu_op(VCPUOP_up, i, 0) == 0);
    }
}

static void many(void)
{
    start_others(one_of_many);
    one_of_many(0);
}

static void sleeper(void)
{
    for (;;) {
        SHARED->count++;
        hypercall_sched_op(SCHEDOP_block, 0, 0);
    }
}

/* ---- the timer ---- */

static uint64_t now(const struct shared_info *si)
{
    const volatile struct vcpu_time_info *t = &si->vcpu_info[0].time;
    uint64_t delta, ns;
    uint32_t version;

    do {
        version = t->version;
        xen_rmb();
        delta = __builtin_ia32_rdtsc() - t->tsc_timestamp;
        delta =
            t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
        ns = t->system_time +
             (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
        xen_rmb();
    } while ((version & 1) || version != t->version);
    return ns;
}

static struct shared_info *shared_info;

static void on_event(struct cpu_user_regs *regs)
{
    (void)regs;
    shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
    shared_info->vcpu_info[0].evtchn_pending_sel = 0;
    if (shared_info->evtchn_pending[0] & 1ul << SHARED->port) {
        shared_info->evtchn_pending[0] = 0;
        SHARED->upcalls++;
        hypercall_set_timer(now(shared_info) + 1000000);
    }
}

static evtchn_port_t start_timer(void)
{
    evtchn_port_t port;

    check(hypercall_evtchn_bind_virq(VIRQ_TIMER, 0, &port) == 0);
    SHARED->port = port;
    check(hypercall_set_event_callback(on_event) == 0);
    shared_info->vcpu_info[0].evtchn_upcall_mask = 0;
    hypercall_set_timer(now(shared_info) + 1000000);
    return port;
}

/* The host compares counts. */
static void timer(void)
{
    unsigned long n = number();
    evtchn_port_t port = start_timer();

    while (SHARED->count < n)
        one_round(port + 1);
    quit(SHARED->wrong != 0);
}

/* Three calls a round: a result, and structs that come back filled in. */
static void carried(void)
{
    evtchn_port_t port = start_timer();

    while (!SHARED->go) {
        struct evtchn_status status = { .dom = DOMID_SELF, .port = port };
        struct gnttab_query_size size = { .dom = DOMID_SELF, .status = 9 };

        check(hypercall_xen_version(XENVER_pagesize, 0, 0) == 4096);
        check(hypercall_evtchn_status(&status) == 0);
        check(status.status == EVTCHNSTAT_virq && status.u.virq == VIRQ_TIMER);
        check(hypercall_grant_query_size(&size) == 0);
        check(size.status == GNTST_okay && size.max_nr_frames > 0);
        SHARED->count++;
    }
    quit(SHARED->wrong != 0);
}

/* ---- grants ---- */

#define REF 20

static void wait_for_go(void)
{
    while (!SHARED->go)
        hypercall_sched_op(SCHEDOP_yield, 0, 0);
}

static void granter(void)
{
    struct xen_add_to_physmap op = { .domid = DOMID_SELF,
                                     .space = XENMAPSPACE_grant_table,
                                     .gpfn = aperture >> 12 };
    volatile grant_entry_v1_t *e = (void *)aperture;
    domid_t dom = (domid_t)number();

    check(hypercall_memory_op(XENMEM_add_to_physmap, &op, sizeof(op)) == 0);
    for (int i = 0; i < 4; i++) {
        *(uint64_t *)(PROBE_GRANTED + 4096ul * (unsigned int)i) = 0x5ec2e7;
        e[REF + i].domid = dom;
        e[REF + i].frame = (uint32_t)(PROBE_GRANTED >> 12) + (uint32_t)i;
        e[REF + i].flags = GTF_permit_access;
    }
    SHARED->count = 1;
    sleeper();
}

static int map_at(domid_t dom, unsigned long addr, grant_ref_t ref,
                  grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = addr, .flags = GNTMAP_host_map, .ref = ref, .dom = dom
    };

    check(hypercall_grant_map(&op, 1) == 0);
    *handle = op.handle;
    return op.status;
}

static int unmap_at(unsigned long addr, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = addr, .handle = handle };

    check(hypercall_grant_unmap(&op, 1) == 0);
    return op.status;
}

/* Maps, uses and unmaps; 0 times: for ever. */
static void mapper(void)
{
    domid_t dom = (domid_t)number();
    unsigned long n = number(), addr = aperture + 4096;
    grant_handle_t handle;

    for (unsigned long i = 0; !n || i < n; i++) {
        check(map_at(dom, addr, REF, &handle) == 0);
        check(*(volatile uint64_t *)addr == 0x5ec2e7);
        *(volatile uint64_t *)(addr + 8) = i;
        check(unmap_at(addr, handle) == 0);
        SHARED->count++;
    }
    quit(SHARED->wrong != 0);
}

/* After an unmap the address faults. */
static void map_and_keep(void)
{
    domid_t dom = (domid_t)number();
    grant_handle_t handle;

    check(map_at(dom, aperture + 4096, REF, &handle) == 0);
    check(unmap_at(aperture + 4096, handle) == 0);
    say("kept", *(volatile uint64_t *)(aperture + 4096));
    quit(9);
}

/*
 * Fills the kernel's table of this process's mappings, so that the mmap()
 * which takes a foreign page away fails, then unmaps and looks.
 */
static void crowd(void)
{
    domid_t dom = (domid_t)number();
    unsigned long end = number() << 20, ro = 0, addr = aperture + 4096;
    grant_handle_t handle;

    for (unsigned long a = 0x200000; a < end && !ro; a += 8192)
        if (hypercall_update_va_mapping(a, a | 1 | 1ul << 63))
            ro = a;
    say("crowded", ro);
    check(map_at(dom, addr, REF, &handle) == 0);
    check(*(volatile uint64_t *)addr == 0x5ec2e7);
    SHARED->count = unmap_at(addr, handle) == 0;
    hypercall_xen_version(XENVER_pagesize, 0, 0);
    say("kept", *(volatile uint64_t *)addr);
    quit(9);
}

/*
 * Does the system calls for changes by itself: wrong ones, the right one,
 * twice. Told between: a hypercall, after which what was not done is
 * forgotten.
 */
static void map_raw(void)
{
    domid_t dom = (domid_t)number();
    unsigned long addr = aperture + 4096;
    struct gnttab_map_grant_ref op = {
        .host_addr = addr, .flags = GNTMAP_host_map, .ref = REF, .dom = dom
    };
    unsigned long call[6] = { GNTTABOP_map_grant_ref, (unsigned long)&op, 1 };
    const unsigned long map[][6] = {
        { addr, 4096, 3, 0x11, 976, PROBE_GRANTED + 4096 }, /* another page */
        { addr, 4096, 7, 0x11, 976, PROBE_GRANTED },
        { addr, 8192, 3, 0x11, 976, PROBE_GRANTED },
        { addr, 0, 3, 0x11, 976, PROBE_GRANTED },
        { addr + 4096, 4096, 3, 0x11, 976, PROBE_GRANTED },
        { addr, 4096, 3, 0x1, 976, PROBE_GRANTED },
        { addr, 4096, 3, 0x12, 976, PROBE_GRANTED },
        { addr, 4096, 3, 0x11, 968, PROBE_GRANTED },
        { addr, 4096, 3, 0x11, 976, PROBE_GRANTED }, /* this one */
        { addr, 4096, 3, 0x11, 976, PROBE_GRANTED },
    };
    long ret[10];

    say("early", (unsigned long)linux_call(9, map[8]));
    linux_call(0x5000 + 20, call);
    for (int i = 0; i < 10; i++)
        ret[i] = linux_call(9, map[i]);
    for (int i = 0; i < 10; i++)
        say("mmap", (unsigned long)ret[i]);
    say("value", *(volatile uint64_t *)addr);
    say("late", (unsigned long)linux_call(9, map[8]));
    quit(0);
}

/*
 * Gives a page back by its own system calls: the hypervisor is told first, and
 * the page is let go late. What ought to bring it back between and after.
 */
static void hole(void)
{
    volatile uint64_t *page = (void *)PROBE_GRANTED;
    const unsigned long a = PROBE_GRANTED;
    unsigned long gfn = a >> 12;
    struct xen_memory_reservation op = { .nr_extents = 1, .domid = DOMID_SELF };
    const unsigned long give[6] = { XENMEM_decrease_reservation,
                                    (unsigned long)&op };
    const unsigned long take[6] = { XENMEM_populate_physmap,
                                    (unsigned long)&op };
    const unsigned long protect[6] = { a, 4096, 3 };
    const unsigned long map[6] = { a, 4096, 3, 0x11, 968, a };
    const unsigned long let_go[6] = { a, 4096, 0, 0x11, 968, a };

    set_xen_guest_handle(op.extent_start, &gfn);
    *page = 0x5ec2e7;
    say("give", (unsigned long)linux_call(0x5000 + 12, give));
    say("twice", (unsigned long)linux_call(0x5000 + 12, give));
    say("early take", (unsigned long)linux_call(0x5000 + 12, take));
    say("early protect", (unsigned long)linux_call(10, protect));
    say("value", *page);
    SHARED->count = 1;
    while (!SHARED->go)
        hypercall_xen_version(XENVER_pagesize, 0, 0);
    say("let go", (unsigned long)linux_call(9, let_go));
    hypercall_xen_version(XENVER_pagesize, 0, 0);
    SHARED->count = 2;
    say("protect", (unsigned long)linux_call(10, protect));
    say("map", (unsigned long)linux_call(9, map));
    say("take", (unsigned long)hypercall_memory_op(take[0], &op, sizeof(op)));
    say("value", *page);
    *page = 1;
    say("give", (unsigned long)hypercall_memory_op(give[0], &op, sizeof(op)));
    say("kept", *page);
    quit(9);
}

/* Of a native kernel: all of RAM one to one, but for the page. */
static void load_tables(unsigned long without)
{
    unsigned long *table = (unsigned long *)PROBE_TABLES;

    for (unsigned long i = 0; i < 3; i++)
        table[512 * i] = (PROBE_TABLES + 4096 * (i + 1)) | 3;
    for (unsigned long i = 0; i < 512; i++)
        table[512 * 3 + i] = i << 12 | 3;
    table[512 * 3 + (without >> 12)] = 0;
    __asm__ __volatile__("mov %0, %%cr3" : : "r"(table) : "memory");
}

/* The hole becomes RAM, and the change that shows it is not made. */
static void take_unseen(unsigned long a)
{
    xen_pfn_t gfn = a >> 12;
    struct xen_memory_reservation op = { .nr_extents = 1, .domid = DOMID_SELF };
    const unsigned long take[6] = { XENMEM_populate_physmap,
                                    (unsigned long)&op };

    set_xen_guest_handle(op.extent_start, &gfn);
    check(hypercall_memory_op(XENMEM_decrease_reservation, &op, sizeof(op)) ==
          1);
    check(linux_call(0x5000 + 12, take) == 1);
    hypercall_xen_version(XENVER_pagesize, 0, 0); /* it is forgotten */
}

static void own_page(void)
{
    const unsigned long a = PROBE_GRANTED, protect[6] = { a, 4096, 3 };

    if (number())
        load_tables(a);
    else
        take_unseen(a);
    check(linux_call(10, protect) == 0);
    *(volatile unsigned long *)a = 0x5ec2e7;
    quit(0);
}

static void reset(void)
{
    struct evtchn_reset op = { .dom = DOMID_SELF };
    struct evtchn_status status = { .dom = DOMID_SELF, .port = 1 };
    unsigned long n = number();
    evtchn_port_t port = 0;

    for (unsigned long i = 0; i < n; i++)
        check(hypercall_evtchn_alloc_unbound(DOMID_SELF, &port) == 0);
    check(port == n);
    check(hypercall_evtchn_reset(&op) == 0);
    check(hypercall_evtchn_status(&status) == 0);
    check(status.status == EVTCHNSTAT_closed);
    check(hypercall_evtchn_send(n) == -XEN_EINVAL);
    check(hypercall_evtchn_alloc_unbound(DOMID_SELF, &port) == 0);
    check(port == 1);
    quit(SHARED->wrong ? 1 : 0);
}

static void race(void)
{
    domid_t self = (domid_t)number();

    probe_race(self, number(), aperture);
}

static void mail_same(void)
{
    probe_mail_same();
    quit(SHARED->wrong != 0);
}

static void mail_sweep(void)
{
    probe_mail_sweep(number() != 0);
    quit(SHARED->wrong != 0);
}

/* The others spoil vCPU 0's mailbox; what it gets to hear is nobody's harm. */
static void mail_storm(void)
{
    start_others(probe_mail_vandal);
    for (;; SHARED->count++) {
        hypercall_xen_version(XENVER_pagesize, 0, 0);
        hypercall_memory_op(XENMEM_maximum_ram_page, 0, 0);
    }
}

/* ---- faults ---- */

/* The compiler need not see where to. */
static void poke(unsigned long addr)
{
    __asm__ __volatile__("movl $1, (%0)" ::"r"(addr) : "memory");
}

static void on_trap(struct cpu_user_regs *regs)
{
    SHARED->traps++;
    if (is("again"))
        poke(8);
    if (is("resume")) {
        regs->rip += 2; /* ud2 */
        return;
    }
    say("trap", regs->entry_vector);
    say("cr2", shared_info->vcpu_info[0].arch.cr2);
    hypercall_shutdown(SHUTDOWN_crash, 0);
}

/* It eats stack until there is none. */
static void overflow(void)
{
    check(hypercall_update_va_mapping(PROBE_STACK, 0) == 0);
    __asm__ __volatile__("mov %0, %%rsp\n"
                         "1: push %%rax\n"
                         "jmp 1b\n" ::"r"(PROBE_STACK + 3 * 4096)
                         : "memory");
}

static void fault(void)
{
    static const struct trap_info table[] = {
        { 0, 0, 0, (unsigned long)on_trap },
        { 3, 0, 0, (unsigned long)on_trap },
        { 6, 0, 0, (unsigned long)on_trap },
        { 13, 0, 0, (unsigned long)on_trap },
        { 14, 0, 0, (unsigned long)on_trap },
        { 0, 0, 0, 0 },
    };

    if (is("handled") || is("again") || is("resume")) {
        check(hypercall_set_trap_table(table) == 0);
        if (is("handled"))
            next();
    }
    if (is("null") || is("again"))
        poke(8);
    if (is("ud2"))
        __asm__ __volatile__("ud2");
    if (is("resume"))
        __asm__ __volatile__("ud2\nud2");
    if (is("divide"))
        __asm__ __volatile__("div %%ecx" ::"a"(1), "d"(0), "c"(0));
    if (is("hlt"))
        __asm__ __volatile__("hlt");
    if (is("overflow"))
        overflow();
    if (is("jump"))
        ((void (*)(void))0x190000)(); /* RAM is not executable */
    if (is("text"))
        poke(0x100000); /* and text is not writable */
    if (is("first-mib"))
        poke(0xff000);
    if (is("aperture"))
        poke(aperture + 4096);
    if (is("noncanonical"))
        poke(1ul << 63);
    say("survived", SHARED->traps);
    quit(0);
}

/* ---- vandals ---- */

static void scribble(void)
{
    wait_for_go();
    for (int i = 0; i < PROBE_TARGETS; i++) {
        volatile uint64_t *p = (void *)SHARED->target[i][0];

        for (uint64_t n = 0; n < SHARED->target[i][1] / 8; n++)
            p[n] = 0xf00dfacecafebeef * (n + 1);
    }
    spin();
}

static void spin_deaf(unsigned long arg)
{
    (void)arg;
    spin();
}

static void block_signals(void)
{
    probe_run_deaf(spin_deaf, 0, PROBE_STACK + 3 * 4096);
}

static void puppets(void)
{
    start_others(probe_puppet);
    probe_puppet(0);
}

/* ---- */

static const struct {
    const char *name;
    void (*fn)(void);
} modes[] = {
    { "call", calls },
    { "int80", int80 },
    { "vsyscall", vsyscall },
    { "spin", spin },
    { "many", many },
    { "hypercalls", hypercalls },
    { "sleep", sleeper },
    { "timer", timer },
    { "carried", carried },
    { "grant", granter },
    { "map", mapper },
    { "map-and-keep", map_and_keep },
    { "map-raw", map_raw },
    { "hole", hole },
    { "own-page", own_page },
    { "reset", reset },
    { "race", race },
    { "mail-same", mail_same },
    { "mail-sweep", mail_sweep },
    { "mail-storm", mail_storm },
    { "crowd", crowd },
    { "fault", fault },
    { "scribble", scribble },
    { "block-signals", block_signals },
    { "puppets", puppets },
};

_Noreturn void probe_main(struct start_info *si)
{
    shared_info = (struct shared_info *)si->shared_info;
    aperture = si->shared_info + 4096;
    word = (const char *)si->cmd_line;
    for (unsigned int i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (is(modes[i].name)) {
            next();
            modes[i].fn();
        }
    say("unknown", 0);
    quit(99);
}
