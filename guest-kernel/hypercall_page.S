/*
 * The hypercall page: the image reserves it, the engine fills it.
 */

/* The engine writes the real entries; until then a call is an error. */
    .section .text.hypercall_page, "ax", @progbits
    .balign 4096
    .globl __rs_hypercall_page
    .type __rs_hypercall_page, @function
__rs_hypercall_page:
    .fill 4096, 1, 0xcc
    .size __rs_hypercall_page, 4096

    .section .note.GNU-stack, "", @progbits
