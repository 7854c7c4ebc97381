/*
 * The C library on the console and its descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/guest/tap.h"

int main(void)
{
    char text[100];
    unsigned long random[2] = { 0 };
    struct stat st;
    void *aligned = NULL;
    int fd;

    plan(14);
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
    point(posix_memalign(&aligned, 256, 100) == 0 &&
              (uintptr_t)aligned % 256 == 0,
          "aligned memory");
    free(aligned);
    point(posix_memalign(&aligned, 24, 100) == EINVAL,
          "aligned to a power of two");
    fd = dup(1);
    point(fd > 2 && write(fd, "# by a copy of stdout\n", 22) == 22 &&
              close(fd) == 0 && close(fd) == -1,
          "descriptors can be copied");
    point(getentropy(random, sizeof(random)) == -1 ? errno == ENOSYS
                                                   : random[0] != random[1],
          "entropy");
    for (int i = 0; i < 100; i++)
        printf("# a line of output among many, number %d\n", i);
    point(fflush(stdout) == 0, "more output than a console ring holds");
    return done();
}
