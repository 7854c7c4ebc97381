/*
 * What can be known to be wrong before a domain is created: files, the guest's
 * image, ports and devices of the host. A check here never replaces the one
 * of who uses the thing; it only tells the user sooner and better.
 */
#ifndef RINGSIDE_TOOLS_CHECK_H
#define RINGSIDE_TOOLS_CHECK_H

#include "guest_config.h"

/*
 * Checks all of c, names the domain after its kernel if it has no name, and
 * chooses free ports for forwards with host port 0. Returns 0, or -EINVAL
 * after one complaint.
 */
int check_guest(struct guest_config *c);

/* Does the file begin as an ELF file does? */
bool is_elf_file(const char *path);

#endif
