/*
 * A web server: the files of the tar archive on disk xvda, over HTTP/1.1.
 *
 *     ringside run --kernel webserver.elf --disk site.tar,raw,xvda,r \
 *         --vif type=nat,forward=tcp:8080:80
 *
 * GET and HEAD, connections that stay open, index.html or a listing for
 * directories. A thread per connection; whatever a client sends is bounded in
 * size and time. The argument is the port, 80 if there is none.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <ringside/guest.h>
#include <ringside/net.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define REQUEST_MAX     8192
#define PATIENCE_S      15 /* for a request, and for a client that reads */

struct client {
    int fd;
    bool keep, head;
    size_t have; /* bytes in `in`, of this request and those behind it */
    char in[REQUEST_MAX + 1], path[REQUEST_MAX + 16], name[256];
    size_t used; /* bytes in `out` that are not sent yet */
    char out[64 * 1024];
};

static struct rs_semaphore *room;

/* ---- sending ---- */

static bool flush(struct client *c)
{
    for (size_t at = 0; at < c->used;) {
        ssize_t n = send(c->fd, c->out + at, c->used - at, 0);

        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    c->used = 0;
    return true;
}

/* Adds text to the answer; what is there is sent if there is no room. */
static void put(struct client *c, const char *fmt, ...)
{
    va_list ap;
    int n = 0;

    for (int tries = 0; tries < 2; tries++) {
        size_t free = sizeof(c->out) - c->used;

        va_start(ap, fmt);
        n = vsnprintf(c->out + c->used, free, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < free) {
            c->used += (size_t)n;
            return;
        }
        flush(c);
    }
}

static void put_head(struct client *c, const char *status, const char *type)
{
    put(c,
        "HTTP/1.1 %s\r\nServer: ringside\r\nContent-Type: %s\r\n"
        "Connection: %s\r\n",
        status, type, c->keep ? "keep-alive" : "close");
}

static bool answer(struct client *c, const char *status)
{
    put_head(c, status, "text/plain");
    put(c, "Content-Length: %zu\r\n\r\n", strlen(status) + 1);
    if (!c->head)
        put(c, "%s\n", status);
    return flush(c);
}

static bool refuse(struct client *c, const char *status)
{
    c->keep = false;
    return answer(c, status);
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        { ".html", "text/html; charset=utf-8" },
        { ".css", "text/css" },
        { ".js", "text/javascript" },
        { ".json", "application/json" },
        { ".txt", "text/plain; charset=utf-8" },
        { ".md", "text/plain; charset=utf-8" },
        { ".svg", "image/svg+xml" },
        { ".png", "image/png" },
        { ".jpg", "image/jpeg" },
        { ".gif", "image/gif" },
        { ".pdf", "application/pdf" },
    };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcasecmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

static bool send_file(struct client *c, int fd, off_t size)
{
    put_head(c, "200 OK", type_of(c->path));
    put(c, "Content-Length: %lld\r\n\r\n", (long long)size);
    while (!c->head && size > 0) {
        ssize_t n = read(fd, c->out + c->used, sizeof(c->out) - c->used);

        if (n <= 0)
            return false; /* a short answer: the client will notice */
        c->used += (size_t)n;
        size -= n;
        if (c->used == sizeof(c->out) && !flush(c))
            return false;
    }
    return flush(c);
}

/* A name, safe in a URL and in HTML. */
static void put_name(struct client *c, const char *name, bool url)
{
    for (; *name; name++) {
        unsigned char ch = (unsigned char)*name;

        if (isalnum(ch) || strchr("-_.~ ", ch) || (!url && ch > 0x7f))
            put(c, url && ch == ' ' ? "%%20" : "%c", ch);
        else
            put(c, url ? "%%%02X" : "&#%u;", ch);
    }
}

/* The length is not known before: the end of the connection ends the list. */
static bool send_listing(struct client *c, DIR *dir)
{
    struct dirent *e;

    c->keep = false;
    put_head(c, "200 OK", "text/html; charset=utf-8");
    put(c, "\r\n");
    if (c->head)
        return flush(c);
    put(c, "<!doctype html><title>Index</title><ul>\n"
           "<li><a href=\"../\">..</a>\n");
    while ((e = readdir(dir))) {
        const char *slash = e->d_type == DT_DIR ? "/" : "";

        put(c, "<li><a href=\"");
        put_name(c, e->d_name, true);
        put(c, "%s\">", slash);
        put_name(c, e->d_name, false);
        put(c, "%s</a>\n", slash);
    }
    put(c, "</ul>\n");
    return flush(c);
}

/* ---- requests ---- */

static int hex(char ch)
{
    const char *digits = "0123456789abcdef", *at;

    at = ch ? strchr(digits, tolower((unsigned char)ch)) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* The target without its query and with %XX decoded; false: it is malformed. */
static bool decode(const char *target, char *path)
{
    for (; *target && *target != '?' && *target != '#'; target++) {
        *path = *target;
        if (*target == '%') {
            int high = hex(target[1]), low = high < 0 ? -1 : hex(target[2]);

            if (low < 0 || (high == 0 && low == 0))
                return false;
            *path = (char)(high << 4 | low);
            target += 2;
        }
        path++;
    }
    *path = '\0';
    return true;
}

/* Takes "//", "." and ".." out; never leads above "/". Keeps a final slash. */
static void normalise(char *path)
{
    char *to = path, *p = path;
    bool slash = true;

    while (*(p += strspn(p, "/"))) {
        size_t len = strcspn(p, "/");
        bool dot = len == 1 && *p == '.';
        bool up = len == 2 && strncmp(p, "..", 2) == 0;

        slash = dot || up || p[len] == '/';
        if (up) {
            while (to > path && *--to != '/')
                ;
        } else if (!dot) {
            *to++ = '/';
            memmove(to, p, len);
            to += len;
        }
        p += len;
    }
    if (slash)
        *to++ = '/';
    *to = '\0';
}

static bool send_directory(struct client *c)
{
    size_t len = strlen(c->path);
    struct stat st;
    bool ok;
    DIR *dir;
    int fd;

    if (c->path[len - 1] != '/') {
        put_head(c, "301 Moved Permanently", "text/plain");
        put(c, "Content-Length: 0\r\nLocation: ");
        for (char *p = c->path; p; p = strchr(p + 1, '/')) {
            snprintf(c->name, sizeof(c->name), "%.*s", (int)strcspn(p + 1, "/"),
                     p + 1);
            put(c, "/");
            put_name(c, c->name, true);
        }
        put(c, "/\r\n\r\n");
        return flush(c);
    }
    strcpy(c->path + len, "index.html");
    fd = open(c->path, O_RDONLY);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        ok = send_file(c, fd, st.st_size);
        close(fd);
        return ok;
    }
    if (fd >= 0)
        close(fd);
    c->path[len] = '\0';
    dir = opendir(c->path);
    if (!dir)
        return answer(c, "404 Not Found");
    ok = send_listing(c, dir);
    closedir(dir);
    return ok;
}

static bool send_path(struct client *c)
{
    struct stat st;
    bool ok;
    int fd;

    if (stat(c->path, &st) != 0)
        return answer(c, errno == ENOMEM ? "503 Service Unavailable"
                                         : "404 Not Found");
    if (S_ISDIR(st.st_mode))
        return send_directory(c);
    fd = open(c->path, O_RDONLY);
    if (fd < 0)
        return answer(c, errno == ENOENT || errno == ENOTDIR
                             ? "404 Not Found"
                             : "503 Service Unavailable");
    ok = send_file(c, fd, st.st_size);
    close(fd);
    return ok;
}

/* The value of a header, or NULL. */
static const char *header(const char *line, const char *name)
{
    size_t n = strlen(name);

    for (; line; line = strstr(line, "\r\n")) {
        line += strspn(line, "\r\n");
        if (strncasecmp(line, name, n) == 0 && line[n] == ':')
            return line + n + 1 + strspn(line + n + 1, " \t");
    }
    return NULL;
}

/* Answers the request whose text is in c->in, its end marked by a NUL. */
static bool respond(struct client *c)
{
    char *end = strstr(c->in, "\r\n"), *target, *version;
    const char *connection = end ? header(end, "Connection") : NULL;

    if (end)
        *end = '\0';
    c->head = strncmp(c->in, "HEAD ", 5) == 0;
    target = strchr(c->in, ' ');
    version = target ? strchr(target + 1, ' ') : NULL;
    if (!version || strncmp(version, " HTTP/1.", 8) != 0)
        return refuse(c, "400 Bad Request");
    *version = '\0';
    c->keep = version[8] != '0';
    if (connection && strncasecmp(connection, "close", 5) == 0)
        c->keep = false;
    if (end && (header(end + 1, "Content-Length") ||
                header(end + 1, "Transfer-Encoding")))
        c->keep = false; /* a body, which nobody here reads */
    if (!c->head && strncmp(c->in, "GET ", 4) != 0)
        return refuse(c, "405 Method Not Allowed");
    if (target[1] != '/' || !decode(target + 1, c->path))
        return refuse(c, "400 Bad Request");
    normalise(c->path);
    return send_path(c);
}

/* Reads until a whole request is there; its length, or 0. */
static size_t receive(struct client *c)
{
    for (;;) {
        char *end;
        ssize_t n;

        c->in[c->have] = '\0';
        end = strstr(c->in, "\r\n\r\n");
        if (end)
            return (size_t)(end - c->in) + 4;
        if (c->have == REQUEST_MAX || strlen(c->in) < c->have) {
            refuse(c, "431 Request Header Fields Too Large");
            return 0;
        }
        n = recv(c->fd, c->in + c->have, REQUEST_MAX - c->have, 0);
        if (n <= 0)
            return 0;
        c->have += (size_t)n;
    }
}

static void serve(void *arg)
{
    struct client *c = arg;
    size_t n;

    do {
        n = receive(c);
        if (!n)
            break;
        c->in[n - 2] = '\0';
        if (!respond(c))
            break;
        c->have -= n;
        memmove(c->in, c->in + n, c->have);
    } while (c->keep);
    close(c->fd);
    free(c);
    rs_semaphore_up(room);
}

static void start(int fd)
{
    struct timeval patience = { .tv_sec = PATIENCE_S };
    struct client *c = malloc(sizeof(*c));
    struct rs_thread *t = NULL;
    int one = 1;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (c) {
        c->fd = fd;
        c->have = c->used = 0;
        t = rs_thread_create("client", serve, c, 0);
    }
    if (t) {
        rs_thread_detach(t);
        return;
    }
    free(c);
    close(fd); /* out of memory: this client has to come again */
    rs_semaphore_up(room);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(s, CONNECTIONS_MAX) != 0) {
        perror("listen");
        exit(1);
    }
    return s;
}

int main(int argc, char **argv)
{
    uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 80);
    struct rs_net_info net;
    int s, fd, err;

    if (rs_mount_tar("xvda", "/") != 0)
        return 1;
    err = rs_net_up(RS_FOREVER);
    if (err || rs_net_info(&net)) {
        fprintf(stderr, "no network: %s\n", strerror(-err));
        return 1;
    }
    room = rs_semaphore_new(CONNECTIONS_MAX);
    s = listen_on(port);
    printf("serving xvda on http://%s:%u/\n", net.address, port);
    for (;;) {
        rs_semaphore_down(room, RS_FOREVER);
        fd = accept(s, NULL, NULL);
        if (fd >= 0)
            start(fd);
        else
            rs_semaphore_up(room);
    }
}
