/*
 * A hypervisor without trap-and-emulate (--disable-emulate): it is linked
 * without emulate/, runs paravirtual guests, and refuses native ones.
 */
#include <errno.h>
#include <string.h>

#include "core.h"
#include "emulate/emulate.h"

/* Not there, if api.c alone would name it. */
extern const struct emulate_ops emulate_ops __attribute__((weak));

static void test_is_left_out(void **state)
{
    const struct emulate_ops *volatile ops = &emulate_ops;

    (void)state;
    assert_null(ops);
}

static void test_native_kernel(void **state)
{
    uint8_t image[CORE_IMAGE_SIZE];
    struct rs_domain_config c = { .memory_kib = CORE_KIB,
                                  .kernel = image,
                                  .kernel_size = sizeof(image),
                                  .flags = RS_DOMAIN_TRAP };
    struct rs_host *h = core_host("test");

    (void)state;
    core_image(image);
    assert_int_equal(rs_domain_create(h, &c), -EOPNOTSUPP);
    assert_string_equal(rs_error(), "this build has no trap-and-emulate");
    rs_host_free(h);
}

static void test_other_kernels(void **state)
{
    struct rs_host *h = core_host("test");
    uint16_t d = core_boot(h);

    (void)state;
    assert_int_equal(core_call(h, d, __HYPERVISOR_hvm_op,
                               HVMOP_set_evtchn_upcall_vector, CORE_ARG, 0),
                     -ENOSYS);
    assert_int_equal(rs_domain_destroy(h, d), 0);
    rs_host_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_left_out),
        cmocka_unit_test(test_native_kernel),
        cmocka_unit_test(test_other_kernels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
