/* The command line of ringside-xenstored. */
#ifndef XS_OPTIONS_H
#define XS_OPTIONS_H

#include <stdbool.h>

#include "store/quota.h"

struct options {
    char *socket;    /* path */
    bool alone;      /* --hypervisor none */
    const char *db;  /* NULL: none */
    const char *log; /* NULL: stderr */
    const char *pid_file;
    bool foreground;
    bool trace;
    int ready_fd; /* -1: none */
    /* Live update (handover.h); a file with the state, or -1. */
    int state_fd; /* to go on with, */
    int check_fd; /* to look at and say so */
    struct quota quota;
};

/* Exits with 0 for --help and --version, with 1 and one line for a mistake. */
void options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);

#endif
