/*
 * How a bare kernel is entered: a gate for each trap and interrupt that it
 * expects, and the note by which the hypervisor tells it from its twin.
 *
 * The processor leaves rip, cs, rflags, rsp, ss and, for some, an error code;
 * what is pushed below makes that a struct cpu_user_regs (<xen/arch-x86/
 * xen-x86_64.h>), vector and error code in one word.
 */
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 2f - 1f
    .long 4f - 3f
    .long 1 /* native */
1:  .asciz "Ringside"
2:  .balign 4
3:  .long 1
4:  .balign 4
    .popsection

    .text

    .macro GATE vector, has_error
    .balign 16
gate_\vector:
    .if \has_error == 0
    pushq $0
    .endif
    movl $\vector, 4(%rsp)
    jmp save
    .endm

    GATE 0, 0
    GATE 1, 0
    GATE 3, 0
    GATE 4, 0
    GATE 6, 0
    GATE 13, 1
    GATE 14, 1
    GATE 16, 0
    GATE 17, 1
    GATE 19, 0
    GATE 32, 0
    GATE 48, 0

save:
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rbx /* a call keeps it */
    subq $256, %rsp
    andq $-16, %rsp
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps %xmm\n, 16*\n(%rsp)
    .endr
    cld
    movq %rbx, %rdi
    call native_interrupted
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps 16*\n(%rsp), %xmm\n
    .endr
    movq %rbx, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    addq $8, %rsp
    iretq

/* What gate a vector has: struct { uint64_t vector, address }, ended by 0. */
    .section .rodata
    .balign 8
    .globl native_gates
native_gates:
    .irp v, 0, 1, 3, 4, 6, 13, 14, 16, 17, 19, 32, 48
    .quad \v, gate_\v
    .endr
    .quad 0, 0

    .section .note.GNU-stack, "", @progbits
