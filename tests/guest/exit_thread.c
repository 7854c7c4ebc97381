/*
 * exit() may be called by any thread.
 * run-guest-expect: 3 the second thread says goodbye
 */
#include <ringside/guest.h>
#include <stdio.h>
#include <stdlib.h>

static void leave(void *arg)
{
    (void)arg;
    printf("the second thread says goodbye\n");
    exit(3);
}

int main(void)
{
    rs_thread_detach(rs_thread_create("leaver", leave, NULL, 0));
    rs_sleep(RS_FOREVER);
    return 0;
}
