/*
 * A guest that works with the store all the time, for xenstore_update.sh:
 * writes numbers below data/, reads each again, and waits for its own watch to
 * tell of it. Ends with status 0 when somebody writes data/stop.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ringside/guest.h>

static volatile unsigned int told;

static void changed(void *arg, const char *path)
{
    (void)arg;
    if (strstr(path, "data/n"))
        told++;
}

static bool holds(const char *path, const char *want)
{
    char *value;
    bool same;

    if (rs_store_read(path, &value))
        return false;
    same = strcmp(value, want) == 0;
    free(value);
    return same;
}

/* An event may stand for several changes, but the last one has its own. */
static bool await_event(unsigned int before)
{
    for (int i = 0; told == before && i < 20000; i++)
        rs_sleep(1000000);
    return told != before;
}

int main(void)
{
    struct rs_watch *w;
    char value[16], *stop;
    unsigned int n = 0;

    if (rs_store_watch("data", changed, NULL, &w))
        return 1;
    printf("going\n");
    fflush(stdout);
    while (rs_store_read("data/stop", &stop)) {
        unsigned int before = told;

        snprintf(value, sizeof(value), "%u", ++n);
        if (rs_store_write("data/n", value))
            return 2;
        if (!holds("data/n", value))
            return 3;
        if (!await_event(before))
            return 4;
    }
    rs_store_unwatch(w);
    printf("%u rounds\n", n);
    return n > 20 ? 0 : 5;
}
