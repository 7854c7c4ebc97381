/*
 * A look at a guest's ELF file, for early and clear complaints. The builder in
 * the hypervisor does its own, complete checks (docs/engine.md).
 */
#ifndef RINGSIDE_TOOLS_IMAGE_H
#define RINGSIDE_TOOLS_IMAGE_H

#include <stdint.h>

/* What the boot pages behind the image take: start_info, rings, stack. */
#define IMAGE_BOOT_BYTES (8 * 4096)

struct image_info {
    uint64_t end; /* the highest address of the image + 1 */
};

/*
 * Returns 0, or -ENOEXEC with the reason in *why ("it is not an ELF file").
 * The offset of fd is left alone.
 */
int image_probe(int fd, struct image_info *info, const char **why);

#endif
