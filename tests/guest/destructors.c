/*
 * What runs at the end, and in which order: what atexit() was given, then the
 * image's destructors, the ones with a priority last. They can still print.
 *
 * run-guest-expect: 5 ^atexit, plain, second, first$
 */
#include <stdio.h>
#include <stdlib.h>

static void registered(void)
{
    printf("atexit, ");
}

__attribute__((destructor)) static void plain(void)
{
    printf("plain, ");
}

__attribute__((destructor(102))) static void second(void)
{
    printf("second, ");
}

__attribute__((destructor(101))) static void first(void)
{
    printf("first\n");
}

int main(void)
{
    atexit(registered);
    return 5;
}
