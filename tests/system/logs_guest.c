/*
 * The guest of logs.sh: writes to the hypervisor's console (CONSOLEIO_write)
 * what its first argument says, then waits.
 *
 *   flood    4 KiB at a time, for as long as the second argument says (s)
 *   ansi     escape sequences, lines that look like the command's own
 *   ring     the same on its ordinary console, without end
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ringside/guest.h>

#include "libhypercall/hypercall.h"

static void flood(unsigned int seconds)
{
    uint64_t end = rs_now() + seconds * 1000000000ull;
    static char text[4096];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 64 == 63 ? '\n' : 'x';
    while (rs_now() < end)
        hypercall_console_write(text, sizeof(text));
}

static void ansi(void)
{
    static const char text[] = "\033[2J\033]0;title\a\x9b"
                               "31m red \xc2\x9b"
                               "0m\n"
                               "safe\rringside: all is lost\n"
                               "(hypervisor) domain 1 crashed: never\n"
                               "no end of line";

    hypercall_console_write(text, sizeof(text) - 1);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "flood") == 0)
        flood(argc > 2 ? (unsigned int)atoi(argv[2]) : 1);
    if (strcmp(what, "ansi") == 0)
        ansi();
    printf("waiting\n");
    fflush(stdout);
    if (argc > 3 && strcmp(argv[3], "exit") == 0)
        return 0;
    for (;;)
        rs_sleep(1000000000);
}
