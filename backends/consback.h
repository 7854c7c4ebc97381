/*
 * The console backend: the primary console of each guest (grant reference 0,
 * <xen/io/console.h>), and others that it has, each to a pseudo terminal and a
 * log.
 */
#ifndef RINGSIDE_BACKENDS_CONSBACK_H
#define RINGSIDE_BACKENDS_CONSBACK_H

#include "xenbus_backend.h"

extern const struct backend_ops consback_ops;

#endif
