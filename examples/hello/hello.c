/*
 * The smallest guest: says hello, and its arguments, and ends.
 */
#include <stdio.h>

int main(int argc, char **argv)
{
    printf("Hello from a guest of its own.\n");
    for (int i = 1; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    return 0;
}
