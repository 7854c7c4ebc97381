/*
 * Data cannot be run.
 * run-guest-expect: 134 guest crash: page fault: execution at
 */
#include <stdlib.h>

int main(void)
{
    unsigned char *code = malloc(16);

    code[0] = 0xc3;
    ((void (*)(void))code)();
    return 0;
}
