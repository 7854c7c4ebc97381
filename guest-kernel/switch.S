/*
 * What C cannot say about threads: onto another stack, from one to another, and
 * the first instruction of a new one.
 */
    .text

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

    .section .note.GNU-stack, "", @progbits
