/*
 * abort() is a crash, told as what it is.
 * run-guest-expect: 134 guest panic: abort\(\) was called
 * run-guest-expect: 134 called from [0-9a-f]* main\+0x
 */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    printf("goodbye\n");
    abort();
}
