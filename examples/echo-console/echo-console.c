/*
 * Reads lines from the console and says them again, until one is "quit" or the
 * input ends. Shows stdin, and a second thread that works meanwhile.
 */
#include <ringside/guest.h>
#include <stdio.h>
#include <string.h>

#define SECOND 1000000000ull

static unsigned int seconds;

static void count_seconds(void *arg)
{
    (void)arg;
    for (;;) {
        rs_sleep(SECOND);
        seconds++;
    }
}

int main(void)
{
    char line[200];

    rs_thread_detach(rs_thread_create("clock", count_seconds, NULL, 0));
    printf("Say something; \"quit\" ends.\n");
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "quit") == 0)
            break;
        printf("after %u s: %s\n", seconds, line);
    }
    printf("Goodbye.\n");
    return 0;
}
