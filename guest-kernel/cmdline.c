/*
 * The command line as main()'s argv. See libc.h.
 */
#include <stddef.h>
#include <string.h>

#include "guest-kernel/libc.h"

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* Reads one word at *in, unquoted, to *out; both move on. */
static void take_word(char **in, char **out)
{
    char quote = 0;

    for (; **in && (quote || !is_blank(**in)); (*in)++) {
        char c = **in;

        if (quote ? c == quote : c == '\'' || c == '"') {
            quote = quote ? 0 : c;
            continue;
        }
        if (c == '\\' && quote != '\'' && (*in)[1])
            c = *++*in;
        *(*out)++ = c;
    }
    if (**in)
        (*in)++;
    *(*out)++ = '\0';
}

int cmdline_split(char *line, char **argv, int max)
{
    char *in = line, *out = line;
    int argc = 0;

    for (;;) {
        while (is_blank(*in))
            in++;
        if (!*in || argc == max - 1)
            break;
        argv[argc++] = out;
        take_word(&in, &out);
    }
    argv[argc] = NULL;
    return argc;
}

const char *cmdline_option(char **argv, const char *key)
{
    size_t n = strlen(key);

    for (; *argv; argv++)
        if (strncmp(*argv, key, n) == 0 && (*argv)[n] == '=')
            return *argv + n + 1;
    return NULL;
}
