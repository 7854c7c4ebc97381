/*
 * xen_version: which hypervisor a guest is on (<xen/version.h>).
 *
 * The numbers are those of the public ABI that we follow, so that guests that
 * look at them take the paths that we support; the strings say who we are.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "domain.h"
#include "hypercall.h"

#define ABI_MAJOR 4
#define ABI_MINOR 17

static long answer(struct vcpu *v, guest_addr_t at, const void *p, size_t n)
{
    return copy_to_guest(v, at, p, n) ? -EFAULT : 0;
}

static long features(struct vcpu *v, guest_addr_t at)
{
    xen_feature_info_t info;

    if (copy_from_guest(v, &info, at, sizeof(info)))
        return -EFAULT;
    if (info.submap_idx != 0)
        return -EINVAL;
    info.submap = 1u << XENFEAT_writable_page_tables |
                  1u << XENFEAT_auto_translated_physmap |
                  1u << XENFEAT_hvm_safe_pvclock;
    return answer(v, at, &info, sizeof(info));
}

static long compile_info(struct vcpu *v, guest_addr_t at)
{
    xen_compile_info_t info;

    memset(&info, 0, sizeof(info));
    snprintf(info.compiler, sizeof(info.compiler), "%.60s", __VERSION__);
    snprintf(info.compile_by, sizeof(info.compile_by), "ringside");
    return answer(v, at, &info, sizeof(info));
}

/* HYPERVISOR_xen_version(cmd, buffer). */
long do_xen_version(struct vcpu *v, const uint64_t args[6])
{
    static const xen_extraversion_t extra = "-ringside";
    static const xen_capabilities_info_t caps = "xen-3.0-x86_64 ";
    static const xen_changeset_info_t changeset = "ringside " PACKAGE_VERSION;
    static const xen_platform_parameters_t platform = { .virt_start = 0 };
    static const xen_commandline_t none = "", denied = "<denied>";
    bool privileged = domain_is_privileged(v->domain);
    guest_addr_t at = guest_addr(args[1]);

    switch (args[0]) {
    case XENVER_version:
        return ABI_MAJOR << 16 | ABI_MINOR;
    case XENVER_extraversion:
        return answer(v, at, extra, sizeof(extra));
    case XENVER_compile_info:
        return compile_info(v, at);
    case XENVER_capabilities:
        return answer(v, at, caps, sizeof(caps));
    case XENVER_changeset:
        return answer(v, at, changeset, sizeof(changeset));
    case XENVER_platform_parameters:
        return answer(v, at, &platform, sizeof(platform));
    case XENVER_get_features:
        return features(v, at);
    case XENVER_pagesize:
        return PAGE_SIZE;
    case XENVER_guest_handle: {
        xen_domain_handle_t handle = { 0 };

        return answer(v, at, handle, sizeof(handle));
    }
    case XENVER_commandline:
        return answer(v, at, privileged ? none : denied, sizeof(none));
    case XENVER_build_id:
        return privileged ? -ENODATA : -EPERM;
    default:
        return -ENOSYS;
    }
}
