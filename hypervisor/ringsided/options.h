/*
 * The command line of ringsided.
 */
#ifndef RINGSIDE_OPTIONS_H
#define RINGSIDE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "rundir_check.h"

struct options {
    char rundir[RUNDIR_MAX];
    const char *engine, *log;
    uint64_t memory_mib;  /* 0: the library's default */
    char *driver_program; /* NULL: ringside-driverd */
    bool store, driver, daemon;
    int ready_fd, lifeline_fd; /* -1: none */
};

/* Answers --help and --version itself, by exit(0). false: what is wrong has
 * been said in one line. */
bool options_parse(struct options *o, int argc, char **argv);

/* One line to standard error, after the program's name (main.c). */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
