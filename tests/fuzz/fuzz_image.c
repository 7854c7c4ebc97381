/*
 * Fuzzes the reading of a guest's ELF image and the domain builder: whatever
 * the bytes are, a domain comes of them or a reason, and everything that the
 * parser returned lies within the image.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"
#include "build/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static struct rs_host *the_host(void)
{
    static const struct rs_host_config c = { .engine = "test",
                                             .memory_kib = 64 * 1024 };
    static struct rs_host *h;

    if (!h)
        must(rs_host_new(&c, &h) == 0);
    return h;
}

static void check_parsed(const uint8_t *data, size_t size)
{
    struct elf_image e;
    const char *why = NULL;

    if (elf_parse(data, size, &e, &why)) {
        must(why && *why);
        return;
    }
    must(e.nr_segments >= 1 && e.nr_segments <= ELF_MAX_SEGMENTS);
    for (unsigned int i = 0; i < e.nr_segments; i++) {
        const struct elf_segment *s = &e.segment[i];

        must(s->filesz <= s->memsz && s->filesz <= size);
        must(s->bytes >= data && s->bytes + s->filesz <= data + size);
        must(s->vaddr >= e.start && s->vaddr + s->memsz <= e.end);
        must(!(s->write && s->execute));
    }
}

static void check_domain(struct rs_host *h, int domid)
{
    struct domain *d = host_domain(h, (uint16_t)domid);
    uint64_t end = (uint64_t)d->memory.nr_pages << PAGE_SHIFT;
    const struct domain_image *im = &d->image;
    bool entry = false, page = false;

    for (unsigned int i = 0; i < im->nr_segments; i++) {
        uint64_t a = im->segment[i].start, b = im->segment[i].end;

        must(a >= MEMORY_FIRST_GFN * PAGE_SIZE && a < b && b <= end);
        must(a % PAGE_SIZE == 0 && b % PAGE_SIZE == 0);
        entry |= d->vcpu[0].entry.rip >= a && d->vcpu[0].entry.rip < b;
        page |= im->hypercall_page >= a && im->hypercall_page + 4096 <= b;
    }
    must(entry && page && im->hypercall_page % PAGE_SIZE == 0);
    must(d->vcpu[0].entry.rsp <= end && d->vcpu[0].entry.rsi < end);
    must(rs_domain_unpause(h, (uint16_t)domid) == 0);
    must(rs_domain_destroy(h, (uint16_t)domid) == 0);
}

/* The last byte says how much memory there is, and whether a module. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rs_host *h = the_host();
    uint8_t how = size ? data[size - 1] : 0;
    struct rs_domain_config c = { .memory_kib = how & 1 ? 2048 : 16384,
                                  .kernel = data,
                                  .kernel_size = size,
                                  .module = data,
                                  .module_size = how & 2 ? size : 0,
                                  .flags = how >> 2 & 3 };
    int domid;

    check_parsed(data, size);
    domid = rs_domain_create(h, &c);
    if (domid > 0)
        check_domain(h, domid);
    else
        must(*rs_error() != '\0');
    must(h->used_pages == 0 && h->nr_domains == 0);
    return 0;
}
