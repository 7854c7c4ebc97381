/*
 * The instructions that fault outside of ring 0, and what each does on the
 * emulated processor (Intel SDM volume 2). One row each; a row without function
 * is an instruction that we know and do not emulate.
 */
#include <stdio.h>
#include <string.h>

#include "preempt.h"
#include "machine.h"

#define CR0_PE  1ull
#define CR0_TS  8ull
#define CR0_PG  (1ull << 31)
#define CR4_PAE 0x20ull

#define EFER_SCE  1ull
#define EFER_LONG 0x500ull /* LME, LMA */
#define EFER_NXE  0x800ull

#define MSR_TSC     0x10u
#define MSR_EFER    0xc0000080u
#define MSR_FS_BASE 0xc0000100u

#define OPCODE_HLT 0xf4u

typedef enum outcome insn_fn(struct vcpu *v, struct cpu_user_regs *r,
                             struct insn *i);

/* ---- interrupts ---- */

static enum outcome op_cli(struct vcpu *v, struct cpu_user_regs *r,
                           struct insn *i)
{
    (void)r;
    (void)i;
    set_irqs(v, false);
    return DONE;
}

static enum outcome op_hlt(struct vcpu *v, struct cpu_user_regs *r,
                           struct insn *i)
{
    (void)r;
    (void)i;
    if (!irqs_on(v)) {
        domain_crash(v->domain, "halted for ever: hlt with interrupts off");
        return MOVED;
    }
    v->emulated->halted = true;
    return DONE;
}

/*
 * Nothing comes between `sti` and its `hlt`: those two are one exit. Before
 * other instructions it may, which a processor would do behind them.
 */
static enum outcome op_sti(struct vcpu *v, struct cpu_user_regs *r,
                           struct insn *i)
{
    set_irqs(v, true);
    if (insn_peek(i) != OPCODE_HLT)
        return DONE;
    i->length++;
    return op_hlt(v, r, i);
}

static enum outcome op_iret(struct vcpu *v, struct cpu_user_regs *r,
                            struct insn *i)
{
    return i->wide ? return_from_interrupt(v, r) : UNKNOWN;
}

/* ---- input and output ---- */

/* Bytes of the operand: the even opcodes are those of al. */
static unsigned int io_size(const struct insn *i)
{
    return i->opcode & 1 ? (i->operand16 ? 2 : 4) : 1;
}

static uint16_t io_port(const struct cpu_user_regs *r, const struct insn *i)
{
    return i->opcode & 8 ? (uint16_t)r->rdx : i->imm;
}

static enum outcome op_in(struct vcpu *v, struct cpu_user_regs *r,
                          struct insn *i)
{
    unsigned int n = io_size(i);
    uint16_t port = io_port(r, i);
    uint64_t keep = n == 4 ? 0 : ~0ull << 8 * n, value = 0;

    for (unsigned int k = 0; k < n; k++)
        value |= (uint64_t)port_read(v, (uint16_t)(port + k)) << 8 * k;
    r->rax = (r->rax & keep) | value;
    return DONE;
}

static enum outcome op_out(struct vcpu *v, struct cpu_user_regs *r,
                           struct insn *i)
{
    uint16_t port = io_port(r, i);

    for (unsigned int k = 0; k < io_size(i); k++)
        port_write(v, (uint16_t)(port + k), (uint8_t)(r->rax >> 8 * k));
    return DONE;
}

/* ---- model-specific registers ---- */

static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

static uint64_t read_tsc(void)
{
    uint32_t lo, hi;

    __asm__ __volatile__("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

static enum outcome op_rdmsr(struct vcpu *v, struct cpu_user_regs *r,
                             struct insn *i)
{
    uint64_t value;

    (void)i;
    switch ((uint32_t)r->rcx) {
    case MSR_TSC:
        value = read_tsc();
        break;
    case MSR_EFER:
        value = v->emulated->efer;
        break;
    case MSR_FS_BASE:
        value = v->emulated->fs_base;
        break;
    default:
        return REFUSED;
    }
    r->rax = (uint32_t)value;
    r->rdx = value >> 32;
    return DONE;
}

static enum outcome op_wrmsr(struct vcpu *v, struct cpu_user_regs *r,
                             struct insn *i)
{
    uint64_t value = r->rdx << 32 | (uint32_t)r->rax;
    struct emulated_cpu *c = v->emulated;

    (void)i;
    switch ((uint32_t)r->rcx) {
    case MSR_EFER:
        if ((value & EFER_LONG) != EFER_LONG ||
            (value & ~(EFER_SCE | EFER_LONG | EFER_NXE)))
            return REFUSED;
        c->efer = value;
        return DONE;
    case MSR_FS_BASE:
        if (!is_canonical(value))
            return REFUSED;
        c->fs_base = value;
        c->new_fs = true;
        return DONE;
    default:
        return REFUSED;
    }
}

/* ---- control registers ---- */

static enum outcome op_mov_from_cr(struct vcpu *v, struct cpu_user_regs *r,
                                   struct insn *i)
{
    const struct emulated_cpu *c = v->emulated;
    uint64_t *to = insn_register(r, i->rm);

    switch (i->reg) {
    case 0:
        *to = c->cr0;
        return DONE;
    case 2:
        *to = c->cr2;
        return DONE;
    case 3:
        *to = c->cr3;
        return DONE;
    case 4:
        *to = c->cr4;
        return DONE;
    default:
        return UNKNOWN;
    }
}

/* Nobody leaves 64-bit mode. */
static enum outcome op_mov_to_cr(struct vcpu *v, struct cpu_user_regs *r,
                                 struct insn *i)
{
    uint64_t value = *insn_register(r, i->rm);
    struct emulated_cpu *c = v->emulated;

    switch (i->reg) {
    case 0:
        if ((value & (CR0_PE | CR0_PG)) != (CR0_PE | CR0_PG) || value >> 32)
            return REFUSED;
        c->cr0 = value;
        return DONE;
    case 2:
        c->cr2 = value;
        return DONE;
    case 3:
        return paging_load(v, value);
    case 4:
        if (!(value & CR4_PAE) || value >> 32)
            return REFUSED;
        c->cr4 = value;
        return DONE;
    default:
        return UNKNOWN;
    }
}

static enum outcome op_clts(struct vcpu *v, struct cpu_user_regs *r,
                            struct insn *i)
{
    (void)r;
    (void)i;
    v->emulated->cr0 &= ~CR0_TS;
    return DONE;
}

static enum outcome op_invlpg(struct vcpu *v, struct cpu_user_regs *r,
                              struct insn *i)
{
    (void)r;
    return i->mod == 3 ? UNKNOWN : paging_flush_page(v, i->address);
}

/* The machine's caches are coherent: there is nothing to write back. */
static enum outcome op_wbinvd(struct vcpu *v, struct cpu_user_regs *r,
                              struct insn *i)
{
    (void)v;
    (void)r;
    (void)i;
    return DONE;
}

/* ---- descriptor tables ---- */

/* The operand: a limit of 16 bits, a base of 64. */
static enum outcome load_table(struct vcpu *v, const struct insn *i,
                               struct table_register *t)
{
    uint8_t operand[10];

    if (i->mod == 3)
        return UNKNOWN;
    if (copy_from_guest(v, operand, guest_addr(i->address), sizeof(operand)))
        return REFUSED;
    memcpy(&t->limit, operand, sizeof(t->limit));
    memcpy(&t->base, operand + 2, sizeof(t->base));
    return DONE;
}

static enum outcome op_lgdt(struct vcpu *v, struct cpu_user_regs *r,
                            struct insn *i)
{
    (void)r;
    return load_table(v, i, &v->emulated->gdt);
}

static enum outcome op_lidt(struct vcpu *v, struct cpu_user_regs *r,
                            struct insn *i)
{
    (void)r;
    return load_table(v, i, &v->emulated->idt);
}

static enum outcome op_ltr(struct vcpu *v, struct cpu_user_regs *r,
                           struct insn *i)
{
    if (i->mod != 3)
        return UNKNOWN;
    return load_task(v, (uint16_t)*insn_register(r, i->rm));
}

/* ---- the table ---- */

#define ANY (-1)

/* `ext`: the reg field of ModRM belongs to the opcode (0 to 7), or the whole
 * byte does (from 0xc0 on). */
static const struct rule {
    bool two_byte;
    uint8_t first, last; /* opcodes */
    int16_t ext;
    enum operands operands;
    const char *name;
    insn_fn *fn;
} rules[] = {
    { false, 0x6c, 0x6d, ANY, OP_NONE, "ins", NULL },
    { false, 0x6e, 0x6f, ANY, OP_NONE, "outs", NULL },
    { false, 0x8e, 0x8e, ANY, OP_MODRM, "mov to a segment", NULL },
    { false, 0xca, 0xcb, ANY, OP_NONE, "far ret", NULL },
    { false, 0xcd, 0xcd, ANY, OP_IMM8, "int", NULL },
    { false, 0xcf, 0xcf, ANY, OP_NONE, "iretq", op_iret },
    { false, 0xe4, 0xe5, ANY, OP_IMM8, "in", op_in },
    { false, 0xe6, 0xe7, ANY, OP_IMM8, "out", op_out },
    { false, 0xec, 0xed, ANY, OP_NONE, "in", op_in },
    { false, 0xee, 0xef, ANY, OP_NONE, "out", op_out },
    { false, 0xf4, 0xf4, ANY, OP_NONE, "hlt", op_hlt },
    { false, 0xfa, 0xfa, ANY, OP_NONE, "cli", op_cli },
    { false, 0xfb, 0xfb, ANY, OP_NONE, "sti", op_sti },
    { false, 0xff, 0xff, 3, OP_MODRM, "far call", NULL },
    { false, 0xff, 0xff, 5, OP_MODRM, "far jmp", NULL },
    { true, 0x00, 0x00, 2, OP_MODRM, "lldt", NULL },
    { true, 0x00, 0x00, 3, OP_MODRM, "ltr", op_ltr },
    { true, 0x01, 0x01, 0xd1, OP_MODRM, "xsetbv", NULL },
    { true, 0x01, 0x01, 0xf8, OP_MODRM, "swapgs", NULL },
    { true, 0x01, 0x01, 2, OP_MODRM, "lgdt", op_lgdt },
    { true, 0x01, 0x01, 3, OP_MODRM, "lidt", op_lidt },
    { true, 0x01, 0x01, 6, OP_MODRM, "lmsw", NULL },
    { true, 0x01, 0x01, 7, OP_MODRM, "invlpg", op_invlpg },
    { true, 0x06, 0x06, ANY, OP_NONE, "clts", op_clts },
    { true, 0x07, 0x07, ANY, OP_NONE, "sysret", NULL },
    { true, 0x08, 0x08, ANY, OP_NONE, "invd", NULL },
    { true, 0x09, 0x09, ANY, OP_NONE, "wbinvd", op_wbinvd },
    { true, 0x20, 0x20, ANY, OP_MODRM, "mov from cr", op_mov_from_cr },
    { true, 0x21, 0x21, ANY, OP_MODRM, "mov from dr", NULL },
    { true, 0x22, 0x22, ANY, OP_MODRM, "mov to cr", op_mov_to_cr },
    { true, 0x23, 0x23, ANY, OP_MODRM, "mov to dr", NULL },
    { true, 0x30, 0x30, ANY, OP_NONE, "wrmsr", op_wrmsr },
    { true, 0x32, 0x32, ANY, OP_NONE, "rdmsr", op_rdmsr },
    { true, 0x33, 0x33, ANY, OP_NONE, "rdpmc", NULL },
    { true, 0x35, 0x35, ANY, OP_NONE, "sysexit", NULL },
};

static bool is_extended(int byte, int ext)
{
    if (ext == ANY)
        return true;
    return byte >= 0 && ext == (ext < 8 ? byte >> 3 & 7 : byte);
}

static const struct rule *find_rule(const struct insn *i)
{
    int next = insn_peek(i);

    for (size_t k = 0; k < sizeof(rules) / sizeof(rules[0]); k++) {
        const struct rule *r = &rules[k];

        if (r->two_byte == i->two_byte && i->opcode >= r->first &&
            i->opcode <= r->last && is_extended(next, r->ext))
            return r;
    }
    return NULL;
}

/* As much as is there of the 15 bytes that an instruction has at most. */
static unsigned int fetch(struct vcpu *v, uint64_t rip, uint8_t *to)
{
    unsigned int n = (unsigned int)(PAGE_SIZE - (rip & ~PAGE_MASK));

    if (n > INSN_MAX)
        n = INSN_MAX;
    if (copy_from_guest(v, to, guest_addr(rip), n))
        return 0;
    if (n < INSN_MAX &&
        !copy_from_guest(v, to + n, guest_addr(rip + n), INSN_MAX - n))
        n = INSN_MAX;
    return n;
}

/* The report names it: what is to be added to the table, or to the kernel. */
static enum outcome give_up(struct vcpu *v, const struct cpu_user_regs *r,
                            const struct insn *i, const char *name)
{
    char hex[3 * 8 + 1] = "";

    for (unsigned int k = 0; k < 8 && k < i->available; k++)
        snprintf(hex + 3 * k, 4, " %02x", i->bytes[k]);
    domain_crash(v->domain,
                 "%s, an instruction that is not emulated, at rip %#llx "
                 "(bytes%s)",
                 name, (unsigned long long)r->rip, hex);
    return MOVED;
}

enum outcome emulate_instruction(struct vcpu *v, struct cpu_user_regs *r)
{
    struct insn i = { .length = 0 };
    const struct rule *rule;
    enum outcome outcome;

    i.available = fetch(v, r->rip, i.bytes);
    if (!insn_begin(&i))
        return REFUSED;
    rule = find_rule(&i);
    if (!rule)
        return REFUSED; /* not one of those that rings forbid */
    if (!insn_finish(&i, rule->operands, r))
        return REFUSED;
    outcome = rule->fn ? rule->fn(v, r, &i) : UNKNOWN;
    if (outcome == UNKNOWN)
        return give_up(v, r, &i, rule->name);
    if (outcome == DONE)
        r->rip += i.length;
    return outcome;
}
