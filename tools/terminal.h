/*
 * The whole terminal as a screen, for a view that is drawn again and again.
 */
#ifndef RINGSIDE_TOOLS_TERMINAL_H
#define RINGSIDE_TOOLS_TERMINAL_H

#include <stdbool.h>

enum screen_key {
    SCREEN_NOTHING, /* the time is up, or the window has another size */
    SCREEN_UP = 256,
    SCREEN_DOWN,
    SCREEN_END, /* a signal, or the end of the input */
    /* all others: the character */
};

/* Is there one on standard output that can be drawn on? */
bool screen_possible(void);

/* Takes the terminal; it is given back at exit, by screen_close(), and by
 * signals that end us. */
void screen_open(void);
void screen_close(void);

void screen_size(unsigned int *rows, unsigned int *columns);

/* Draws lines over what is there, as many as fit, line `marked` (from 0; -1:
 * none) highlighted. */
void screen_draw(const char *text, int marked);

/* Waits at most ms for a key. */
int screen_key(int ms);

#endif
