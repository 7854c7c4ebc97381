/*
 * Interrupts and exceptions: from a vector through the guest's own tables to
 * its handler, and back by iretq (Intel SDM volume 3, chapter 6).
 *
 * As there is ring 0 alone, a stack is changed only where the gate names one
 * (IST). The frame on it has the segments of a ring-0 kernel; so the iretq at
 * the handler's end, which really runs in ring 3, faults and comes here, where
 * the interrupt flag can be given back with the rest.
 */
#include <string.h>

#include "machine.h"
#include "trap.h"

#define GATE_BYTES     16u
#define GATE_PRESENT   0x80u
#define GATE_INTERRUPT 0xeu
#define GATE_TRAP      0xfu

#define CODE_SEGMENT 0x98u /* present, code */
#define CODE_MASK    0x98u
#define CODE_LONG    0x20u /* of byte 6 */

#define TASK_AVAILABLE 0x89u
#define TASK_BUSY      0x02u
#define TASK_LIMIT     103u
#define TASK_IST       28u /* offset of IST 1, less a pointer */

void set_irqs(struct vcpu *v, bool on)
{
    WRITE_ONCE(vcpu_info_of(v)->evtchn_upcall_mask, !on);
}

bool irqs_on(struct vcpu *v)
{
    return !READ_ONCE(vcpu_info_of(v)->evtchn_upcall_mask);
}

static uint16_t low16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t low32(const uint8_t *p)
{
    return low16(p) | (uint32_t)low16(p + 2) << 16;
}

/* ---- descriptors ---- */

/* n bytes of a descriptor of the GDT. */
static bool read_descriptor(struct vcpu *v, uint16_t selector, uint8_t *to,
                            unsigned int n)
{
    const struct table_register *gdt = &v->emulated->gdt;
    unsigned int offset = selector & ~7u;

    return offset && offset + n - 1 <= gdt->limit &&
           !copy_from_guest(v, to, guest_addr(gdt->base + offset), n);
}

static bool is_code(struct vcpu *v, uint16_t selector)
{
    uint8_t d[8];

    return !(selector & 7) && read_descriptor(v, selector, d, sizeof(d)) &&
           (d[5] & CODE_MASK) == CODE_SEGMENT && (d[6] & CODE_LONG);
}

static uint64_t base_of(const uint8_t *d)
{
    return d[2] | (uint64_t)d[3] << 8 | (uint64_t)d[4] << 16 |
           (uint64_t)d[7] << 24 | (uint64_t)low32(d + 8) << 32;
}

enum outcome load_task(struct vcpu *v, uint16_t selector)
{
    struct emulated_cpu *c = v->emulated;
    uint8_t d[16], busy = TASK_AVAILABLE | TASK_BUSY;

    if ((selector & 7) || !read_descriptor(v, selector, d, sizeof(d)) ||
        d[5] != TASK_AVAILABLE || low16(d) < TASK_LIMIT ||
        copy_to_guest(v, guest_addr(c->gdt.base + selector + 5), &busy, 1))
        return REFUSED;
    c->tss = base_of(d);
    return DONE;
}

/* ---- delivery ---- */

struct gate {
    uint64_t handler;
    unsigned int ist;
    bool clears_if;
};

static bool read_gate(struct vcpu *v, unsigned int vector, struct gate *g)
{
    const struct table_register *idt = &v->emulated->idt;
    uint8_t d[GATE_BYTES];

    if (vector * GATE_BYTES + GATE_BYTES - 1 > idt->limit ||
        copy_from_guest(v, d, guest_addr(idt->base + vector * GATE_BYTES),
                        sizeof(d)))
        return false;
    g->handler =
        low16(d) | (uint64_t)low16(d + 6) << 16 | (uint64_t)low32(d + 8) << 32;
    g->ist = d[4] & 7;
    g->clears_if = (d[5] & 0xf) == GATE_INTERRUPT;
    return (d[5] & GATE_PRESENT) &&
           (g->clears_if || (d[5] & 0xf) == GATE_TRAP) &&
           is_code(v, low16(d + 2));
}

/* Where the frame goes: below the stack in use, or below that of the gate. */
static bool find_stack(struct vcpu *v, const struct gate *g, uint64_t *rsp)
{
    uint64_t tss = v->emulated->tss;

    if (g->ist && (!tss || copy_from_guest(
                               v, rsp, guest_addr(tss + TASK_IST + 8 * g->ist),
                               sizeof(*rsp))))
        return false;
    *rsp &= ~15ull;
    return true;
}

/* As the guest would see its flags, had it the processor to itself. */
static uint64_t flags_of(struct vcpu *v, const struct cpu_user_regs *r)
{
    return (r->rflags & ~(uint64_t)FLAG_IF) | (irqs_on(v) ? FLAG_IF : 0);
}

static bool deliver(struct vcpu *v, struct cpu_user_regs *r,
                    unsigned int vector, const uint32_t *error)
{
    uint64_t frame[6] = { error ? *error : 0, r->rip, KERNEL_CS,
                          flags_of(v, r),     r->rsp, KERNEL_SS };
    unsigned int first = error ? 0 : 1;
    size_t n = sizeof(frame) - first * sizeof(frame[0]);
    uint64_t rsp = r->rsp;
    struct gate g;

    if (!read_gate(v, vector, &g) || !find_stack(v, &g, &rsp) ||
        copy_to_guest(v, guest_addr(rsp - n), frame + first, n))
        return false;
    r->rsp = rsp - n;
    r->rip = g.handler;
    r->rflags &= ~(uint64_t)(FLAG_TF | FLAG_NT | FLAG_RF);
    if (g.clears_if)
        set_irqs(v, false);
    return true;
}

/* Vectors whose frame has an error code. */
static bool has_error(unsigned int vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

void deliver_trap(struct vcpu *v, struct cpu_user_regs *r, unsigned int vector,
                  uint32_t error)
{
    const char *name = trap_name(vector);

    if (!deliver(v, r, vector, has_error(vector) ? &error : NULL))
        domain_crash(v->domain,
                     "%s at rip %#llx, address %#llx, error code %#x, and its "
                     "tables lead to no handler",
                     name ? name : "trap", (unsigned long long)r->rip,
                     (unsigned long long)v->emulated->cr2, error);
}

void deliver_interrupt(struct vcpu *v, struct cpu_user_regs *r)
{
    struct emulated_cpu *c = v->emulated;
    int line = pic_pending(v);
    unsigned int vector = line >= 0 ? (unsigned int)line : c->upcall_vector;

    if (!irqs_on(v))
        return;
    if (line < 0 &&
        !(vector && READ_ONCE(vcpu_info_of(v)->evtchn_upcall_pending)))
        return;
    if (line >= 0)
        pic_accept(v);
    c->halted = false;
    if (!deliver(v, r, vector, NULL))
        domain_crash(v->domain,
                     "interrupt %u came, and its tables lead to no handler",
                     vector);
}

/* ---- return ---- */

enum outcome return_from_interrupt(struct vcpu *v, struct cpu_user_regs *r)
{
    uint64_t frame[5]; /* rip cs rflags rsp ss */

    if (copy_from_guest(v, frame, guest_addr(r->rsp), sizeof(frame)))
        return REFUSED;
    if (!is_code(v, (uint16_t)frame[1]) || (frame[4] & 3))
        return UNKNOWN; /* to another ring, which is not there */
    r->rip = frame[0];
    r->rflags = (r->rflags & ~(uint64_t)(FLAGS_FREE | FLAG_TF | FLAG_AC)) |
                (frame[2] & (FLAGS_FREE | FLAG_TF | FLAG_AC)) | FLAG_FIXED;
    r->rsp = frame[3];
    set_irqs(v, frame[2] & FLAG_IF);
    return MOVED;
}
