/*
 * See terminal.h. ANSI's sequences, which every terminal of today knows: no
 * library is worth having for six of them.
 */
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"
#define HOME  "\033[H"
#define CLEAR "\033[J"  /* from here on */
#define EOL   "\033[K"  /* clears the rest of the line */
#define MARK  "\033[7m" /* in reverse */
#define PLAIN "\033[0m"

static struct termios saved;
static bool is_open, has_keys;
static volatile sig_atomic_t ended_by;
static sigset_t while_waiting;

bool screen_possible(void)
{
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

static void on_signal(int sig)
{
    ended_by = sig;
}

static void on_resize(int sig)
{
    (void)sig;
}

/* Signals come only while we wait, so that none falls between a look at
 * ended_by and the sleep. */
static void catch_signals(void)
{
    static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    struct sigaction sa = { .sa_handler = on_signal };
    sigset_t held;

    sigemptyset(&held);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        sigaction(ends[i], &sa, NULL);
        sigaddset(&held, ends[i]);
    }
    sa.sa_handler = on_resize;
    sigaction(SIGWINCH, &sa, NULL);
    sigaddset(&held, SIGWINCH);
    sigprocmask(SIG_BLOCK, &held, &while_waiting);
}

/* Ctrl-C still ends us; Ctrl-Z, which would leave the screen as it is, is a
 * key like others. */
static void take_keys(void)
{
    struct termios t;

    if (tcgetattr(STDIN_FILENO, &saved) != 0)
        return;
    t = saved;
    t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    t.c_cc[VSUSP] = _POSIX_VDISABLE;
    has_keys = tcsetattr(STDIN_FILENO, TCSADRAIN, &t) == 0;
}

void screen_open(void)
{
    catch_signals();
    take_keys();
    is_open = true;
    atexit(screen_close);
    fputs(ENTER, stdout);
}

void screen_close(void)
{
    if (!is_open)
        return;
    is_open = false;
    fputs(LEAVE, stdout);
    fflush(stdout);
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
    sigprocmask(SIG_SETMASK, &while_waiting, NULL);
}

void screen_size(unsigned int *rows, unsigned int *columns)
{
    struct winsize w;

    *rows = 24;
    *columns = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 0 &&
        w.ws_col > 0) {
        *rows = w.ws_row;
        *columns = w.ws_col;
    }
}

void screen_draw(const char *text, int marked)
{
    unsigned int rows, columns;

    screen_size(&rows, &columns);
    fputs(HOME, stdout);
    for (unsigned int i = 0; i < rows && *text != '\0'; i++) {
        size_t n = strcspn(text, "\n");

        printf("%s%s%.*s" EOL "%s", i > 0 ? "\n" : "",
               (int)i == marked ? MARK : "", (int)n, text,
               (int)i == marked ? PLAIN : "");
        text += n + (text[n] == '\n');
    }
    fputs(EOL CLEAR, stdout);
    fflush(stdout);
}

/* One more byte of a key, which is there already; 0: it is not. */
static unsigned char read_more(void)
{
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
    unsigned char c;

    return poll(&p, 1, 20) == 1 && read(STDIN_FILENO, &c, 1) == 1 ? c : 0;
}

/* Arrows are three bytes. */
static int read_key(void)
{
    unsigned char c;
    ssize_t n = read(STDIN_FILENO, &c, 1);

    if (n <= 0)
        return n < 0 && errno == EINTR ? SCREEN_NOTHING : SCREEN_END;
    if (c != 033)
        return c;
    c = read_more();
    if (c != '[' && c != 'O')
        return SCREEN_NOTHING;
    c = read_more();
    return c == 'A' ? SCREEN_UP : c == 'B' ? SCREEN_DOWN : SCREEN_NOTHING;
}

int screen_key(int ms)
{
    struct pollfd p = { .fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN };
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    int n = ppoll(&p, 1, &t, &while_waiting);

    if (ended_by != 0)
        return SCREEN_END;
    return n > 0 ? read_key() : SCREEN_NOTHING;
}
