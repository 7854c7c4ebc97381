/* A look at a guest's ELF file; see image.h. */
#include "image.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <xen/elfnote.h>

#define MAX_SEGMENTS   64
#define MAX_NOTE_BYTES 4096

static bool read_at(int fd, void *buf, size_t n, uint64_t offset)
{
    return offset <= INT64_MAX &&
           pread(fd, buf, n, (off_t)offset) == (ssize_t)n;
}

static uint64_t align4(uint64_t n)
{
    return (n + 3) & ~(uint64_t)3;
}

/* Does the note segment have Xen's note about the hypercall page? */
static bool has_hypercall_page(int fd, const Elf64_Phdr *ph)
{
    char buf[MAX_NOTE_BYTES];
    uint64_t at = 0, size = ph->p_filesz;

    if (size > sizeof(buf) || !read_at(fd, buf, size, ph->p_offset))
        return false;
    while (size - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr nh;

        memcpy(&nh, buf + at, sizeof(nh));
        at += sizeof(nh);
        if (align4(nh.n_namesz) + align4(nh.n_descsz) > size - at)
            return false;
        if (nh.n_type == XEN_ELFNOTE_HYPERCALL_PAGE && nh.n_namesz == 4 &&
            memcmp(buf + at, "Xen", 4) == 0)
            return true;
        at += align4(nh.n_namesz) + align4(nh.n_descsz);
    }
    return false;
}

static const char *refuse_header(const Elf64_Ehdr *eh)
{
    if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
        return "it is not an ELF file";
    if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_machine != EM_X86_64)
        return "it is an ELF file, but not for x86-64";
    if (eh->e_type != ET_EXEC)
        return "it is an ELF file for Linux (not a fixed-address executable); "
               "build it with ringside-cc";
    if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum > MAX_SEGMENTS)
        return "its program headers are broken";
    return NULL;
}

static const char *probe_segments(int fd, const Elf64_Ehdr *eh,
                                  struct image_info *info)
{
    bool xen = false;

    for (unsigned int i = 0; i < eh->e_phnum; i++) {
        Elf64_Phdr ph;

        if (!read_at(fd, &ph, sizeof(ph), eh->e_phoff + i * sizeof(ph)))
            return "its program headers are cut off";
        if (ph.p_type == PT_NOTE && has_hypercall_page(fd, &ph))
            xen = true;
        if (ph.p_type != PT_LOAD)
            continue;
        if (ph.p_vaddr > UINT32_MAX || ph.p_memsz > UINT32_MAX)
            return "its segments lie above 4 GiB";
        if (ph.p_vaddr + ph.p_memsz > info->end)
            info->end = ph.p_vaddr + ph.p_memsz;
    }
    return xen ? NULL
               : "it is an ELF program without Xen notes; build it with "
                 "ringside-cc";
}

int image_probe(int fd, struct image_info *info, const char **why)
{
    Elf64_Ehdr eh;

    *info = (struct image_info){ 0 };
    if (!read_at(fd, &eh, sizeof(eh), 0))
        *why = "it is not an ELF file";
    else
        *why = refuse_header(&eh);
    if (*why == NULL)
        *why = probe_segments(fd, &eh, info);
    return *why == NULL ? 0 : -ENOEXEC;
}
