/*
 * A program that defines every name of the libraries which neither C, POSIX nor
 * the headers of the SDK reserve (own_names.h, made from the libraries), and
 * uses all of the SDK: it links, the kernel calls none of the program's
 * functions, and the program calls its own.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <locale.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <ringside/guest.h>
#include <ringside/net.h>
#include <ringside/vchan.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "tests/guest/tap.h"

static unsigned int calls;

/* Their C names are others, since headers may use those for something else. */
#define OWN(name)                         \
    void own_##name(void) __asm__(#name); \
    void own_##name(void)                 \
    {                                     \
        calls++;                          \
    }
#include "own_names.h"
#undef OWN

#define OWN(name) own_##name,
static void (*const own[])(void) = {
#include "own_names.h"
};
#undef OWN
#define OWN_COUNT (sizeof(own) / sizeof(own[0]))

static void thread_up(void *arg)
{
    rs_semaphore_up(arg);
}

static void test_threads(void)
{
    struct rs_semaphore *s = rs_semaphore_new(0);
    struct rs_mutex *m = rs_mutex_new();
    struct rs_thread *t = rs_thread_create("own", thread_up, s, 0);

    rs_mutex_lock(m);
    point(t && rs_semaphore_down(s, RS_FOREVER) == 0, "threads");
    rs_mutex_unlock(m);
    rs_thread_join(t);
    rs_mutex_free(m);
    rs_semaphore_free(s);
    rs_sleep(1000000);
    point(rs_now() > 0 && time(NULL) > 0 && rs_vcpus_online() > 0, "time");
}

static void watched(void *arg, const char *path)
{
    (void)path;
    rs_semaphore_up(arg);
}

static void test_store(void)
{
    struct rs_semaphore *s = rs_semaphore_new(0);
    struct rs_watch *w;
    char *value = NULL;

    point(rs_store_watch("data/own", watched, s, &w) == 0 &&
              rs_store_write("data/own", "17") == 0 &&
              rs_semaphore_down(s, RS_FOREVER) == 0 &&
              rs_store_read("data/own", &value) == 0 && !strcmp(value, "17"),
          "the store");
    free(value);
    rs_store_unwatch(w);
    rs_semaphore_free(s);
}

static unsigned int own_domid(void)
{
    char *text;
    unsigned int domid = 0;

    if (rs_store_read("domid", &text) == 0) {
        domid = (unsigned int)strtoul(text, NULL, 10);
        free(text);
    }
    return domid;
}

static void test_sharing(void)
{
    unsigned int self = own_domid();
    char *page = rs_pages_alloc(1), copy[6] = "";
    struct rs_mapping *m = NULL;
    struct rs_event *e;
    uint32_t ref;

    strcpy(page, "grant");
    point(rs_grant(self, page, true, &ref) == 0 &&
              rs_grant_read(self, ref, 0, copy, 6) == 0 &&
              !strcmp(copy, "grant"),
          "a grant");
    if (rs_map(self, &ref, 1, true, &m) == 0)
        rs_unmap(m);
    rs_grant_end(ref);
    rs_pages_free(page, 1);
    point(rs_event_listen(self, &e) == 0 && rs_event_port(e) > 0, "an event");
    rs_event_close(e);
}

static void vchan_server(void *arg)
{
    struct rs_vchan *v = arg;

    rs_vchan_accept(v, RS_FOREVER);
    rs_vchan_write(v, "hello", 5);
}

static void test_vchan(void)
{
    struct rs_vchan *server, *client;
    struct rs_thread *t;
    char text[6] = "";
    unsigned int self = own_domid();

    if (!point(rs_vchan_listen(self, "data/v", 1024, 1024, &server) == 0,
               "a vchan"))
        exit(1);
    t = rs_thread_create("server", vchan_server, server, 0);
    point(rs_vchan_connect(self, "data/v", RS_FOREVER, &client) == 0 &&
              rs_vchan_read(client, text, 5) == 5 && !strcmp(text, "hello"),
          "what it carries");
    rs_thread_join(t);
    rs_vchan_close(client);
    rs_vchan_close(server);
}

/* There is none; the calls are linked, and refuse. */
static void test_disks(void)
{
    struct rs_blk *b;
    char sector[RS_BLK_SECTOR];

    point(rs_blk_open("xvda", &b) == -ENODEV && rs_blk_list(NULL, 0) == 0,
          "no disk");
    if (rs_blk_list(NULL, 0)) {
        rs_blk_read(b, 0, sector, 1);
        rs_blk_write(b, 0, sector, 1);
        rs_blk_flush(b);
        rs_blk_discard(b, 0, 1);
        rs_blk_buffer_free(b, rs_blk_buffer_alloc(b, sizeof(sector)));
        rs_blk_close(b);
    }
    point(rs_mount_tar("xvda", "/") < 0 && !opendir("/"), "no files");
}

static void test_net(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t size = sizeof(a);
    struct addrinfo *found;
    char text[6] = "";
    int fds[3] = { -1, -1, -1 };
    struct pollfd p = { .events = POLLIN };

    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    point(bind(fds[0], (struct sockaddr *)&a, sizeof(a)) == 0 &&
              listen(fds[0], 1) == 0 &&
              getsockname(fds[0], (struct sockaddr *)&a, &size) == 0,
          "a listener");
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    point(connect(fds[1], (struct sockaddr *)&a, sizeof(a)) == 0 &&
              (fds[2] = accept(fds[0], NULL, NULL)) >= 0,
          "a connection");
    p.fd = fds[2];
    point(send(fds[1], "hello", 5, 0) == 5 && poll(&p, 1, -1) == 1 &&
              recv(fds[2], text, 5, 0) == 5 && !strcmp(text, "hello"),
          "what it carries");
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    if (!getaddrinfo("127.0.0.1", "80", NULL, &found))
        freeaddrinfo(found);
    point(rs_net_up(0) == -ENODEV, "no card");
}

static void test_libc(void)
{
    char text[32];
    wchar_t wide[32];
    struct tms t;
    struct timeval none = { 0 };
    struct tm tm = { 0 };

    setlocale(LC_ALL, "C.UTF-8");
    snprintf(text, sizeof(text), "%.3f %Lg %a", strtod("0x1.8p1", NULL), 0.5L,
             strtold("2.5", NULL) > 2 ? 1.0 : 0.0);
    point(!strcmp(text, "3.000 0.5 0x1p+0"), "numbers");
    swprintf(wide, 32, L"%ls %d", L"wide", 7);
    point(!wcscmp(wide, L"wide 7") && strptime("1970-01-02", "%Y-%m-%d", &tm) &&
              tm.tm_mday == 2 && times(&t) != (clock_t)-1 &&
              !select(0, NULL, NULL, NULL, &none),
          "the rest of the C library");
}

int main(void)
{
    plan(17);
    test_threads();
    test_store();
    test_sharing();
    test_vchan();
    test_disks();
    test_net();
    test_libc();
    point(calls == 0, "nobody calls the program's %u functions",
          (unsigned int)OWN_COUNT);
    for (unsigned int i = 0; i < OWN_COUNT; i++)
        own[i]();
    point(OWN_COUNT > 400 && calls == OWN_COUNT, "but the program itself");
    return done();
}
