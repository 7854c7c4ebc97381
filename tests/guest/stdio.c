/*
 * The C library on the console and its descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/guest/tap.h"

int main(void)
{
    char text[100];
    struct stat st;

    plan(10);
    snprintf(text, sizeof(text), "%ld %#x %.3f %zu %s", -1099511627776, 255,
             2.5, sizeof(long), "end");
    point(strcmp(text, "-1099511627776 0xff 2.500 8 end") == 0, "%s", text);
    point(strtod("6.25e2", NULL) == 625.0, "strtod");
    point(fabs(sqrt(2.0) * sqrt(2.0) - 2.0) < 1e-12, "floating point");
    point(isatty(1) && isatty(2), "stdout and stderr are a terminal");
    point(fstat(1, &st) == 0 && S_ISCHR(st.st_mode), "fstat of it");
    point(write(77, "x", 1) == -1 && errno == EBADF, "a bad descriptor");
    point(open("/no/such", O_RDONLY) == -1 && errno == ENOENT,
          "a file where nothing is mounted");
    point(lseek(1, 0, SEEK_SET) == -1 && errno == ESPIPE,
          "the console cannot seek");
    point(unlink("/x") == -1 && errno == EROFS, "nothing can be removed");
    for (int i = 0; i < 100; i++)
        printf("# a line of output among many, number %d\n", i);
    point(fflush(stdout) == 0, "more output than a console ring holds");
    return done();
}
