/*
 * Reading a guest's ELF image: everything in it is hostile.
 *
 * elf_parse() checks the headers, the loadable segments and the Xen notes
 * (<xen/elfnote.h>) against the bytes that are there; what it returns lies
 * within the image. It allocates nothing and keeps pointers into the image.
 */
#ifndef RINGSIDE_IMAGE_H
#define RINGSIDE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_MAX_SEGMENTS 8
/* Segments lie below, so that sums of addresses and sizes do not wrap. */
#define ELF_MAX_ADDRESS (1ull << 47)

struct elf_segment {
    uint64_t vaddr, memsz;
    const uint8_t *bytes; /* filesz of them */
    uint64_t filesz;
    bool write, execute;
};

struct elf_image {
    struct elf_segment segment[ELF_MAX_SEGMENTS];
    unsigned int nr_segments;
    uint64_t start, end;     /* lowest and highest address of a segment */
    uint64_t entry;          /* XEN_ELFNOTE_ENTRY, else e_entry */
    uint64_t hypercall_page; /* 0: no note */
    bool is_xen;             /* XEN_ELFNOTE_XEN_VERSION says "xen-3.0" */
    bool is_native;          /* Ringside's note: built for a bare processor */
};

/* 0, or -ENOEXEC with *why set to a constant: what is wrong with it. */
int elf_parse(const void *image, size_t size, struct elf_image *out,
              const char **why);

#endif
