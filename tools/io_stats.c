/*
 * Asks the driver domain for statistics of devices. See io_stats.h.
 */
#include "io_stats.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"
#include "rundir_check.h"
#include "socket_name.h"

#define TEXT_MAX   (8u << 20)
#define ANSWER_MS  1000
#define FIRST_ROOM 4096

static const char *const names[IO_VALUES] = {
    [IO_READS] = "reads",
    [IO_READ_BYTES] = "read_bytes",
    [IO_WRITES] = "writes",
    [IO_WRITE_BYTES] = "write_bytes",
    [IO_FLUSHES] = "flushes",
    [IO_DISCARDS] = "discards",
    [IO_ERRORS] = "errors",
    [IO_TX_PACKETS] = "tx_packets",
    [IO_TX_BYTES] = "tx_bytes",
    [IO_TX_ERRORS] = "tx_errors",
    [IO_TX_DROPPED] = "tx_dropped",
    [IO_RX_PACKETS] = "rx_packets",
    [IO_RX_BYTES] = "rx_bytes",
    [IO_RX_DROPPED] = "rx_dropped",
    [IO_TX_FILTERED] = "tx_filtered",
    [IO_FLOWS] = "flows",
    [IO_FLOWS_EVICTED] = "flows_evicted",
    [IO_FLOWS_REFUSED] = "flows_refused",
};

const char *io_value_name(enum io_value v)
{
    return names[v];
}

/* ---- a line ---- */

static void take_value(struct device_io *d, const char *word, uint64_t value)
{
    for (unsigned int i = 0; i < IO_VALUES; i++) {
        if (strcmp(names[i], word) != 0)
            continue;
        d->value[i] = value;
        d->has |= 1u << i;
    }
}

bool io_parse_line(const char *line, struct device_io *out)
{
    unsigned long long value;
    char word[32];
    int n = 0;

    *out = (struct device_io){ .has = 0 };
    if (sscanf(line, "%15[a-z] %5u %10u%n", out->type, &out->domid, &out->devid,
               &n) != 3)
        return false;
    for (line += n; *line != '\0'; line += n) {
        n = 0;
        if (sscanf(line, " %31[a-z_]=%20llu%n", word, &value, &n) != 2)
            return false;
        take_value(out, word, value);
    }
    return true;
}

/* ---- asking ---- */

static int connect_to(const char *rundir)
{
    char path[RUNDIR_FILE_MAX];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(path, sizeof(path), "%s/driverd.stats", rundir);
    if (fd >= 0 &&
        (socket_name_connect(fd, path) != 0 || peer_check(fd) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for more; false when the answer has taken too long. */
static bool wait_for(int fd, long until)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    long left = until - now_ms();

    return left > 0 && poll(&p, 1, (int)left) >= 0;
}

/* All that it says, NULL if it does not come to an end. To be freed. */
static char *take_text(int fd)
{
    long until = now_ms() + ANSWER_MS;
    size_t room = FIRST_ROOM, n = 0;
    char *text = malloc(room), *more;
    ssize_t got = -1;

    while (text != NULL) {
        got = read(fd, text + n, room - 1 - n);
        if (got == 0)
            break;
        if (got > 0) {
            n += (size_t)got;
        } else if ((errno != EAGAIN && errno != EINTR) ||
                   !wait_for(fd, until)) {
            break;
        }
        if (n < room - 1)
            continue;
        more = room < TEXT_MAX ? realloc(text, room *= 2) : NULL;
        if (more == NULL)
            break;
        text = more;
    }
    if (text != NULL && got == 0) {
        text[n] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

static unsigned int count_lines(const char *text)
{
    unsigned int n = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

unsigned int io_read(const char *rundir, struct device_io **list)
{
    int fd = connect_to(rundir);
    char *text = NULL, *line, *rest;
    unsigned int n = 0;

    *list = NULL;
    if (fd >= 0) {
        text = take_text(fd);
        close(fd);
    }
    if (text != NULL && text[0] != '\0')
        *list = calloc(count_lines(text), sizeof(**list));
    for (rest = text;
         *list != NULL && (line = strsep(&rest, "\n")) != NULL && rest != NULL;)
        n += io_parse_line(line, &(*list)[n]);
    free(text);
    return n;
}
