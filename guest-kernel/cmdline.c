/*
 * The command line as main()'s argv. See libc.h.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/console.h"
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

/* The value as the option's number; false: it is none, or not allowed. */
static bool set_number(const struct cmdline_option *o, const char *text)
{
    unsigned long n;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    n = strtoul(text, &end, 10);
    if (*end || errno || n < o->min || n > o->max)
        return false;
    o->set((unsigned int)n);
    return true;
}

static void take_option(const char *word, const struct cmdline_option *options,
                        size_t n)
{
    size_t len = strcspn(word, "=");

    for (size_t i = 0; i < n; i++) {
        const struct cmdline_option *o = &options[i];

        if (strlen(o->name) != len || strncmp(o->name, word, len) != 0)
            continue;
        if (!word[len] || !set_number(o, word + len + 1))
            console_report("%s%s is ignored: a number from %u to %u is "
                           "wanted, as in %s%s=%u\n",
                           CMDLINE_OURS, word, o->min, o->max, CMDLINE_OURS,
                           o->name, o->min);
        return;
    }
    console_report("%s%s is ignored: no such option of the kernel, which has",
                   CMDLINE_OURS, word);
    for (size_t i = 0; i < n; i++)
        console_report("%s %s%s=N", i ? "," : "", CMDLINE_OURS,
                       options[i].name);
    console_report("\n");
}

/* "ip=" of the first network card, "ip1=" of the next one. */
static bool is_address(const char *word)
{
    if (strncmp(word, "ip", 2) != 0)
        return false;
    return word[2 + strspn(word + 2, "0123456789")] == '=';
}

int cmdline_take_options(char **argv, const struct cmdline_option *options,
                         size_t n)
{
    const size_t prefix = strlen(CMDLINE_OURS);
    int kept = 0;

    for (int i = 0; argv[i]; i++) {
        if (strncmp(argv[i], CMDLINE_OURS, prefix) == 0)
            take_option(argv[i] + prefix, options, n);
        else if (!is_address(argv[i]))
            argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    return kept;
}
