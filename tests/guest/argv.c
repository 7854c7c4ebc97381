/*
 * The command line as argv.
 * run-guest: --extra="one 'two words' ringside.poll_us=0 last"
 */
#include <string.h>

#include "tests/guest/tap.h"

int main(int argc, char **argv)
{
    plan(5);
    point(argc == 4, "argc is %d", argc);
    if (argc != 4)
        return 1;
    point(strcmp(argv[1], "one") == 0, "argv[1] is '%s'", argv[1]);
    point(strcmp(argv[2], "two words") == 0, "argv[2] is '%s'", argv[2]);
    point(strcmp(argv[3], "last") == 0, "kernel options are left out");
    point(argv[4] == NULL, "argv ends with NULL");
    return done();
}
