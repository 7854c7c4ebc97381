/*
 * A thread that crashes on a vCPU of its own, while all others compute.
 * run-guest: --vcpus 4
 * run-guest-expect: 134 guest crash: null pointer: write at 0000000000000008
 * run-guest-expect: 134 in thread spinner
 */
#include <ringside/guest.h>
#include <stdbool.h>

static bool go;
static int *volatile nowhere = (int *)8;

static void spin(void *arg)
{
    while (!__atomic_load_n(&go, __ATOMIC_SEQ_CST))
        ;
    if (arg)
        *nowhere = 1;
    for (;;)
        ;
}

int main(void)
{
    while (rs_vcpus_online() < 4)
        rs_sleep(1000000);
    for (unsigned long i = 0; i < 3; i++)
        rs_thread_create("spinner", spin, (void *)i, 0);
    __atomic_store_n(&go, true, __ATOMIC_SEQ_CST);
    for (;;)
        ;
}
