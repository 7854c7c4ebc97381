/*
 * The end of a program whose other threads are in the middle of printing.
 * run-guest: --vcpus 4
 * run-guest-expect: 3 ^said before the end
 */
#include <ringside/guest.h>
#include <stdio.h>

static void talk(void *arg)
{
    for (;;)
        printf("# %s\n", (const char *)arg);
}

int main(void)
{
    printf("said before the end\n");
    while (rs_vcpus_online() < 4)
        rs_sleep(1000000);
    for (int i = 0; i < 6; i++)
        rs_thread_create("talker", talk, (void *)(uintptr_t) "and so on", 0);
    rs_sleep(50000000);
    return 3;
}
