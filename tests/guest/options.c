/*
 * What is wrong on the command line is told, and does not reach main().
 *
 * run-guest: --extra="ringside.poll_us=often ringside.pol=1 word"
 * run-guest-expect: 3 ringside.poll_us=often is ignored: a number
 * run-guest-expect: 3 ringside.pol=1 is ignored: no such
 */
#include <string.h>

int main(int argc, char **argv)
{
    return argc == 2 && strcmp(argv[1], "word") == 0 ? 3 : 1;
}
