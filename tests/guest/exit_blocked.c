/*
 * exit() does not wait for a thread that waits for input and holds the lock of
 * stdin, but flushes what the program wrote.
 * run-guest-expect: 5 the last words
 */
#include <ringside/guest.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/lock.h>
#include <sys/stdio.h>

static void hold(void *arg)
{
    (void)arg;
    _flockfile(stdin);
    rs_sleep(RS_FOREVER);
}

int main(void)
{
    printf("\n"); /* stdio makes its locks at its first use */
    rs_thread_detach(rs_thread_create("reader", hold, NULL, 0));
    rs_thread_yield();
    printf("the last words");
    exit(5);
}
