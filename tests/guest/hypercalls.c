/*
 * Hypercalls as such: versions, features, and refusals.
 * run-guest-hypercall: trap ring
 */
#include <string.h>

#include "guest-kernel/kernel.h"
#include "libhypercall/hypercall.h"
#include "tests/guest/tap.h"

static long features(uint32_t *out)
{
    struct xen_feature_info info = { .submap_idx = 0 };
    long err = hypercall_xen_version(XENVER_get_features, &info, sizeof(info));

    *out = info.submap;
    return err;
}

int main(void)
{
    xen_extraversion_t extra = "";
    uint32_t f = 0;
    long err, version = hypercall_xen_version(XENVER_version, NULL, 0);

    plan(10);
    point(version >> 16 == 4, "version is %ld.%ld", version >> 16,
          version & 0xffff);
    point(hypercall_xen_version(XENVER_extraversion, extra, sizeof(extra)) == 0,
          "extra version: %s", extra);
    err = features(&f);
    point(err == 0, "features: %#x", (unsigned int)f);
    point(f >> XENFEAT_auto_translated_physmap & 1, "autotranslated memory");
    point(f >> XENFEAT_writable_page_tables & 1, "writable page tables");
    point(hypercall5(60, 1, 2, 3, 4, 5) == -XEN_ENOSYS,
          "an unknown hypercall is -ENOSYS");
    point(hypercall5(127, 0, 0, 0, 0, 0) == -XEN_ENOSYS,
          "so is the last of the page");
    point(hypercall_xen_version(9999, NULL, 0) == -XEN_ENOSYS,
          "an unknown version query is -ENOSYS");
    point(hypercall_op(__HYPERVISOR_domctl, 0, NULL, 0) < 0,
          "domctl is refused");
    point(hypercall_xen_version(XENVER_extraversion, (void *)8, 0) ==
              -XEN_EFAULT,
          "a pointer to nowhere is -EFAULT");
    return done();
}
