/*
 * The command lines of the verbs.
 *
 * Functions return 0, or -EINVAL after a complaint.
 */
#ifndef RINGSIDE_TOOLS_OPTIONS_H
#define RINGSIDE_TOOLS_OPTIONS_H

#include <stdbool.h>

#include "guest_config.h"

/*
 * What a verb does with its options: letters as getopt(3) has them, with long
 * names; `set` gets each letter with its argument. *rest gets the index of the
 * first other argument, and there may be min…max of these.
 */
struct option_spec {
    const char *letters;      /* "wq" or "k:n:" */
    const char *const *names; /* a long name for each letter, in order */
    int (*set)(void *arg, int letter, const char *value);
    int min, max;
    const char *wants; /* "a DOMAIN", for a complaint about the number */
};
int options_parse(int argc, char **argv, const struct option_spec *spec,
                  void *arg, int *rest);

/* For verbs whose only argument is one domain. */
int options_domain(int argc, char **argv, const char **domain);

/* `run` and `create`. */
struct guest_options {
    struct guest_config config;
    const char *engine; /* run: -E, for a private host; NULL: the default */
    bool quiet;
    bool paused, console; /* create: -p, -c */
};
int options_guest(int argc, char **argv, bool is_create,
                  struct guest_options *o);

#endif
