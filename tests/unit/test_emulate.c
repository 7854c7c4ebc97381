/*
 * Trap-and-emulate (hypervisor/emulate): what each instruction does to the
 * registers, the devices and the domain, as tables; interrupts there and back;
 * page tables; what ends a domain. The source is Intel's SDM, volumes 2 and 3.
 */
#include "core.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "console.h"
#include "emulate/emulate.h"
#include "emulate/machine.h"
#include "hypercalls/hypercall.h"
#include "test/engine_test.h"

#define CODE   (CORE_RAM)
#define TABLES (CORE_RAM + 0x1000) /* GDT, IDT, TSS */
#define STACK  (CORE_RAM + 0x3000)
#define IST    (CORE_RAM + 0x4000)
#define DATA   (CORE_RAM + 0x5000)
#define PAGING (CORE_RAM + 0x8000) /* four pages */

#define GDT_AT TABLES
#define TSS_AT (TABLES + 0x100)
#define IDT_AT (TABLES + 0x200)

#define HANDLER    0x123456789abcull
#define TIMER_IRQ  0x20u
#define EVENT_IRQ  0x30u
#define FLAGS_USER 0x246u

static struct {
    struct rs_host *h;
    uint16_t id;
    struct domain *d;
    struct vcpu *v;
    struct cpu_user_regs regs;
    struct emulate_next next;
    char console[512];
    size_t said;
} fx;

static void take_console(void *data, const char *bytes, size_t n)
{
    (void)data;
    for (size_t i = 0; i < n && fx.said + 1 < sizeof(fx.console); i++)
        fx.console[fx.said++] = bytes[i];
    fx.console[fx.said] = '\0';
}

static int setup(void **state)
{
    (void)state;
    memset(&fx, 0, sizeof(fx));
    fx.h = core_host("test");
    fx.id = core_boot_flags(fx.h, RS_DOMAIN_TRAP);
    fx.d = core_domain(fx.h, fx.id);
    fx.v = &fx.d->vcpu[0];
    console_free(fx.d);
    console_open(fx.d, take_console, NULL);
    fx.regs.rflags = FLAGS_USER;
    fx.regs.rsp = STACK;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rs_host_free(fx.h);
    return 0;
}

/* ---- the guest ---- */

static void trap(unsigned int vector, uint64_t address)
{
    fx.regs.entry_vector = vector;
    fx.next = emulate_ops.exit(fx.v, EMULATE_TRAP, address, &fx.regs);
}

/* The instruction faults at CODE. */
static void run(const void *bytes, size_t n)
{
    memset(core_at(fx.h, fx.id, CODE), 0x90, 64);
    memcpy(core_at(fx.h, fx.id, CODE), bytes, n);
    fx.regs.rip = CODE;
    fx.regs.error_code = 0;
    trap(VECTOR_GP, 0);
}

#define RUN(...)                                  \
    do {                                          \
        const uint8_t bytes_[] = { __VA_ARGS__ }; \
        run(bytes_, sizeof(bytes_));              \
    } while (0)

static void interrupt(void)
{
    fx.next = emulate_ops.exit(fx.v, EMULATE_INTERRUPT, 0, &fx.regs);
}

static bool crashed(const char *why)
{
    struct rs_domain_info i;

    assert_int_equal(rs_domain_info(fx.h, fx.id, &i), 0);
    return i.state == RS_DOMAIN_SHUTDOWN && strstr(i.crash, why);
}

static void gate(unsigned int vector, uint64_t to, unsigned int ist,
                 unsigned int type)
{
    uint64_t *g = core_at(fx.h, fx.id, IDT_AT + 16 * vector);

    g[0] = (to & 0xffff) | KERNEL_CS << 16 | (uint64_t)ist << 32 |
           (uint64_t)(0x80 | type) << 40 | (to >> 16 & 0xffff) << 48;
    g[1] = to >> 32;
}

/* A kernel that has loaded its tables. */
static void load_tables(void)
{
    uint64_t *gdt = core_at(fx.h, fx.id, GDT_AT);
    uint8_t *operand = core_at(fx.h, fx.id, DATA);
    uint64_t base = GDT_AT;

    gdt[1] = 0x00af9b000000ffff;
    gdt[2] = 0x00cf93000000ffff;
    gdt[3] = 103 | (TSS_AT & 0xffffff) << 16 | 0x89ull << 40 |
             (TSS_AT >> 24 & 0xff) << 56;
    gdt[4] = TSS_AT >> 32;
    memcpy(core_at(fx.h, fx.id, TSS_AT + 36), &(uint64_t){ IST }, 8);
    memcpy(operand, &(uint16_t){ 39 }, 2);
    memcpy(operand + 2, &base, 8);
    fx.regs.rbx = DATA;
    RUN(0x0f, 0x01, 0x13); /* lgdt (%rbx) */
    base = IDT_AT;
    memcpy(operand, &(uint16_t){ 64 * 16 - 1 }, 2);
    memcpy(operand + 2, &base, 8);
    RUN(0x0f, 0x01, 0x1b); /* lidt (%rbx) */
    fx.regs.rax = 0x18;
    RUN(0x0f, 0x00, 0xd8); /* ltr %ax */
    gate(VECTOR_GP, HANDLER, 0, 0xe);
    gate(VECTOR_PF, HANDLER, 1, 0xe);
    gate(TIMER_IRQ, HANDLER, 1, 0xe);
    gate(EVENT_IRQ, HANDLER, 1, 0xe);
}

static void expect_frame(uint64_t at, const uint64_t *want, unsigned int n)
{
    assert_memory_equal(core_at(fx.h, fx.id, at), want, n * 8);
}

/* ---- registers in, registers out ---- */

static const struct {
    const char *what;
    uint8_t bytes[10], n;
    uint64_t rax, rcx, rdx;    /* before */
    uint64_t out_rax, out_rdx; /* after */
} registers[] = {
    { "in %dx,%al where nothing is keeps the rest of rax",
      { 0xec },
      1,
      0x1122334455667788,
      0,
      0x999,
      0x11223344556677ff,
      0x999 },
    { "in %dx,%ax",
      { 0x66, 0xed },
      2,
      0x11223344,
      0,
      0x999,
      0x1122ffff,
      0x999 },
    { "in %dx,%eax clears the upper half",
      { 0xed },
      1,
      ~0ull,
      0,
      0x999,
      0xffffffff,
      0x999 },
    { "in $0x21,%al: the controller's mask",
      { 0xe4, 0x21 },
      2,
      0,
      0,
      0,
      0xff,
      0 },
    { "in: line status of the serial port",
      { 0xec },
      1,
      0,
      0,
      0x3fd,
      0x60,
      0x3fd },
    { "rdmsr EFER", { 0x0f, 0x32 }, 2, ~0ull, 0xc0000080, ~0ull, 0x500, 0 },
    { "rdmsr FS_BASE", { 0x0f, 0x32 }, 2, 9, 0xc0000100, 9, 0, 0 },
    { "mov %cr0,%rax", { 0x0f, 0x20, 0xc0 }, 3, 0, 0, 0, 0x80050033, 0 },
    { "mov %cr4,%rdx", { 0x0f, 0x20, 0xe2 }, 3, 1, 0, 0, 1, 0x20 },
    { "mov %cr2,%rax", { 0x0f, 0x20, 0xd0 }, 3, 1, 0, 0, 0, 0 },
    { "clts", { 0x0f, 0x06 }, 2, 1, 2, 3, 1, 3 },
    { "wbinvd", { 0x0f, 0x09 }, 2, 1, 2, 3, 1, 3 },
    { "prefixes that mean nothing here",
      { 0x2e, 0x3e, 0xfa },
      3,
      1,
      2,
      3,
      1,
      3 },
};

static void registers_go_in_and_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        fx.regs.rax = registers[i].rax;
        fx.regs.rcx = registers[i].rcx;
        fx.regs.rdx = registers[i].rdx;
        run(registers[i].bytes, registers[i].n);
        if (fx.regs.rax != registers[i].out_rax ||
            fx.regs.rdx != registers[i].out_rdx ||
            fx.regs.rip != CODE + registers[i].n)
            fail_msg("%s: rax %llx rdx %llx rip +%llu", registers[i].what,
                     (unsigned long long)fx.regs.rax,
                     (unsigned long long)fx.regs.rdx,
                     (unsigned long long)(fx.regs.rip - CODE));
    }
}

/* Forms of a memory operand: where invlpg and lidt would look. */
static const struct {
    const char *what;
    uint8_t bytes[10], n;
    uint64_t rax, rbx, r12, r13;
} operands[] = {
    { "(%rbx)", { 0x0f, 0x01, 0x1b }, 3, 0, DATA, 0, 0 },
    { "-8(%rbx)", { 0x0f, 0x01, 0x5b, 0xf8 }, 4, 0, DATA + 8, 0, 0 },
    { "0x1000(%rbx)",
      { 0x0f, 0x01, 0x9b, 0, 0x10, 0, 0 },
      7,
      0,
      DATA - 0x1000,
      0,
      0 },
    { "(%rbx,%rax,8)", { 0x0f, 0x01, 0x1c, 0xc3 }, 4, 2, DATA - 16, 0, 0 },
    { "(%r12)", { 0x41, 0x0f, 0x01, 0x1c, 0x24 }, 5, 0, 0, DATA, 0 },
    { "0(%r13)", { 0x41, 0x0f, 0x01, 0x5d, 0x00 }, 5, 0, 0, 0, DATA },
    { "(%rbx,%r12,4)", { 0x42, 0x0f, 0x01, 0x1c, 0xa3 }, 5, 0, DATA - 8, 2, 0 },
    { "absolute",
      { 0x0f, 0x01, 0x1c, 0x25, DATA & 0xff, DATA >> 8 & 0xff,
        DATA >> 16 & 0xff, 0 },
      8,
      0,
      0,
      0,
      0 },
    { "0x4ff9(%rip)", { 0x0f, 0x01, 0x1d, 0xf9, 0x4f, 0, 0 }, 7, 0, 0, 0, 0 },
};

static void memory_operands_are_found(void **state)
{
    uint8_t *at = core_at(fx.h, fx.id, DATA);
    uint64_t base;

    (void)state;
    for (size_t i = 0; i < sizeof(operands) / sizeof(operands[0]); i++) {
        base = 0xabc000 + i;
        memcpy(at, &(uint16_t){ 0xfff }, 2);
        memcpy(at + 2, &base, 8);
        fx.regs.rax = operands[i].rax;
        fx.regs.rbx = operands[i].rbx;
        fx.regs.r12 = operands[i].r12;
        fx.regs.r13 = operands[i].r13;
        run(operands[i].bytes, operands[i].n);
        if (fx.v->emulated->idt.base != base ||
            fx.regs.rip != CODE + operands[i].n)
            fail_msg("%s: base %llx, rip +%llu", operands[i].what,
                     (unsigned long long)fx.v->emulated->idt.base,
                     (unsigned long long)(fx.regs.rip - CODE));
    }
}

/* ---- flags and sleep ---- */

static void the_flag_is_the_mask_of_vcpu_info(void **state)
{
    (void)state;
    RUN(0xfb); /* sti */
    assert_int_equal(vcpu_info_of(fx.v)->evtchn_upcall_mask, 0);
    RUN(0xfa); /* cli */
    assert_int_equal(vcpu_info_of(fx.v)->evtchn_upcall_mask, 1);
    assert_int_equal(fx.v->traps, 2);
}

static void halting(void **state)
{
    (void)state;
    RUN(0xfb, 0xf4); /* sti; hlt: one exit */
    assert_true(fx.next.halted);
    assert_int_equal(fx.regs.rip, CODE + 2);
    interrupt(); /* there is none */
    assert_true(fx.next.halted);
    assert_false(crashed(""));
}

static void halting_for_ever_ends_it(void **state)
{
    (void)state;
    RUN(0xf4);
    assert_true(crashed("hlt with interrupts off"));
}

/* ---- model-specific and control registers ---- */

static void the_thread_pointer(void **state)
{
    (void)state;
    fx.regs.rcx = 0xc0000100;
    fx.regs.rax = 0x55667788;
    fx.regs.rdx = 0x1122;
    RUN(0x0f, 0x30); /* wrmsr */
    assert_true(fx.next.new_fs);
    assert_int_equal(fx.next.fs_base, 0x112255667788);
    RUN(0xfa);
    assert_false(fx.next.new_fs);
    fx.regs.rax = 0;
    RUN(0x0f, 0x32);
    assert_int_equal(fx.regs.rax, 0x55667788);
    assert_int_equal(fx.regs.rdx, 0x1122);
}

/* What the processor itself answers with #GP: rip stays, the handler runs. */
static const struct {
    const char *what;
    uint8_t bytes[4], n;
    uint64_t rax, rcx, rdx;
} refused[] = {
    { "rdmsr of one that is not there", { 0x0f, 0x32 }, 2, 0, 0x1234, 0 },
    { "wrmsr of one that is not there", { 0x0f, 0x30 }, 2, 0, 0x1234, 0 },
    { "a base that is not canonical",
      { 0x0f, 0x30 },
      2,
      0,
      0xc0000100,
      1u << 30 },
    { "leaving 64-bit mode by EFER", { 0x0f, 0x30 }, 2, 0, 0xc0000080, 0 },
    { "paging off", { 0x0f, 0x22, 0xc0 }, 3, 0x33, 0, 0 },
    { "physical address extension off", { 0x0f, 0x22, 0xe0 }, 3, 0, 0, 0 },
    { "ltr of a busy task", { 0x0f, 0x00, 0xd8 }, 3, 0x18, 0, 0 },
    { "ltr of code", { 0x0f, 0x00, 0xd8 }, 3, 0x08, 0, 0 },
    { "ltr beyond the table", { 0x0f, 0x00, 0xd8 }, 3, 0x80, 0, 0 },
    { "sgdt, where it traps, is not lgdt", { 0x0f, 0x01, 0x02 }, 3, 0, 0, 0 },
    { "a call where nothing is", { 0xff, 0x10 }, 2, 0, 0, 0 },
    { "sldt, where it traps, is not ltr", { 0x0f, 0x00, 0x03 }, 3, 0, 0, 0 },
    { "an access that faults for itself", { 0x48, 0x8b, 0x00 }, 3, 0, 0, 0 },
};

static void refusals_come_back_as_traps(void **state)
{
    (void)state;
    load_tables();
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        fx.regs.rsp = STACK;
        fx.regs.rax = refused[i].rax;
        fx.regs.rcx = refused[i].rcx;
        fx.regs.rdx = refused[i].rdx;
        run(refused[i].bytes, refused[i].n);
        if (fx.regs.rip != HANDLER)
            fail_msg("%s: rip %llx", refused[i].what,
                     (unsigned long long)fx.regs.rip);
        expect_frame(STACK - 48,
                     (uint64_t[]){ 0, CODE, KERNEL_CS, FLAGS_USER & ~FLAG_IF,
                                   STACK, KERNEL_SS },
                     6);
    }
}

/* ---- what is known and not emulated: the report names it ---- */

static const struct {
    uint8_t bytes[4], n;
    const char *name;
} unknown[] = {
    { { 0x0f, 0x33 }, 2, "rdpmc" },
    { { 0x0f, 0x08 }, 2, "invd" },
    { { 0x6e }, 1, "outs" },
    { { 0x0f, 0x23, 0xf8 }, 3, "mov to dr" },
    { { 0x0f, 0x01, 0xf8 }, 3, "swapgs" },
    { { 0x0f, 0x01, 0xd1 }, 3, "xsetbv" },
    { { 0x0f, 0x00, 0xd0 }, 3, "lldt" },
    { { 0x44, 0x0f, 0x20, 0xc0 }, 4, "mov from cr" },
    { { 0x0f, 0x01, 0xf0 }, 3, "lmsw" },
    { { 0xcf }, 1, "iretq" },
    { { 0x8e, 0xd8 }, 2, "mov to a segment" },
    { { 0x48, 0xcb }, 2, "far ret" },
    { { 0xcd, 0x30 }, 2, "int" },
    { { 0x48, 0xff, 0x18 }, 3, "far call" },
    { { 0x48, 0xff, 0x28 }, 3, "far jmp" },
};

static void the_unknown_is_named(void **state)
{
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        char want[64];

        if (i > 0) {
            teardown(state);
            setup(state);
        }
        snprintf(want, sizeof(want),
                 "%s, an instruction that is not emulated, at rip 0x%llx",
                 unknown[i].name, (unsigned long long)CODE);
        run(unknown[i].bytes, unknown[i].n);
        if (!crashed(want))
            fail_msg("%s: %s", unknown[i].name, fx.d->crash);
    }
}

/* ---- interrupts ---- */

static void event_arrives(void)
{
    struct xen_hvm_evtchn_upcall_vector op = { .vector = EVENT_IRQ };

    assert_int_equal(core_op(fx.h, fx.id, __HYPERVISOR_hvm_op,
                             HVMOP_set_evtchn_upcall_vector, &op, sizeof(op)),
                     0);
    vcpu_info_of(fx.v)->evtchn_upcall_pending = 1;
}

static void an_event_interrupts_and_returns(void **state)
{
    struct cpu_user_regs before;

    (void)state;
    load_tables();
    event_arrives();
    interrupt(); /* interrupts are off */
    assert_int_not_equal(fx.regs.rip, HANDLER);
    RUN(0xfb); /* sti */
    assert_int_equal(fx.regs.rip, HANDLER);
    assert_int_equal(fx.regs.rsp, IST - 40); /* the gate names a stack */
    expect_frame(IST - 40,
                 (uint64_t[]){ CODE + 1, KERNEL_CS, FLAGS_USER | FLAG_IF, STACK,
                               KERNEL_SS },
                 5);
    assert_int_equal(vcpu_info_of(fx.v)->evtchn_upcall_mask, 1);
    vcpu_info_of(fx.v)->evtchn_upcall_pending = 0; /* the handler */
    before = fx.regs;
    RUN(0x48, 0xcf); /* iretq */
    assert_int_equal(fx.regs.rip, CODE + 1);
    assert_int_equal(fx.regs.rsp, STACK);
    assert_int_equal(vcpu_info_of(fx.v)->evtchn_upcall_mask, 0);
    assert_int_equal(fx.regs.rbx, before.rbx);
}

static void an_event_ends_a_halt(void **state)
{
    (void)state;
    load_tables();
    RUN(0xfb, 0xf4);
    assert_true(fx.next.halted);
    event_arrives();
    interrupt();
    assert_false(fx.next.halted);
    assert_int_equal(fx.regs.rip, HANDLER);
    /* It came behind the halt. */
    expect_frame(IST - 40, (uint64_t[]){ CODE + 2 }, 1);
}

static void a_page_fault_tells_its_address(void **state)
{
    (void)state;
    load_tables();
    fx.regs.rip = CODE;
    fx.regs.error_code = 6;
    trap(VECTOR_PF, 0xdead000);
    assert_int_equal(fx.regs.rip, HANDLER);
    expect_frame(IST - 48, (uint64_t[]){ 6, CODE }, 2);
    RUN(0x0f, 0x20, 0xd0); /* mov %cr2, %rax */
    assert_int_equal(fx.regs.rax, 0xdead000);
}

static void without_a_handler_it_ends(void **state)
{
    (void)state;
    trap(VECTOR_PF, 0xdead000);
    assert_true(crashed("page fault"));
    assert_true(crashed("no handler"));
}

static void a_stack_that_is_not_there_ends_it(void **state)
{
    (void)state;
    load_tables();
    fx.regs.rsp = 0x1000;
    trap(VECTOR_GP, 0);
    assert_true(crashed("no handler"));
}

/* ---- devices ---- */

static void out(uint16_t port, uint8_t value)
{
    fx.regs.rax = value;
    fx.regs.rdx = port;
    RUN(0xee);
}

static void open_lines(void)
{
    out(0x20, 0x11);
    out(0x21, TIMER_IRQ);
    out(0x21, 4);
    out(0x21, 1);
    out(0x21, 0xfe);
}

static void start_timer(uint8_t control, uint16_t ticks)
{
    out(0x43, control);
    out(0x40, (uint8_t)ticks);
    out(0x40, (uint8_t)(ticks >> 8));
}

static void wait_until(uint64_t system_time)
{
    while (time_system(fx.h) < system_time)
        ;
}

static void the_timer_interrupts_once(void **state)
{
    (void)state;
    load_tables();
    open_lines();
    start_timer(0x30, 1193); /* 1 ms */
    assert_in_range(fx.next.deadline, time_system(fx.h) - 1000000,
                    time_system(fx.h) + 1000000);
    RUN(0xfb, 0xf4);
    assert_true(fx.next.halted);
    wait_until(fx.next.deadline);
    interrupt();
    assert_false(fx.next.halted);
    assert_int_equal(fx.regs.rip, HANDLER);
    assert_int_equal(fx.next.deadline, 0);
    /* Another waits until the end of this one was told. */
    start_timer(0x30, 1);
    wait_until(time_system(fx.h) + 1000000);
    RUN(0xfb);
    assert_int_equal(fx.regs.rip, CODE + 1);
    out(0x20, 0x20);
    assert_int_equal(fx.regs.rip, HANDLER);
}

/* Modes 2 and 3. */
static void a_rate_goes_on(void **state)
{
    uint64_t first;

    (void)state;
    load_tables();
    for (uint8_t control = 0x34; control <= 0x36; control += 2) {
        open_lines();
        start_timer(control, 1193);
        first = fx.next.deadline;
        wait_until(first);
        interrupt();
        assert_in_range(fx.next.deadline, first + 900000, first + 1100000000);
    }
    out(0x21, 0xff); /* masked: nobody waits for it */
    assert_int_equal(fx.next.deadline, 0);
}

static uint8_t in(uint16_t port)
{
    fx.regs.rdx = port;
    RUN(0xec);
    return (uint8_t)fx.regs.rax;
}

static unsigned int in_twice(uint16_t port)
{
    unsigned int low = in(port);

    return low | (unsigned int)in(port) << 8;
}

static void the_timer_tells_its_count(void **state)
{
    unsigned int first = 0;

    (void)state;
    while (!first) { /* it has 55 ms */
        start_timer(0x30, 0xffff);
        first = in_twice(0x40);
    }
    out(0x43, 0x00); /* latch it */
    wait_until(time_system(fx.h) + 1000000);
    assert_in_range(in_twice(0x40), 0, first);
    assert_in_range(in_twice(0x40), 0, first > 1193 ? first - 1193 : 0);
}

/* As many words as the first one says. */
static void the_controller_is_initialised(void **state)
{
    static const struct {
        uint8_t first, others;
    } words[] = { { 0x11, 3 }, { 0x13, 2 }, { 0x10, 2 }, { 0x12, 1 } };

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        out(0x20, words[i].first);
        for (uint8_t k = 0; k < words[i].others; k++)
            out(0x21, TIMER_IRQ);
        out(0x21, 0xa5);
        assert_int_equal(in(0x21), 0xa5);
        assert_int_equal(fx.v->emulated->pic.base, TIMER_IRQ);
    }
}

static void the_serial_port_is_the_console(void **state)
{
    (void)state;
    out(0x3fb, 0x80); /* the divisor's bytes are not printed */
    out(0x3f8, 'x');
    out(0x3fb, 0x03);
    out(0x3f8, 'h');
    out(0x3f8, 'i');
    assert_string_equal(fx.console, "");
    out(0x3f8, '\n');
    assert_string_equal(fx.console, "hi\n");
    out(0x3f8, '!');
    rs_domain_pause(fx.h, fx.id);
    domain_shutdown(fx.d, SHUTDOWN_poweroff, 0);
    assert_string_equal(fx.console, "hi\n!");
}

/* ---- page tables ---- */

static uint64_t *table(unsigned int n)
{
    return core_at(fx.h, fx.id, PAGING + n * 4096ull);
}

static void load_cr3(void)
{
    do {
        fx.regs.rax = PAGING;
        RUN(0x0f, 0x22, 0xd8); /* mov %rax, %cr3 */
    } while (fx.regs.rip == CODE && !fx.d->shut_down);
}

/* RAM in one page of 2 MiB, or in 512 of 4 KiB. */
static void map_large(void)
{
    table(0)[0] = (PAGING + 0x1000) | 3;
    table(1)[0] = (PAGING + 0x2000) | 3;
    table(2)[0] = 0x83;
}

static void map_small(void)
{
    map_large();
    table(2)[0] = (PAGING + 0x3000) | 3;
    for (uint64_t i = 0; i < 512; i++)
        table(3)[i] = i << 12 | 3;
}

static uint8_t shown(uint64_t addr)
{
    return fx.v->emulated->shown[addr >> 12];
}

static void flush(uint64_t addr)
{
    fx.regs.rbx = addr;
    RUN(0x0f, 0x01, 0x3b); /* invlpg (%rbx) */
}

static void pages_are_taken_and_given(void **state)
{
    (void)state;
    map_large();
    load_cr3();
    assert_int_equal(shown(DATA), 0);
    map_small();
    table(3)[DATA >> 12] = 0;
    flush(DATA + 0x1000); /* another one */
    assert_int_equal(shown(DATA), 0);
    flush(DATA + 5);
    assert_int_equal(shown(DATA), 2);
    table(3)[DATA >> 12] = DATA | 1;
    load_cr3();
    assert_int_equal(shown(DATA), 1);
    table(3)[DATA >> 12] = DATA | 3;
    flush(DATA);
    assert_int_equal(shown(DATA), 0);
    assert_false(crashed(""));
}

static long adjust(uint64_t cmd, xen_pfn_t gfn)
{
    struct xen_memory_reservation op = { .nr_extents = 1, .domid = DOMID_SELF };
    xen_pfn_t *list = core_at(fx.h, fx.id, STACK);

    *list = gfn;
    op.extent_start.p = (void *)(uintptr_t)STACK;
    return core_op(fx.h, fx.id, __HYPERVISOR_memory_op, cmd, &op, sizeof(op));
}

/* A page that comes back shows, whatever stood there; then tables count. */
static void a_page_is_given_back_and_taken_again(void **state)
{
    (void)state;
    map_small();
    table(3)[DATA >> 12] = 0;
    load_cr3();
    assert_int_equal(shown(DATA), 2);
    assert_int_equal(adjust(XENMEM_decrease_reservation, DATA >> 12), 1);
    assert_int_equal(adjust(XENMEM_populate_physmap, DATA >> 12), 1);
    assert_int_equal(shown(DATA), 0);
    flush(DATA);
    assert_int_equal(shown(DATA), 2);
}

/* More pages than one turn may change: the instruction is executed again. */
static void a_load_is_done_in_turns(void **state)
{
    unsigned int turns = 0;

    (void)state;
    map_small();
    for (uint64_t i = 0x190; i < 512; i++)
        if (i << 12 < PAGING || i << 12 >= PAGING + 0x4000)
            table(3)[i] = 0;
    fx.v->work = 0;
    do {
        fx.regs.rax = PAGING;
        RUN(0x0f, 0x22, 0xd8);
        turns++;
    } while (fx.regs.rip == CODE && turns < 100);
    assert_in_range(turns, 2, 20);
    assert_int_equal(shown(511ull << 12), 2);
    assert_int_equal(shown(PAGING), 0);
}

static void the_image_keeps_its_protection(void **state)
{
    (void)state;
    map_small();
    table(3)[CORE_IMAGE_ENTRY >> 12] = 0;
    load_cr3();
    assert_int_equal(shown(CORE_IMAGE_ENTRY), 0);
}

static void memory_does_not_move(void **state)
{
    (void)state;
    map_small();
    table(3)[DATA >> 12] = (DATA + 0x1000) | 3;
    load_cr3();
    assert_true(crashed("mapped one to one"));
}

static void tables_outside_of_memory_end_it(void **state)
{
    (void)state;
    table(0)[0] = 0x7fffffff000 | 3;
    load_cr3();
    assert_true(crashed("page tables"));
}

/* ---- which kernel in which mode ---- */

static void a_kernel_has_one_mode(void **state)
{
    uint8_t image[CORE_IMAGE_SIZE];
    struct rs_domain_config c = { .memory_kib = CORE_KIB,
                                  .kernel = image,
                                  .kernel_size = sizeof(image),
                                  .flags = RS_DOMAIN_TRAP };

    (void)state;
    core_image(image);
    assert_true(rs_domain_create(fx.h, &c) < 0);
    assert_non_null(strstr(rs_error(), "needs its native twin"));
    c.vcpus = 2;
    assert_true(rs_domain_create(fx.h, &c) < 0);
    assert_non_null(strstr(rs_error(), "one vCPU, not 2"));
}

static void the_vector_is_checked(void **state)
{
    struct xen_hvm_evtchn_upcall_vector op = { .vector = 15 };
    uint16_t pv = core_boot(fx.h);

    (void)state;
    assert_int_equal(core_op(fx.h, fx.id, __HYPERVISOR_hvm_op,
                             HVMOP_set_evtchn_upcall_vector, &op, sizeof(op)),
                     -XEN_EINVAL);
    op.vcpu = 1;
    assert_int_equal(core_op(fx.h, fx.id, __HYPERVISOR_hvm_op,
                             HVMOP_set_evtchn_upcall_vector, &op, sizeof(op)),
                     -XEN_ENOENT);
    assert_int_equal(core_call(fx.h, fx.id, __HYPERVISOR_hvm_op,
                               HVMOP_set_evtchn_upcall_vector, 1, 0),
                     -XEN_EFAULT);
    assert_int_equal(core_op(fx.h, pv, __HYPERVISOR_hvm_op,
                             HVMOP_set_evtchn_upcall_vector, &op, sizeof(op)),
                     -XEN_ENOSYS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registers_go_in_and_out),
        TEST(memory_operands_are_found),
        TEST(the_flag_is_the_mask_of_vcpu_info),
        TEST(halting),
        TEST(halting_for_ever_ends_it),
        TEST(the_thread_pointer),
        TEST(refusals_come_back_as_traps),
        TEST(the_unknown_is_named),
        TEST(an_event_interrupts_and_returns),
        TEST(an_event_ends_a_halt),
        TEST(a_page_fault_tells_its_address),
        TEST(without_a_handler_it_ends),
        TEST(a_stack_that_is_not_there_ends_it),
        TEST(the_timer_interrupts_once),
        TEST(a_rate_goes_on),
        TEST(the_timer_tells_its_count),
        TEST(the_controller_is_initialised),
        TEST(the_serial_port_is_the_console),
        TEST(pages_are_taken_and_given),
        TEST(a_page_is_given_back_and_taken_again),
        TEST(a_load_is_done_in_turns),
        TEST(the_image_keeps_its_protection),
        TEST(memory_does_not_move),
        TEST(tables_outside_of_memory_end_it),
        TEST(a_kernel_has_one_mode),
        TEST(the_vector_is_checked),
    };

    return cmocka_run_group_tests_name("emulate", tests, NULL, NULL);
}
