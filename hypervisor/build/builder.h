/*
 * The domain builder: from an ELF image to a paused domain, laid out as
 * docs/engine.md promises a guest.
 */
#ifndef RINGSIDE_BUILDER_H
#define RINGSIDE_BUILDER_H

#include "ringside/ringside.h"

/* Body of rs_domain_create(): the domid, or -errno with host_error() set. */
int builder_create(struct rs_host *h, const struct rs_domain_config *c);

#endif
