/*
 * The stub's edges: process start, guest entry, hypercall entry, signal
 * return, and a copy from guest memory that survives a fault.
 */
    .text

    .globl _start
_start:
    xor %ebp, %ebp
    mov %rsp, %rdi
    and $-16, %rsp
    call stub_start
    ud2

/* stub_enter(entry): rip rsp rax rcx rdx rbx rbp rsi rdi; the others are 0. */
    .globl stub_enter
stub_enter:
    mov 0(%rdi), %r11
    mov 8(%rdi), %rsp
    mov 16(%rdi), %rax
    mov 24(%rdi), %rcx
    mov 32(%rdi), %rdx
    mov 40(%rdi), %rbx
    mov 48(%rdi), %rbp
    mov 56(%rdi), %rsi
    mov 64(%rdi), %rdi
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    cld
    jmp *%r11

/* stub_clone(flags, stack, vcpu): rdx is no argument of these flags, and
 * what the new thread finds in it. */
    .globl stub_clone
stub_clone:
    mov $56, %eax
    xor %r10d, %r10d
    xor %r8d, %r8d
    syscall
    test %rax, %rax
    jnz 1f
    xor %ebp, %ebp
    mov %rdx, %rdi
    call stub_thread
    ud2
1:  ret

/*
 * From the hypercall page: eax = number, rdi rsi rdx r10 r8 = arguments.
 * Everything but rax, rcx, r11 survives; the C code uses no vector registers.
 */
    .globl stub_hypercall_entry
stub_hypercall_entry:
    push %rbp
    mov %rsp, %rbp
    push %rdi
    push %rsi
    push %rdx
    push %r8
    push %r9
    push %r10
    and $-16, %rsp
    mov %r8, %r9
    mov %r10, %r8
    mov %rdx, %rcx
    mov %rsi, %rdx
    mov %rdi, %rsi
    mov %eax, %edi
    cld
    call stub_hypercall
    lea -48(%rbp), %rsp
    pop %r10
    pop %r9
    pop %r8
    pop %rdx
    pop %rsi
    pop %rdi
    pop %rbp
    ret

/* Not for the guest: where a native kernel is interrupted behind a hypercall.
 * traps.c knows the instruction and steps over it. */
    .globl stub_gate
stub_gate:
    hlt
    ret

    .globl stub_sigreturn
stub_sigreturn:
    mov $15, %eax
    syscall

/* stub_read_guest(to, from, n): the trap handler moves a fault to the fixup. */
    .globl stub_read_guest, stub_read_fault, stub_read_fixup
stub_read_guest:
    mov %rdx, %rcx
    shr $2, %rcx
    cld
stub_read_fault:
    rep movsl
    xor %eax, %eax
    ret
stub_read_fixup:
    mov $-14, %rax
    ret

    .section .note.GNU-stack, "", @progbits
