/*
 * Endless recursion in main runs into the guard page.
 * run-guest-expect: 134 guest crash: stack overflow
 * run-guest-expect: 134 in thread main
 * run-guest-expect: 134 called from [0-9a-f]* deeper\+0x
 */
__attribute__((noinline)) static int deeper(volatile int *up)
{
    volatile int here[64];

    here[0] = *up + 1;
    return *up < 0 ? 0 : deeper(here) + here[0];
}

int main(void)
{
    volatile int start = 0;

    return deeper(&start);
}
