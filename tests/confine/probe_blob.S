/* The probe's ELF image, for the tests to boot. */
    .section .rodata
    .globl probe_image, probe_image_end
    .balign 16
probe_image:
    .incbin PROBE_FILE
probe_image_end:
    .section .note.GNU-stack, "", @progbits
