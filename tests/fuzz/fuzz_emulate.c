/*
 * Fuzzes trap-and-emulate: a native kernel whose memory, registers and
 * instructions are whatever the bytes say exits again and again. The host must
 * survive, stay within the guest's memory, and answer each exit.
 *
 * The input is a program: each step writes bytes to the guest's memory, or
 * exits with an instruction and registers out of it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "emulate/emulate.h"
#include "emulate/machine.h"
#include "test/engine_test.h"
#include "unit/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS 200
#define CODE  CORE_RAM

struct input {
    const uint8_t *at, *end;
};

static uint8_t byte(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* Mostly an address of interest: tables must be hit to matter. */
static uint64_t number(struct input *in)
{
    static const uint64_t pages[] = {
        CORE_RAM, CORE_RAM + 0x1000, CORE_RAM + 0x2000, CORE_RAM_END - 8, 0,
        ~0ull,    1ull << 47,        CORE_ARG
    };
    uint8_t b = byte(in);
    uint64_t n = 0;

    if (b < 0xc0)
        return pages[b & 7] + (b >> 3);
    for (int i = 0; i < (b & 7) + 1; i++)
        n = n << 8 | byte(in);
    return n;
}

static void write_memory(struct rs_host *h, uint16_t d, struct input *in)
{
    uint64_t at = number(in);
    uint8_t n = byte(in) & 63;
    uint8_t *to = rs_test_memory(h, d, at);

    for (unsigned int i = 0; i < n; i++) {
        uint8_t b = byte(in);

        if (to && (at & 4095) + i < 4096)
            to[i] = b;
    }
}

static void exit_once(struct rs_host *h, uint16_t id, struct input *in)
{
    struct vcpu *v = &core_domain(h, id)->vcpu[0];
    struct cpu_user_regs regs = { .rip = CODE, .rflags = byte(in) };
    uint8_t *code = rs_test_memory(h, id, CODE), how = byte(in);

    for (unsigned int i = 0; i < INSN_MAX && (how & 1); i++)
        code[i] = byte(in);
    regs.entry_vector = how & 2 ? VECTOR_GP : byte(in);
    regs.error_code = byte(in);
    regs.rax = number(in);
    regs.rbx = number(in);
    regs.rcx = number(in);
    regs.rdx = number(in);
    regs.rsp = number(in);
    if (how & 4)
        regs.rip = number(in);
    if (how & 8)
        vcpu_info_of(v)->evtchn_upcall_pending = 1;
    emulate_ops.exit(v, how & 16 ? EMULATE_INTERRUPT : EMULATE_TRAP, number(in),
                     &regs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };
    struct rs_host *h = core_host("test");
    uint16_t id = core_boot_flags(h, RS_DOMAIN_TRAP);
    struct domain *d = core_domain(h, id);

    if (vcpu_info_of(&d->vcpu[0]) == NULL || !d->vcpu[0].emulated)
        abort();
    d->vcpu[0].emulated->upcall_vector = byte(&in);
    for (int i = 0; i < STEPS && in.at < in.end && !d->shut_down; i++) {
        if (byte(&in) & 1)
            write_memory(h, id, &in);
        else
            exit_once(h, id, &in);
    }
    rs_host_free(h);
    return 0;
}
