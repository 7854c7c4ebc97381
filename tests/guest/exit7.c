/*
 * exit(7), from deep inside, is the guest's exit status; what was printed
 * without a newline comes out, atexit handlers run.
 * run-guest-expect: 7 last words, without a newline
 * run-guest-expect: 7 a handler ran
 */
#include <stdio.h>
#include <stdlib.h>

static void handler(void)
{
    printf("a handler ran; ");
}

int main(void)
{
    atexit(handler);
    printf("last words, without a newline; ");
    exit(7);
}
