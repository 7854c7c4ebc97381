/*
 * How a paravirtual kernel is entered by events, and an instruction that may
 * be refused.
 */
    .text

/*
 * The event callback, rdi = regs or NULL. It may come in the middle of a
 * hypercall, where the compiler thinks only rcx and r11 change: the engine
 * keeps the integer registers, we keep those that C code uses behind its back.
 */
    .globl upcall_entry
    .type upcall_entry, @function
upcall_entry:
    pushq %rbp
    movq %rsp, %rbp
    subq $256, %rsp
    andq $-16, %rsp
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps %xmm\n, 16*\n(%rsp)
    .endr
    cld
    call events_upcall
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps 16*\n(%rsp), %xmm\n
    .endr
    leave
    ret
    .size upcall_entry, . - upcall_entry

/*
 * int fsbase_try(unsigned long base): wrfsbase; 1 if it worked. Where the CPU
 * refuses it, traps.c resumes at fsbase_refused.
 */
    .globl fsbase_try, fsbase_insn, fsbase_refused
    .type fsbase_try, @function
fsbase_try:
    movl $1, %eax
fsbase_insn:
    wrfsbase %rdi
    ret
fsbase_refused:
    xorl %eax, %eax
    ret
    .size fsbase_try, . - fsbase_try

    .section .note.GNU-stack, "", @progbits
