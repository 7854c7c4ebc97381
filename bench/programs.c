/*
 * Whole programs: what the patch of the kernel buys in the end. blkcheck fills
 * and verifies a disk on tmpfs; the web server answers requests over NAT.
 * Guest, driver domain and client share a processor: across two, every trap
 * would be measured by what it takes to wake the other one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "figures.h"
#include "session.h"
#include "tools/say.h"

#define DISK_BYTES    (8 << 20)
#define FILE_BYTES    4096
#define CONNECTIONS   4u
#define PATIENCE_NS   60000000000u
#define PATIENCE_MS   10000
#define IMPATIENCE_MS 200 /* what comes before the server is there is lost */

/* Built twice: from the patched kernel, and as its native twin, whose
 * privileged instructions trap. */
static const struct mode {
    enum guest_mode mode;
    const char *elf;                  /* behind the program's name */
    const char *blkcheck, *webserver; /* the figures */
    unsigned int requests;            /* a round */
} modes[] = {
    { MODE_PV, ".elf", "program.blkcheck", "program.webserver", 1000 },
    { MODE_TRAP, ".native.elf", "program.blkcheck_trap",
      "program.webserver_trap", 100 },
};
#define NR_MODES (sizeof(modes) / sizeof(modes[0]))

struct server {
    struct bench_guest guest;
    bool runs;
    uint16_t port;
    size_t answer; /* bytes of one */
};

struct programs {
    struct bench_session *session;
    const struct bench_options *options;
    char disk[64], site[64]; /* files on tmpfs */
    struct server server[NR_MODES];
};

/* ---- files ---- */

/* Beside the bench's guests or, in a build tree, among the examples. */
static void find_program(const struct bench_options *o, const char *name,
                         const char *elf, char *path, size_t n)
{
    char file[96];

    snprintf(file, sizeof(file), "%s%s", name, elf);
    bench_guest_beside(o, file, path, n);
    if (access(path, R_OK) == 0)
        return;
    snprintf(file, sizeof(file), "../examples/%s/%s%s", name, name, elf);
    bench_guest_beside(o, file, path, n);
}

static int make_file(char *path, size_t n)
{
    int fd;

    snprintf(path, n, "/dev/shm/ringside-bench-XXXXXX");
    fd = mkstemp(path);
    if (fd < 0) {
        path[0] = '\0';
        return complain("cannot make a disk image on tmpfs (/dev/shm)");
    }
    return fd;
}

static int make_disk(struct programs *p)
{
    int fd = make_file(p->disk, sizeof(p->disk)), err;

    if (fd < 0)
        return fd;
    err = ftruncate(fd, DISK_BYTES);
    close(fd);
    return err ? complain("no room for a disk image on tmpfs") : 0;
}

/* A tar archive with the one file index.html. */
static int make_site(struct programs *p)
{
    static char tar[512 + FILE_BYTES + 1024];
    int fd = make_file(p->site, sizeof(p->site));
    unsigned int sum = 8 * ' ';
    ssize_t n;

    if (fd < 0)
        return fd;
    memset(tar, 0, sizeof(tar));
    memset(tar + 512, 'x', FILE_BYTES);
    strcpy(tar, "index.html");
    strcpy(tar + 100, "0000644");
    snprintf(tar + 124, 12, "%011o", FILE_BYTES);
    strcpy(tar + 136, "00000000000");
    tar[156] = '0';
    memcpy(tar + 257, "ustar\00000", 8);
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)tar[i];
    snprintf(tar + 148, 8, "%06o", sum);
    n = write(fd, tar, sizeof(tar));
    close(fd);
    return n == (ssize_t)sizeof(tar) ? 0
                                     : complain("no room for a site on tmpfs");
}

/* ---- blkcheck ---- */

static int wait_end(struct bench_guest *g, double *ms)
{
    struct rs_domain_info info;
    enum guest_end end;

    while ((end = guest_look(&g->guest, &info)) == GUEST_LIVES) {
        if (bench_now() - g->began_ns > PATIENCE_NS)
            return complain("blkcheck does not end");
        guest_wait(&g->guest, 100);
        guest_drain(&g->guest);
    }
    *ms = (double)(bench_now() - g->began_ns) / 1e6;
    if (end != GUEST_POWEROFF || info.exit_status != 0)
        return complain("blkcheck failed");
    return 0;
}

/* One with a network card lives beside others, and only reads its disk. */
static int start_program(struct programs *p, const struct mode *m,
                         const char *name, const char *job, const char *disk,
                         const char *vif, struct bench_guest *g)
{
    struct bench_options o = *p->options;
    char path[512], spec[96];
    int err;

    find_program(p->options, name, m->elf, path, sizeof(path));
    o.guest = path;
    snprintf(spec, sizeof(spec), "%s,raw,xvda,%s", disk, vif ? "r" : "w");
    p->session->guest_cpu = session_cpu(0);
    p->session->guest_mode = m->mode;
    err = session_start(p->session, &o, g, job, spec, vif);
    p->session->guest_cpu = -1;
    return err;
}

static int run_blkcheck(struct programs *p, const struct mode *m)
{
    struct bench_guest g;
    double ms = 0;
    int err = start_program(p, m, "blkcheck", "--fill", p->disk, NULL, &g);

    if (err)
        return err;
    err = wait_end(&g, &ms);
    session_end(&g);
    if (!err)
        figure_add_value(m->blkcheck, ms);
    return err;
}

/* ---- the web server ---- */

static const char request[] = "GET /index.html HTTP/1.1\r\nHost: bench\r\n\r\n";

static bool ask(int fd)
{
    return send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) ==
           (ssize_t)sizeof(request) - 1;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Asks once, and learns how long an answer is. 0: there is none (yet). */
static size_t first_answer(int fd, int patience_ms)
{
    static char text[FILE_BYTES + 1024];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    size_t got = 0;
    char *body;
    ssize_t n;

    if (!ask(fd))
        return 0;
    while (poll(&p, 1, patience_ms) == 1) {
        n = read(fd, text + got, sizeof(text) - 1 - got);
        if (n <= 0)
            return 0;
        got += (size_t)n;
        text[got] = '\0';
        body = strstr(text, "\r\n\r\n");
        if (body && got == (size_t)(body + 4 - text) + FILE_BYTES)
            return strncmp(text, "HTTP/1.1 200", 12) ? 0 : got;
    }
    return 0;
}

/* The guest's port is there a little after the guest. */
static int wait_server(struct server *s)
{
    int fd;

    s->port = s->guest.config.vifs[0].forwards[0].host_port;
    for (int tries = 0; !s->answer && tries < 200; tries++) {
        fd = connect_to(s->port);
        s->answer = fd >= 0 ? first_answer(fd, IMPATIENCE_MS) : 0;
        if (fd >= 0)
            close(fd);
        if (!s->answer)
            usleep(20000);
    }
    return s->answer ? 0 : complain("the web server does not answer");
}

static int start_server(struct programs *p, const struct mode *m,
                        struct server *s)
{
    int err = start_program(p, m, "webserver", "80", p->site,
                            "type=nat,forward=tcp:0:80", &s->guest);

    s->runs = !err;
    return err ? err : wait_server(s);
}

static void hang_up(struct pollfd p[CONNECTIONS])
{
    for (unsigned int i = 0; i < CONNECTIONS; i++)
        if (p[i].fd >= 0)
            close(p[i].fd);
}

/* Anew in each round: the server waits for nobody's next request for long. */
static int connect_all(const struct server *s, struct pollfd p[CONNECTIONS])
{
    bool good = true;

    for (unsigned int i = 0; i < CONNECTIONS; i++) {
        p[i] = (struct pollfd){ .fd = connect_to(s->port), .events = POLLIN };
        good &= p[i].fd >= 0 && first_answer(p[i].fd, PATIENCE_MS);
    }
    if (!good)
        hang_up(p);
    return good ? 0 : complain("the web server does not answer any more");
}

/* Reads what came; *have of the answer is there. False: nothing comes. */
static bool take(int fd, size_t *have)
{
    static char buf[64 * 1024];
    ssize_t n = read(fd, buf, sizeof(buf));

    *have += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* Every connection has one request out until all are answered. */
static bool load(const struct server *s, struct pollfd p[CONNECTIONS],
                 unsigned int requests)
{
    size_t have[CONNECTIONS] = { 0 };
    bool good = true;

    for (unsigned int i = 0; i < CONNECTIONS; i++)
        good &= ask(p[i].fd);
    while (good && requests) {
        good = poll(p, CONNECTIONS, PATIENCE_MS) > 0;
        for (unsigned int i = 0; good && i < CONNECTIONS; i++) {
            if (p[i].revents)
                good = take(p[i].fd, &have[i]);
            if (have[i] < s->answer)
                continue;
            have[i] -= s->answer;
            if (--requests >= CONNECTIONS)
                good &= ask(p[i].fd);
        }
    }
    return good;
}

static int run_webserver(const struct server *s, const struct mode *m)
{
    struct pollfd p[CONNECTIONS];
    uint64_t start;
    int err = connect_all(s, p);

    if (err)
        return err;
    start = bench_now();
    if (!load(s, p, m->requests))
        err = complain("the web server hung up");
    else
        figure_add_value(m->webserver,
                         m->requests * 1e9 / (double)(bench_now() - start));
    hang_up(p);
    return err;
}

/* ---- all ---- */

struct programs *programs_begin(struct bench_session *s,
                                const struct bench_options *o)
{
    struct programs *p = calloc(1, sizeof(*p));
    int err = p ? 0 : complain("no memory");

    if (err)
        return NULL;
    p->session = s;
    p->options = o;
    err = make_disk(p);
    if (!err)
        err = make_site(p);
    for (size_t i = 0; i < NR_MODES && !err; i++)
        err = start_server(p, &modes[i], &p->server[i]);
    if (!err)
        return p;
    programs_end(p);
    return NULL;
}

int programs_round(struct programs *p)
{
    int err = 0;

    for (size_t i = 0; i < NR_MODES && !err; i++) {
        err = run_blkcheck(p, &modes[i]);
        if (!err)
            err = run_webserver(&p->server[i], &modes[i]);
    }
    return err;
}

void programs_end(struct programs *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < NR_MODES; i++)
        if (p->server[i].runs)
            session_end(&p->server[i].guest);
    if (p->disk[0])
        unlink(p->disk);
    if (p->site[0])
        unlink(p->site);
    free(p);
}
