/*
 * Where a vCPU begins that smp.c raises for the first time.
 */
    .text

/* A vCPU's first instruction, rdi = struct vcpu, rsp = its thread's stack. */
    .globl vcpu_entry
    .type vcpu_entry, @function
vcpu_entry:
    xorl %ebp, %ebp
    cld
    call vcpu_begin
    ud2
    .size vcpu_entry, . - vcpu_entry

    .section .note.GNU-stack, "", @progbits
