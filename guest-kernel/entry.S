/*
 * Where a guest begins, and the few things that C cannot say: the ELF notes,
 * the hypercall page, the switch between threads. (How traps and events come in
 * is in arch/.)
 */
#include <xen/elfnote.h>

    .macro NOTE type, desc:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 2f - 1f
    .long 4f - 3f
    .long \type
1:  .asciz "Xen"
2:  .balign 4
3:  \desc
4:  .balign 4
    .popsection
    .endm

    NOTE XEN_ELFNOTE_GUEST_OS, .asciz "Ringside"
    NOTE XEN_ELFNOTE_GUEST_VERSION, .asciz "1"
    NOTE XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
    NOTE XEN_ELFNOTE_LOADER, .asciz "generic"
    NOTE XEN_ELFNOTE_ENTRY, .quad _start
    NOTE XEN_ELFNOTE_HYPERCALL_PAGE, .quad __rs_hypercall_page

/* The engine writes the real entries; until then a call is an error. */
    .section .text.hypercall_page, "ax", @progbits
    .balign 4096
    .globl __rs_hypercall_page
    .type __rs_hypercall_page, @function
__rs_hypercall_page:
    .fill 4096, 1, 0xcc
    .size __rs_hypercall_page, 4096

    .text

/* rsi = start_info; rsp = top of the one-page boot stack (docs/engine.md). */
    .globl _start
    .type _start, @function
_start:
    xorl %ebp, %ebp
    cld
    movq %rsi, %rdi
    andq $-16, %rsp
    call boot
    ud2
    .size _start, . - _start

/* _Noreturn void stack_call(void *top, void (*fn)(void)): fn on a new stack. */
    .globl stack_call
    .type stack_call, @function
stack_call:
    movq %rdi, %rsp
    andq $-16, %rsp
    xorl %ebp, %ebp
    call *%rsi
    ud2
    .size stack_call, . - stack_call

/*
 * void thread_switch(void **save, void *to): what a call preserves goes on the
 * old stack, its rsp to *save; then the same backwards from `to`.
 * thread_frame in thread.c has the layout.
 */
    .globl thread_switch
    .type thread_switch, @function
thread_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size thread_switch, . - thread_switch

/* A new thread's first instruction: the frame's rbp is 0, so traces end here. */
    .globl thread_begin
    .type thread_begin, @function
thread_begin:
    call thread_main
    ud2
    .size thread_begin, . - thread_begin

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
