/*
 * The names of a processor's exceptions, for crash reports.
 */
#ifndef RINGSIDE_TRAP_H
#define RINGSIDE_TRAP_H

/* "page fault", NULL: the vector has no name. */
const char *trap_name(unsigned int vector);

#endif
