/* ringside top: what domains do, live. See top.h. */
#include "top.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest.h"
#include "options.h"
#include "say.h"
#include "terminal.h"
#include "verbs.h"

#define FIRST_LOOK_MS 300 /* a screen is not left empty for long */

struct top_options {
    unsigned int delay_ms;
    unsigned int looks; /* 0: until it is ended */
    bool batch;
};

struct top {
    const struct host *host;
    struct top_options o;
    struct top_filter filter;
    struct top_sample now, before;
    bool details;
    int selected; /* domid; -1: none yet */
};

/* ---- options ---- */

static int set_delay(struct top_options *o, const char *value)
{
    char *end;
    double seconds = strtod(value, &end);

    if (end == value || *end != '\0' || !(seconds >= 0.1 && seconds <= 3600))
        return complain("delay '%s': say 0.1 to 3600 seconds", value);
    o->delay_ms = (unsigned int)(seconds * 1000);
    return 0;
}

static int set_looks(struct top_options *o, const char *value)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);

    if (value[0] < '0' || value[0] > '9' || *end != '\0' || n < 1 ||
        n > 1000000000)
        return complain("iterations '%s': say a number from 1 on", value);
    o->looks = (unsigned int)n;
    return 0;
}

static int set_option(void *arg, int letter, const char *value)
{
    struct top_options *o = arg;

    if (letter == 'd')
        return set_delay(o, value);
    if (letter == 'n')
        return set_looks(o, value);
    o->batch = true;
    return 0;
}

/* ---- looking ---- */

static int look(struct top *t)
{
    struct top_sample next;
    int err = top_take(t->host, &t->filter, t->selected, &next);

    if (err != 0) {
        top_free(&next);
        return err;
    }
    top_free(&t->before);
    t->before = t->now;
    t->now = next;
    top_compare(&t->now, &t->before);
    return 0;
}

/* ---- blocks of lines ---- */

static int show_block(const struct top_sample *s)
{
    const struct top_page page = { .out = stdout };

    top_heading(&page, true);
    for (unsigned int i = 0; i < s->n; i++)
        top_row(&page, s->rows[i], true);
    return fflush(stdout) == 0 ? 0
                               : complain("cannot write to standard output");
}

static int run_blocks(struct top *t)
{
    const struct timespec delay = {
        .tv_sec = t->o.delay_ms / 1000,
        .tv_nsec = t->o.delay_ms % 1000 * 1000000L,
    };
    int err = look(t);

    for (unsigned int i = 0; err == 0 && (t->o.looks == 0 || i < t->o.looks);
         i++) {
        nanosleep(&delay, NULL);
        err = look(t);
        if (err == 0 && i > 0)
            printf("\n");
        if (err == 0)
            err = show_block(&t->now);
    }
    return err;
}

/* ---- the screen ---- */

#define ABOVE 3 /* lines above the rows: the summary, the heading */
#define BELOW 1 /* and below: the keys */

/* The row of the selected domain; -1: none is, or it has gone. */
static int selected_row(const struct top *t)
{
    for (unsigned int i = 0; i < t->now.n; i++)
        if ((int)t->now.rows[i]->info.domid == t->selected)
            return (int)i;
    return -1;
}

/* From none, a step down is the first row. */
static void select_row(struct top *t, int step)
{
    int row = selected_row(t) + step;

    if (row >= 0 && row < (int)t->now.n)
        t->selected = (int)t->now.rows[row]->info.domid;
}

/* How many lines the details may take. */
static unsigned int details_lines(const struct top *t, unsigned int rows)
{
    unsigned int want = t->now.details.stats.nr_calls + 4;

    if (!t->details || selected_row(t) < 0)
        return 0;
    return want < rows / 2 ? want : rows / 2;
}

static void show_details(const struct top *t, const struct top_page *page,
                         int row)
{
    if (!t->details || row < 0)
        return;
    top_line(page, " ");
    top_line(page, "%s, per second:", t->now.rows[row]->info.name);
    top_show_details(page, &t->now.details, &t->before.details);
}

/* The page, and in *marked the line of the selected domain. */
static void compose(const struct top *t, FILE *out, int *marked)
{
    unsigned int rows, columns, room, first, taken;
    int row = selected_row(t);
    struct top_page page = { .out = out };

    screen_size(&rows, &columns);
    page.width = columns;
    taken = ABOVE + BELOW + details_lines(t, rows);
    room = rows > taken ? rows - taken : 1;
    first = row >= (int)room ? (unsigned int)row - room + 1 : 0;
    top_summary(&page, &t->now);
    top_heading(&page, false);
    for (unsigned int i = first; i < t->now.n && i - first < room; i++)
        top_row(&page, t->now.rows[i], false);
    show_details(t, &page, row);
    top_line(&page, "q quit  up, down select  h hypercalls  "
                    "* events sent, as the guest reports");
    *marked = row >= 0 ? ABOVE + row - (int)first : -1;
}

static int draw(const struct top *t)
{
    char *text = NULL;
    size_t n = 0;
    int marked;
    FILE *out = open_memstream(&text, &n);

    if (out == NULL)
        return complain("out of memory");
    compose(t, out, &marked);
    if (fclose(out) == 0)
        screen_draw(text, marked);
    free(text);
    return 0;
}

/* true: go on. */
static bool obey(struct top *t, int key)
{
    switch (key) {
    case 'q':
    case 'Q':
    case SCREEN_END:
        return false;
    case SCREEN_UP:
    case 'k':
        select_row(t, -1);
        return true;
    case SCREEN_DOWN:
    case 'j':
        select_row(t, 1);
        return true;
    case 'h':
    case '\n':
        t->details = !t->details;
        if (selected_row(t) < 0)
            select_row(t, 1);
        return true;
    default:
        return true;
    }
}

static unsigned long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000 +
           (unsigned long long)now.tv_nsec / 1000000;
}

/* Draws, and obeys keys, for so long; false: it shall end. */
static bool attend(struct top *t, unsigned int ms)
{
    unsigned long long until = now_ms() + ms, now;

    do {
        now = now_ms();
        if (draw(t) != 0 ||
            !obey(t, screen_key(now < until ? (int)(until - now) : 0)))
            return false;
    } while (now_ms() < until);
    return true;
}

static int run_screen(struct top *t)
{
    int err = look(t);

    if (err != 0)
        return err;
    screen_open();
    complain_silently(true); /* until the screen is a terminal again */
    for (unsigned int i = 0;; i++) {
        if (!attend(t, i == 0 ? FIRST_LOOK_MS : t->o.delay_ms) ||
            (t->o.looks != 0 && i == t->o.looks))
            break;
        err = look(t);
        if (err != 0)
            break;
    }
    screen_close();
    complain_silently(false);
    return err != 0 ? complain_again() : 0;
}

/* ---- the verb ---- */

static int check_names(const struct host *h, const struct top_filter *f)
{
    struct rs_domain_info info;
    int err = 0;

    for (int i = 0; i < f->n && err == 0; i++)
        err = domain_find(h, f->names[i], &info);
    return err;
}

int verb_top(int argc, char **argv)
{
    static const char *const names[] = { "delay", "iterations", "batch" };
    static const struct option_spec spec = {
        .letters = "d:n:b",
        .names = names,
        .set = set_option,
        .max = INT_MAX,
    };
    struct top t = { .o = { .delay_ms = 2000 }, .selected = -1 };
    struct host h;
    int rest, err;

    if (options_parse(argc, argv, &spec, &t.o, &rest) != 0 ||
        host_open(&h) != 0)
        return EXIT_FAILURE;
    t.host = &h;
    t.filter = (struct top_filter){ argv + rest, argc - rest };
    err = check_names(&h, &t.filter);
    if (err == 0)
        err = t.o.batch || !screen_possible() ? run_blocks(&t) : run_screen(&t);
    top_free(&t.now);
    top_free(&t.before);
    host_close(&h);
    return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
