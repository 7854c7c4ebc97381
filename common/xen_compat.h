/*
 * The one place through which the tree includes Xen's public ABI.
 *
 * It fixes the interface version (the newest that the packaged headers know)
 * and supplies what headers of Xen 4.17 lack, each with its document. Nothing
 * here renames or copies what the headers have.
 */
#ifndef RINGSIDE_XEN_COMPAT_H
#define RINGSIDE_XEN_COMPAT_H

#include <stdint.h>

#include "barrier.h"

#ifndef __XEN_INTERFACE_VERSION__
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#endif

#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/elfnote.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/io/console.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>

/* Xen's xen/include/public/elfnote.h since 4.20: a relocatable PVH kernel. */
#ifndef XEN_ELFNOTE_PHYS32_RELOC
#define XEN_ELFNOTE_PHYS32_RELOC 19
#endif

/* docs/misc/xenstore.txt: requests that <xen/io/xs_wire.h> of 4.17 lacks. */
#define RS_XS_GET_FEATURE 23
#define RS_XS_SET_FEATURE 24
#define RS_XS_GET_QUOTA   25
#define RS_XS_SET_QUOTA   26

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096UL
#define PAGE_MASK  (~(PAGE_SIZE - 1))

/*
 * start_info.flags, a bit that Xen does not use: Linux does not keep what
 * wrfsbase wrote, though the processor may carry it out. The thread pointer is
 * set by HYPERVISOR_set_segment_base then.
 */
#define SIF_RINGSIDE_NO_FSBASE (1u << 31)

#endif
