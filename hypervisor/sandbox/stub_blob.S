/* The stub's ELF image (stub/), for zygote.c to run from a memfd. */
    .section .rodata
    .globl stub_image, stub_image_end
    .hidden stub_image, stub_image_end
    .balign 16
stub_image:
    .incbin STUB_FILE
stub_image_end:
    .section .note.GNU-stack, "", @progbits
