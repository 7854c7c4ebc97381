/*
 * The same on a second thread, whose name the report tells.
 * run-guest-expect: 134 guest crash: stack overflow
 * run-guest-expect: 134 in thread digger
 */
#include <ringside/guest.h>

__attribute__((noinline)) static int deeper(volatile int *up)
{
    volatile int here[64];

    here[0] = *up + 1;
    return *up < 0 ? 0 : deeper(here) + here[0];
}

static void dig(void *arg)
{
    volatile int start = 0;

    (void)arg;
    deeper(&start);
}

int main(void)
{
    rs_thread_join(rs_thread_create("digger", dig, NULL, 0));
    return 0;
}
