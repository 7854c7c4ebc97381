/*
 * Finds the keys that a text in xl.cfg syntax assigns, with their lines.
 *
 * libxlutil looks keys up but cannot list them, so a misspelt key would go
 * unseen. The text has been accepted by libxlutil before; here it is enough
 * to skip comments, strings and lists, and to see a name before '=' or '+='.
 */
#include "guest_config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct scan {
    const char *p;
    unsigned int line;
    int depth; /* of brackets */
};

static void scan_char(struct scan *s)
{
    if (*s->p == '\n')
        s->line++;
    s->p++;
}

/* Skips "…" or '…', in which a backslash protects the next character. */
static void scan_string(struct scan *s)
{
    char quote = *s->p;

    scan_char(s);
    while (*s->p != '\0' && *s->p != quote) {
        if (*s->p == '\\' && s->p[1] != '\0')
            scan_char(s);
        scan_char(s);
    }
    if (*s->p == quote)
        scan_char(s);
}

static void scan_comment(struct scan *s)
{
    while (*s->p != '\0' && *s->p != '\n')
        scan_char(s);
}

static size_t word_length(const char *p)
{
    size_t n = 0;

    while (isalnum((unsigned char)p[n]) || p[n] == '_')
        n++;
    return n;
}

/* Is what follows a name the sign of an assignment? */
static bool assigns(const char *p)
{
    p += strspn(p, " \t");
    return p[0] == '=' || (p[0] == '+' && p[1] == '=');
}

/* At a word: copies it if it is an unknown key, and steps over it. */
static bool scan_word(struct scan *s, bool (*is_known)(const char *), char *key,
                      unsigned int size)
{
    size_t n = word_length(s->p);
    const char *word = s->p;

    s->p += n;
    if (s->depth > 0 || !assigns(s->p))
        return false;
    snprintf(key, size, "%.*s", (int)n, word);
    return n >= size || !is_known(key);
}

unsigned int config_find_unknown(const char *text,
                                 bool (*is_known)(const char *key), char *key,
                                 unsigned int size)
{
    struct scan s = { .p = text, .line = 1 };

    while (*s.p != '\0') {
        if (*s.p == '#') {
            scan_comment(&s);
        } else if (*s.p == '"' || *s.p == '\'') {
            scan_string(&s);
        } else if (word_length(s.p) > 0) {
            if (scan_word(&s, is_known, key, size))
                return s.line;
        } else {
            s.depth += (*s.p == '[') - (*s.p == ']');
            scan_char(&s);
        }
    }
    return 0;
}
