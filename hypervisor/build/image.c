/*
 * Reads an ELF image and its notes, all of it hostile. See image.h.
 */
#include "image.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "xen_compat.h"

struct file {
    const uint8_t *bytes;
    size_t size;
};

/* The n bytes at offset, or NULL. */
static const void *at(const struct file *f, uint64_t offset, uint64_t n)
{
    if (offset > f->size || n > f->size - offset)
        return NULL;
    return f->bytes + offset;
}

static const char *check_header(const struct file *f, Elf64_Ehdr *eh)
{
    const void *p = at(f, 0, sizeof(*eh));

    if (!p || memcmp(p, ELFMAG, SELFMAG))
        return "not an ELF file";
    memcpy(eh, p, sizeof(*eh));
    if (eh->e_ident[EI_CLASS] != ELFCLASS64 ||
        eh->e_ident[EI_DATA] != ELFDATA2LSB || eh->e_machine != EM_X86_64)
        return "not a 64-bit x86 ELF file";
    if (eh->e_type != ET_EXEC)
        return "not a static executable (ET_EXEC)";
    if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum == 0 ||
        eh->e_phnum > 64)
        return "bad program headers";
    return NULL;
}

static const char *add_segment(const struct file *f, const Elf64_Phdr *ph,
                               struct elf_image *out)
{
    struct elf_segment *s;

    if (ph->p_memsz == 0)
        return NULL;
    if (out->nr_segments == ELF_MAX_SEGMENTS)
        return "too many segments";
    s = &out->segment[out->nr_segments++];
    s->bytes = at(f, ph->p_offset, ph->p_filesz);
    if (!s->bytes || ph->p_filesz > ph->p_memsz)
        return "a segment lies outside the file";
    if (ph->p_memsz > ELF_MAX_ADDRESS ||
        ph->p_vaddr > ELF_MAX_ADDRESS - ph->p_memsz)
        return "a segment's address is out of range";
    s->vaddr = ph->p_vaddr;
    s->memsz = ph->p_memsz;
    s->filesz = ph->p_filesz;
    s->write = ph->p_flags & PF_W;
    s->execute = ph->p_flags & PF_X;
    if (s->write && s->execute)
        return "a segment is writable and executable";
    if (s->vaddr < out->start)
        out->start = s->vaddr;
    if (s->vaddr + s->memsz > out->end)
        out->end = s->vaddr + s->memsz;
    return NULL;
}

static uint64_t number(const uint8_t *desc, uint32_t n)
{
    uint64_t v = 0;

    memcpy(&v, desc, n < sizeof(v) ? n : sizeof(v));
    return v;
}

/* Our own note: the kernel is built for a bare processor. */
#define NOTE_NAME   "Ringside"
#define NOTE_NATIVE 1u

static void take_note(uint32_t type, const uint8_t *desc, uint32_t n,
                      struct elf_image *out)
{
    if (type == XEN_ELFNOTE_ENTRY)
        out->entry = number(desc, n);
    else if (type == XEN_ELFNOTE_HYPERCALL_PAGE)
        out->hypercall_page = number(desc, n);
    else if (type == XEN_ELFNOTE_XEN_VERSION)
        out->is_xen = n >= 7 && !memcmp(desc, "xen-3.0", 7);
}

/* A note that does not fit ends the walk; what came before it counts. */
static void walk_notes(const struct file *f, const Elf64_Phdr *ph,
                       struct elf_image *out)
{
    struct file notes = { at(f, ph->p_offset, ph->p_filesz), ph->p_filesz };
    uint64_t offset = 0;

    if (!notes.bytes)
        return;
    for (;;) {
        const Elf64_Nhdr *p = at(&notes, offset, sizeof(Elf64_Nhdr));
        const uint8_t *name, *desc;
        Elf64_Nhdr nh;

        if (!p)
            return;
        memcpy(&nh, p, sizeof(nh));
        offset += sizeof(nh);
        name = at(&notes, offset, nh.n_namesz);
        offset += ((uint64_t)nh.n_namesz + 3) & ~3ull;
        desc = at(&notes, offset, nh.n_descsz);
        offset += ((uint64_t)nh.n_descsz + 3) & ~3ull;
        if (!name || !desc)
            return;
        if (nh.n_namesz == 4 && !memcmp(name, "Xen", 4))
            take_note(nh.n_type, desc, nh.n_descsz, out);
        if (nh.n_namesz == sizeof(NOTE_NAME) &&
            !memcmp(name, NOTE_NAME, sizeof(NOTE_NAME)))
            out->is_native |= nh.n_type == NOTE_NATIVE;
    }
}

static const char *parse(const struct file *f, struct elf_image *out)
{
    Elf64_Ehdr eh;
    const char *why = check_header(f, &eh);

    if (why)
        return why;
    out->start = UINT64_MAX;
    out->entry = eh.e_entry;
    for (unsigned int i = 0; i < eh.e_phnum && !why; i++) {
        const void *p =
            at(f, eh.e_phoff + i * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr));
        Elf64_Phdr ph;

        if (!p || eh.e_phoff > f->size)
            return "program headers lie outside the file";
        memcpy(&ph, p, sizeof(ph));
        if (ph.p_type == PT_LOAD)
            why = add_segment(f, &ph, out);
        else if (ph.p_type == PT_NOTE)
            walk_notes(f, &ph, out);
    }
    if (!why && out->nr_segments == 0)
        return "nothing to load";
    return why;
}

int elf_parse(const void *image, size_t size, struct elf_image *out,
              const char **why)
{
    struct file f = { image, size };

    memset(out, 0, sizeof(*out));
    *why = parse(&f, out);
    return *why ? -ENOEXEC : 0;
}
