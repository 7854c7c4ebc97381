/*
 * The guest of the command's tests: does what its first argument says.
 *
 *   exit N      ends with that status
 *   args ...    prints its other arguments, one a line
 *   print N     prints N lines of 64 bytes
 *   copy        copies its input byte by byte
 *   echo        repeats its input until that ends, then says "end"
 *   greet WORD  says "hello, WORD", then does the same
 *   prattle N   prints N lines of 64 bytes, says "that was all" and waits
 *   both N      prints N lines of 64 bytes to each of stdout and stderr
 *   wait        says "waiting" and waits for ever (but shuts down when asked)
 *   stubborn    the same, but does not shut down when asked
 *   null        follows a null pointer
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ringside/guest.h>

static int do_exit(int argc, char **argv)
{
    return argc > 0 ? atoi(argv[0]) : 0;
}

static int do_args(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        printf("<%s>\n", argv[i]);
    return 0;
}

static int do_print(int argc, char **argv)
{
    int n = argc > 0 ? atoi(argv[0]) : 0;

    for (int i = 0; i < n; i++)
        printf("%063d\n", i);
    return 0;
}

static int do_both(int argc, char **argv)
{
    int n = argc > 0 ? atoi(argv[0]) : 0;

    for (int i = 0; i < n; i++) {
        printf("%063d\n", i);
        fflush(stdout);
        fprintf(stderr, "error %057d\n", i);
    }
    return 0;
}

static int do_echo(int argc, char **argv)
{
    char line[256];

    (void)argc;
    (void)argv;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        fputs(line, stdout);
        fflush(stdout);
    }
    printf("end\n");
    return 0;
}

static int do_copy(int argc, char **argv)
{
    char buf[1000];
    long n;

    (void)argc;
    (void)argv;
    while ((n = read(0, buf, sizeof(buf))) > 0) {
        if (write(1, buf, (size_t)n) != n)
            return 1;
    }
    return n == 0 ? 0 : 1;
}

static int do_wait(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("waiting\n");
    fflush(stdout);
    while (true)
        rs_sleep(1000000000);
    return 0;
}

static int do_greet(int argc, char **argv)
{
    printf("hello, %s\n", argc > 0 ? argv[0] : "you");
    return do_echo(0, NULL);
}

static int do_prattle(int argc, char **argv)
{
    do_print(argc, argv);
    printf("that was all\n");
    return do_wait(0, NULL);
}

/* The kernel's own thread never runs while this one does not block. */
static int do_stubborn(int argc, char **argv)
{
    volatile unsigned long spins = 0;

    (void)argc;
    (void)argv;
    printf("waiting\n");
    fflush(stdout);
    while (true)
        spins++;
    return 0;
}

static int do_null(int argc, char **argv)
{
    volatile int *nothing = NULL;

    (void)argc;
    (void)argv;
    return *nothing;
}

static const struct {
    const char *name;
    int (*fn)(int argc, char **argv);
} deeds[] = {
    { "exit", do_exit },   { "args", do_args },
    { "print", do_print }, { "copy", do_copy },
    { "echo", do_echo },   { "wait", do_wait },
    { "null", do_null },   { "stubborn", do_stubborn },
    { "greet", do_greet }, { "prattle", do_prattle },
    { "both", do_both },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(deeds) / sizeof(*deeds); i++) {
        if (strcmp(deeds[i].name, argv[1]) == 0)
            return deeds[i].fn(argc - 2, argv + 2);
    }
    printf("what?\n");
    return 2;
}
