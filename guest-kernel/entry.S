/*
 * A guest's first instruction, and the ELF notes by which the domain builder
 * finds it. (How traps and events come in is in arch/.)
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

    .section .note.GNU-stack, "", @progbits
