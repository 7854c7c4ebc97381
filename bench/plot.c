/*
 * The chart of `ringside bench hypercall --plot`: above, every time as a bar
 * from left to right on a scale of powers of ten, with a whisker up to the
 * 99th percentile; below, what one call or page costs as more of them travel
 * together. gnuplot draws; here is what it is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "figures.h"
#include "machine.h"
#include "tools/say.h"

#define SHORTEST_NS 0.2
#define LONGEST_NS  200000.0
#define BELOW       "◀" /* this way it goes on */
#define BEYOND      "▶"
#define LEAST_NS    40.0 /* of many at a time, mostly */
#define ROW_PX      19
#define CAPTION_PX  92
#define BELOW_PX    400

/* Is this one of a batch, to be drawn below? */
static unsigned int batch_of(const struct figure *f, const char *name)
{
    size_t n = strlen(name);

    return strncmp(f->name, name, n) ? 0
           : f->name[n]              ? (unsigned int)atoi(f->name + n)
                                     : 1;
}

static bool is_batch(const struct figure *f)
{
    return batch_of(f, "hypercall.multicall") > 1 ||
           batch_of(f, "grant.map_unmap") > 1;
}

static bool is_bar(const struct figure *f)
{
    return f->name && !f->unit && !is_batch(f) &&
           figure_measured(f)->median.n > 0;
}

static const char *format_time(double ns, char *buf, size_t n)
{
    if (ns < 1000)
        snprintf(buf, n, ns < 10 ? "%.1f ns" : "%.0f ns", ns);
    else
        snprintf(buf, n, ns < 10000 ? "%.2f µs" : "%.1f µs", ns / 1e3);
    return buf;
}

/* ---- data ---- */

static const unsigned int colours[] = {
    0x8a94a0, 0x2a6fbb, 0x5b9bd5, 0xd1495b,
    0xe09f3e, 0x3b8f5e, 0x7b5ea7, 0x00798c
};
#define NR_COLOURS (sizeof(colours) / sizeof(colours[0]))

/* The figures below a heading, up to the next one. */
static bool has_bars(unsigned int heading)
{
    const struct figure *f;

    for (unsigned int i = heading + 1; (f = figure_at(i)) && f->name; i++)
        if (is_bar(f))
            return true;
    return false;
}

/*
 * "ROW MEDIAN P99 COLOUR NAME TEXT BELOW BEYOND", and "ROW COLOUR HEADING" in a
 * block of its own; rows go down from 0. Returns how many there are. What lies
 * outside of the axis has a mark at its end.
 */
static unsigned int put_bars(FILE *f, FILE *headings)
{
    unsigned int rows = 0, section = NR_COLOURS - 1;
    const struct figure *fig;
    char text[24];

    fprintf(f, "$bars << END\n");
    fprintf(headings, "$headings << END\n");
    for (unsigned int i = 0; (fig = figure_at(i)); i++) {
        unsigned int colour = colours[section % NR_COLOURS];

        if (!fig->name && has_bars(i)) {
            colour = colours[++section % NR_COLOURS];
            fprintf(headings, "%d %u \"%s\"\n", -(int)++rows, colour,
                    fig->what);
        } else if (fig->name && is_bar(fig)) {
            fprintf(f, "%d %.6g %.6g %u \"%s\" \"%s\" \"%s\" \"%s\"\n",
                    -(int)++rows, figure_value(fig), figure_p99(fig), colour,
                    fig->name,
                    format_time(figure_value(fig), text, sizeof(text)),
                    figure_value(fig) < SHORTEST_NS ? BELOW : "",
                    figure_p99(fig) > LONGEST_NS ? BEYOND : "");
        }
    }
    fprintf(f, "END\n");
    fprintf(headings, "END\n");
    return rows;
}

/* "N MEDIAN P99"; false: there is none. */
static bool put_batches(FILE *f, const char *block, const char *name)
{
    const struct figure *fig;
    bool any = false;

    fprintf(f, "$%s << END\n", block);
    for (unsigned int i = 0; (fig = figure_at(i)); i++)
        if (fig->name && !fig->unit && batch_of(fig, name) &&
            figure_measured(fig)->median.n) {
            fprintf(f, "%u %.6g %.6g\n", batch_of(fig, name), figure_value(fig),
                    figure_p99(fig));
            any = true;
        }
    fprintf(f, "END\n");
    return any;
}

/* A line across: what one costs otherwise. */
static void put_level(FILE *f, const char *name, const char *what)
{
    const struct figure *fig = figure_find(name);

    if (figure_measured(fig)->median.n)
        fprintf(f,
                ", %.6g lw 1.2 dt 2 lc rgb '#8a94a0' notitle"
                ", '+' using (1):(%.6g):('%s') every ::0::0 with labels left "
                "offset 0.5,0.6 tc rgb '#5a6470' notitle",
                figure_value(fig), figure_value(fig), what);
}

/* ---- pictures ---- */

static void put_caption(FILE *f)
{
    const struct machine *m = machine();

    fprintf(f,
            "set label 1 '{/:Bold=17 What a hypercall costs}' at screen 0.02, "
            "char 0 left front\n");
    fprintf(
        f,
        "set label 2 \"%s, %u processors, TSC %.0f MHz, %s\" left noenhanced\n",
        m->cpu, m->cpus, m->tsc_mhz, m->kernel);
    fprintf(f,
            "set label 3 \"Ringside %s, engine %s; %s; bar: median of %u "
            "rounds, whisker: 99th percentile, " BELOW BEYOND
            ": beyond the axis\" left noenhanced\n",
            m->version, m->engine, m->placement,
            figure_measured(figure_find("hypercall.native_syscall"))->median.n);
}

static void put_bar_picture(FILE *f, unsigned int rows, double height)
{
    double top = 1 - CAPTION_PX / height, bottom = BELOW_PX / height;

    fprintf(f, "set tmargin at screen %.4f\nset bmargin at screen %.4f\n", top,
            bottom);
    for (int i = 1; i <= 3; i++)
        fprintf(f, "set label %d at screen 0.02, screen %.4f\n", i,
                1 - (14 + 22 * i) / height);
    fprintf(f,
            "set xrange [%g:%g]\nset yrange [%.1f:0]\nset logscale x\n"
            "set xtics (%s) nomirror tc rgb '#5a6470'\n"
            "set ytics scale 0 noenhanced tc rgb '#20262c'\n"
            "set grid xtics lc rgb '#e3e7eb' lt 1\n",
            SHORTEST_NS, LONGEST_NS, -(double)rows - 1,
            "'1 ns' 1, '10 ns' 10, '100 ns' 100, '1 µs' 1000, "
            "'10 µs' 10000, '100 µs' 100000");
    fprintf(f,
            "longest = %g\n"
            "plot $bars using 2:1:(%g):2:($1-0.34):($1+0.34):4:ytic(5) "
            "with boxxyerror fs solid 0.9 noborder lc rgb variable notitle"
            ", '' using 2:1:2:($3 < longest ? $3 : longest) with xerrorbars "
            "pt 0 lw 1.3 lc rgb '#20262c' notitle"
            ", '' using (longest):1:6 with labels right offset 8,0 "
            "tc rgb '#20262c' notitle"
            ", '' using (%g):1:7 with labels left tc rgb '#20262c' notitle"
            ", '' using (longest):1:8 with labels center "
            "tc rgb '#20262c' notitle"
            ", $headings using (%g):1:3:2 with labels left offset 0.4,-0.1 "
            "noenhanced tc rgb variable notitle\n",
            LONGEST_NS, SHORTEST_NS, SHORTEST_NS, SHORTEST_NS);
}

/* Where the axis of the lower picture begins, so that nothing is below it. */
static double least_of_batches(void)
{
    const struct figure *fig;
    double least = LEAST_NS;

    for (unsigned int i = 0; (fig = figure_at(i)); i++)
        if (fig->name && is_batch(fig) && figure_measured(fig)->median.n &&
            figure_value(fig) * 0.8 < least)
            least = figure_value(fig) * 0.8;
    return least;
}

static void put_batch_picture(FILE *f, double height)
{
    fprintf(f, "set tmargin at screen %.4f\nset bmargin at screen %.4f\n",
            (BELOW_PX - 90) / height, 62 / height);
    fprintf(f,
            "set logscale xy\nset xrange [0.9:290]\n"
            "set title '{/:Bold=13 Many at a time: what each costs}' "
            "offset 0,0.3\n"
            "set yrange [%.6g:*]\n"
            "set xtics (1, 2, 4, 8, 16, 32, 64, 128, 256) nomirror "
            "tc rgb '#5a6470'\n"
            "set xlabel 'calls in a multicall, pages in a hypercall' "
            "tc rgb '#5a6470'\n"
            "set ytics (%s) nomirror tc rgb '#5a6470'\n"
            "set grid xtics ytics lc rgb '#e3e7eb' lt 1\n"
            "set key center right\n",
            least_of_batches(),
            "'100 ns' 100, '200' 200, '500' 500, '1 µs' 1000, '2' 2000, "
            "'5' 5000, '10 µs' 10000, '20' 20000, '50' 50000");
    fprintf(f, "plot $calls using 1:2 with linespoints pt 7 ps 0.7 lw 2.2 "
               "lc rgb '#2a6fbb' title 'multicall, a call'"
               ", $pages using 1:2 with linespoints pt 5 ps 0.7 lw 2.2 "
               "lc rgb '#7b5ea7' title 'grant map and unmap, a page'");
    put_level(f, "hypercall.native_syscall", "a system call");
    put_level(f, "native.mmap_page", "mmap, touch, munmap");
    fprintf(f, "\nunset logscale\nunset title\nunset xlabel\nunset grid\n");
}

static void put_script(FILE *f)
{
    char *headings = NULL;
    size_t n = 0;
    FILE *h = open_memstream(&headings, &n);
    unsigned int rows = h ? put_bars(f, h) : 0;
    bool batches = put_batches(f, "calls", "hypercall.multicall");
    double height = CAPTION_PX + BELOW_PX + (rows + 1) * ROW_PX;

    if (h) {
        fclose(h);
        fputs(headings, f);
        free(headings);
    }
    batches &= put_batches(f, "pages", "grant.map_unmap");
    fprintf(f,
            "set encoding utf8\n"
            "set terminal svg size 1100,%.0f dynamic font 'Helvetica,12' "
            "background rgb 'white'\n"
            "set border 3 lc rgb '#b8c0c8'\nset multiplot\n"
            "set lmargin at screen 0.25\nset rmargin at screen 0.91\n",
            height);
    if (batches)
        put_batch_picture(f, height);
    put_caption(f);
    put_bar_picture(f, rows, height);
    fprintf(f, "unset multiplot\n");
}

/* ---- gnuplot ---- */

/* Starts it, with what is its standard input and output; -errno. */
static pid_t start_gnuplot(const char *arg, int in, int out)
{
    pid_t pid = fork();

    if (pid == 0) {
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        execlp("gnuplot", "gnuplot", arg, NULL);
        _exit(127);
    }
    return pid < 0 ? -errno : pid;
}

static bool ended_well(pid_t pid)
{
    int status;

    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

bool plot_is_svg(const char *file)
{
    size_t n = strlen(file);

    return n > 4 && !strcmp(file + n - 4, ".svg");
}

int plot_check(const char *option, const char *file)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool there = ended_well(start_gnuplot("--version", null, null));
    int fd;

    close(null);
    if (!there)
        return complain("%s needs gnuplot, which is not installed "
                        "(package gnuplot-nox)",
                        option);
    fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return complain("%s %s: %s", option, file, strerror(errno));
    close(fd);
    return 0;
}

int plot_draw(const char *file)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    FILE *script = tmpfile();
    bool good = false;

    if (fd >= 0 && script) {
        put_script(script);
        rewind(script);
        good = ended_well(start_gnuplot(NULL, fileno(script), fd));
    }
    if (script)
        fclose(script);
    if (fd >= 0)
        close(fd);
    return good ? 0 : complain("--plot %s: gnuplot could not draw it", file);
}
