/*
 * Instruction bytes → operands, as far as privileged instructions need it
 * (Intel SDM volume 2, chapter 2). The bytes are a copy; every read of them is
 * bounded.
 */
#include "machine.h"

#define REX_B 1u
#define REX_X 2u
#define REX_R 4u
#define REX_W 8u

static bool next(struct insn *i, uint8_t *byte)
{
    if (i->length >= i->available)
        return false;
    *byte = i->bytes[i->length++];
    return true;
}

/* Legacy prefixes that change nothing of what we emulate, or only the size. */
static bool is_prefix(uint8_t b)
{
    return b == 0x66 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26;
}

bool insn_begin(struct insn *i)
{
    uint8_t b = 0, rex = 0;
    bool more = next(i, &b);

    while (more && is_prefix(b)) {
        i->operand16 |= b == 0x66;
        more = next(i, &b);
    }
    if (more && (b & 0xf0) == 0x40) {
        rex = b & 0xf;
        more = next(i, &b);
    }
    if (more && b == 0x0f) {
        i->two_byte = true;
        more = next(i, &b);
    }
    i->opcode = b;
    i->wide = rex & REX_W;
    /* Kept until insn_finish() puts the fields of ModRM under them. */
    i->reg = rex & REX_R ? 8 : 0;
    i->rm = rex & REX_B ? 8 : 0;
    i->mod = rex & REX_X ? 8 : 0;
    return more;
}

int insn_peek(const struct insn *i)
{
    return i->length < i->available ? i->bytes[i->length] : -1;
}

uint64_t *insn_register(struct cpu_user_regs *r, unsigned int n)
{
    uint64_t *const at[16] = { &r->rax, &r->rcx, &r->rdx, &r->rbx,
                               &r->rsp, &r->rbp, &r->rsi, &r->rdi,
                               &r->r8,  &r->r9,  &r->r10, &r->r11,
                               &r->r12, &r->r13, &r->r14, &r->r15 };

    return at[n & 15];
}

static uint64_t value_of(const struct cpu_user_regs *regs, unsigned int n)
{
    struct cpu_user_regs copy = *regs;

    return *insn_register(&copy, n);
}

/* A displacement of n bytes, sign-extended. */
static bool take_signed(struct insn *i, unsigned int n, uint64_t *value)
{
    uint64_t v = 0;
    uint8_t b;

    for (unsigned int k = 0; k < n; k++) {
        if (!next(i, &b))
            return false;
        v |= (uint64_t)b << 8 * k;
    }
    if (n && n < 8 && v >> (8 * n - 1))
        v |= ~0ull << 8 * n;
    *value += v;
    return true;
}

/* base + index * scale; without base a displacement of 32 bits follows. */
static bool take_sib(struct insn *i, unsigned int rex_x, unsigned int rex_b,
                     const struct cpu_user_regs *regs, bool *bare)
{
    unsigned int index, base;
    uint8_t sib;

    if (!next(i, &sib))
        return false;
    index = (sib >> 3 & 7) | rex_x;
    base = (sib & 7) | rex_b;
    if (index != 4)
        i->address += value_of(regs, index) << (sib >> 6);
    *bare = (base & 7) == 5 && i->mod == 0;
    if (!*bare)
        i->address += value_of(regs, base);
    return true;
}

static bool take_memory(struct insn *i, unsigned int rex_x, unsigned int rex_b,
                        const struct cpu_user_regs *regs)
{
    bool bare = false, relative = (i->rm & 7) == 5 && i->mod == 0;
    unsigned int displacement;

    if ((i->rm & 7) == 4) {
        if (!take_sib(i, rex_x, rex_b, regs, &bare))
            return false;
    } else if (!relative) {
        i->address = value_of(regs, i->rm);
    }
    displacement = i->mod == 1 ? 1 : i->mod == 2 || bare || relative ? 4 : 0;
    if (!take_signed(i, displacement, &i->address))
        return false;
    /* Relative to what follows; none of ours has an immediate behind. */
    if (relative)
        i->address += regs->rip + i->length;
    return true;
}

static bool take_modrm(struct insn *i, const struct cpu_user_regs *regs)
{
    unsigned int rex_x = i->mod, rex_b = i->rm;
    uint8_t b;

    if (!next(i, &b))
        return false;
    i->mod = b >> 6;
    i->reg |= b >> 3 & 7;
    i->rm |= b & 7;
    return i->mod == 3 || take_memory(i, rex_x, rex_b, regs);
}

bool insn_finish(struct insn *i, enum operands operands,
                 const struct cpu_user_regs *regs)
{
    if (operands == OP_IMM8)
        return next(i, &i->imm);
    return operands == OP_NONE || take_modrm(i, regs);
}
