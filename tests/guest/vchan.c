/*
 * A vchan of a guest with itself: both ends in one domain, each with a thread
 * that reads and one that writes.
 */
#include <errno.h>
#include <ringside/guest.h>
#include <ringside/vchan.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/guest/tap.h"

#define PATH   "data/vchan"
#define SECOND 1000000000ull
#define STREAM (3u << 20)

static unsigned int self;

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

/* ---- streams ---- */

struct end {
    struct rs_vchan *v;
    unsigned int seed;
    bool good;
};

static unsigned char byte_at(unsigned int seed, size_t i)
{
    return (unsigned char)((i * 2654435761u >> 7) + seed);
}

static void writer(void *arg)
{
    static unsigned char buf[2][9000];
    struct end *e = arg;
    size_t done = 0, n;

    while (done < STREAM) {
        n = done % sizeof(buf[0]) + 1;
        if (n > STREAM - done)
            n = STREAM - done;
        for (size_t i = 0; i < n; i++)
            buf[e->seed & 1][i] = byte_at(e->seed, done + i);
        e->good &= rs_vchan_write(e->v, buf[e->seed & 1], n) == (long)n;
        done += n;
    }
}

static void reader(void *arg)
{
    static unsigned char buf[2][7000];
    struct end *e = arg;
    unsigned int seed = e->seed ^ 1; /* the other end's */
    size_t done = 0;
    long n;

    while (done < STREAM) {
        n = rs_vchan_read(e->v, buf[seed & 1], sizeof(buf[0]));
        if (n <= 0) {
            e->good = false;
            return;
        }
        for (long i = 0; i < n; i++)
            e->good &= buf[seed & 1][i] == byte_at(seed, done + (size_t)i);
        done += (size_t)n;
    }
}

static bool stream(struct rs_vchan *server, struct rs_vchan *client)
{
    struct end ends[2] = { { server, 0, true }, { client, 1, true } };
    struct rs_thread *t[4];

    for (int i = 0; i < 2; i++) {
        t[2 * i] = rs_thread_create("writer", writer, &ends[i], 0);
        t[2 * i + 1] = rs_thread_create("reader", reader, &ends[i], 0);
    }
    for (int i = 0; i < 4; i++)
        rs_thread_join(t[i]);
    return ends[0].good && ends[1].good;
}

/* ---- the tests ---- */

static bool open_pair(size_t in, size_t out, struct rs_vchan **server,
                      struct rs_vchan **client)
{
    return rs_vchan_listen(self, PATH, in, out, server) == 0 &&
           rs_vchan_connect(self, PATH, SECOND, client) == 0;
}

static void sizes(size_t in, size_t out)
{
    struct rs_vchan *server, *client;

    if (!point(open_pair(in, out, &server, &client), "rings of %zu and %zu", in,
               out))
        return;
    point(rs_vchan_writable(client) >= in && rs_vchan_writable(server) >= out,
          "they have the room that was asked for");
    point(stream(server, client), "3 MiB each way at once");
    rs_vchan_close(client);
    rs_vchan_close(server);
}

static void ends(void)
{
    struct rs_vchan *server, *client = NULL;
    char buf[16];

    point(rs_vchan_connect(self, PATH, 0, &client) == -ETIMEDOUT,
          "nobody listens");
    point(rs_vchan_listen(self, PATH, 100, 100, &server) == 0, "somebody does");
    point(rs_vchan_accept(server, 0) == -ETIMEDOUT, "nobody has come");
    point(rs_vchan_write(server, "early", 5) == 5, "writing before he comes");
    point(rs_vchan_connect(self, PATH, SECOND, &client) == 0, "he comes");
    point(rs_vchan_accept(server, SECOND) == 0, "which is seen");
    point(rs_vchan_read(client, buf, sizeof(buf)) == 5 &&
              !memcmp(buf, "early", 5),
          "he finds what was written");
    point(rs_vchan_write(client, "last", 4) == 4, "he writes");
    rs_vchan_close(client);
    point(!rs_vchan_is_open(server), "and goes");
    point(rs_vchan_read(server, buf, sizeof(buf)) == 4 &&
              !memcmp(buf, "last", 4),
          "what he wrote is still read");
    point(rs_vchan_read(server, buf, sizeof(buf)) == 0, "then comes the end");
    point(rs_vchan_write(server, "x", 1) == -EPIPE, "nobody can be written to");
    rs_vchan_close(server);
    point(rs_vchan_connect(self, PATH, 0, &client) == -ETIMEDOUT,
          "nothing is announced any more");
}

static void refused(void)
{
    struct rs_vchan *v;

    point(rs_vchan_listen(self, PATH, 2 << 20, 1, &v) == -EINVAL,
          "rings of 2 MiB are too large");
    point(rs_vchan_listen(self, "/local/domain/0/data", 1, 1, &v) == -EACCES,
          "an announcement in a place that is not ours");
    rs_store_write(PATH "/ring-ref", "7");
    rs_store_write(PATH "/event-channel", "3");
    point(rs_vchan_connect(self, PATH, SECOND, &v) < 0,
          "an announcement of a grant that is none");
    rs_store_write(PATH "/ring-ref", "many");
    point(rs_vchan_connect(self, PATH, SECOND, &v) == -EINVAL,
          "an announcement that is no number");
    rs_store_remove(PATH);
}

/* ---- many at once ---- */

#define MANY 30

struct one {
    unsigned int number;
    int err;
    bool good;
};

static void open_and_close(void *arg)
{
    struct one *o = arg;
    struct rs_vchan *server = NULL, *client = NULL;
    char path[40], buf[4];

    snprintf(path, sizeof(path), PATH "/many/%u", o->number);
    o->err = rs_vchan_listen(self, path, 100, 100, &server);
    if (o->err)
        return;
    o->err = rs_vchan_connect(self, path, 20 * SECOND, &client);
    o->good = !o->err && rs_vchan_write(server, "all", 3) == 3 &&
              rs_vchan_read(client, buf, sizeof(buf)) == 3;
    rs_vchan_close(client);
    rs_vchan_close(server);
}

/* More than the store lets us open transactions at a time. */
static void many(void)
{
    struct rs_thread *t[MANY];
    struct one all[MANY];
    unsigned int good = 0;
    char **names;
    size_t left = MANY;
    int err;

    rs_store_write(PATH "/many", "");
    for (unsigned int i = 0; i < MANY; i++) {
        all[i] = (struct one){ .number = i };
        t[i] = rs_thread_create("one", open_and_close, &all[i], 0);
    }
    for (unsigned int i = 0; i < MANY; i++) {
        rs_thread_join(t[i]);
        good += all[i].good;
        if (!all[i].good)
            printf("# channel %u: error %d\n", i, all[i].err);
    }
    point(good == MANY, "%u of %u channels opened at once", good, MANY);
    err = rs_store_list(PATH "/many", &names, &left);
    for (size_t i = 0; !err && i < left; i++)
        printf("# left: %s\n", names[i]);
    if (err)
        printf("# cannot be listed: error %d\n", err);
    else
        free(names);
    point(left == 0, "they leave no directory");
    rs_store_remove(PATH "/many");
}

static void directories(void)
{
    struct rs_vchan *v;
    char *value = NULL;

    point(rs_vchan_listen(self, PATH "/a/b", 1, 1, &v) == 0 &&
              rs_store_write(PATH "/a/note", "ours") == 0,
          "a note beside an announcement");
    rs_vchan_close(v);
    point(rs_store_read(PATH "/a/b", &value) == -ENOENT &&
              rs_store_read(PATH "/a/note", &value) == 0,
          "its directory goes, the note stays");
    rs_store_remove(PATH "/a/note");
    point(rs_vchan_listen(self, PATH "/a", 1, 1, &v) == 0,
          "one in a directory");
    rs_vchan_close(v);
    point(rs_store_read(PATH "/a", &value) == 0, "that was there before");
    rs_store_remove(PATH);
}

#define SIBLINGS 8

static struct rs_vchan *sibling[SIBLINGS];

static void sibling_path(char *path, size_t n, unsigned int i)
{
    snprintf(path, n, PATH "/family/%u/%u", i & 1, i);
}

/* Opens and closes channels beside those of other threads. */
static void come_and_go(void *arg)
{
    unsigned int i = (unsigned int)(uintptr_t)arg;
    struct rs_vchan *v;
    char path[80];

    sibling_path(path, sizeof(path), i);
    for (int round = 0; round < 5; round++) {
        if (rs_vchan_listen(self, path, 100, 100, &v) != 0)
            return;
        rs_vchan_close(v);
    }
    sibling[i] = v; /* not NULL: it went well */
}

/* Directories that several needed go with the last, whoever made them. */
static void families(void)
{
    struct rs_thread *t[SIBLINGS];
    unsigned int well = 0;
    char path[80], *value;

    for (unsigned int i = 0; i < SIBLINGS; i++) {
        sibling_path(path, sizeof(path), i);
        well += rs_vchan_listen(self, path, 100, 100, &sibling[i]) == 0;
    }
    point(well == SIBLINGS, "channels side by side");
    for (unsigned int i = 0; i < SIBLINGS; i++)
        if (sibling[i])
            rs_vchan_close(sibling[i]);
    point(rs_store_read(PATH, &value) == -ENOENT,
          "the directory of all goes with the last");
    well = 0;
    for (unsigned int i = 0; i < SIBLINGS; i++) {
        sibling[i] = NULL;
        t[i] = rs_thread_create("one", come_and_go, (void *)(uintptr_t)i, 0);
    }
    for (unsigned int i = 0; i < SIBLINGS; i++) {
        if (t[i])
            rs_thread_join(t[i]);
        well += sibling[i] != NULL;
    }
    point(well == SIBLINGS, "channels that come and go side by side");
    point(rs_store_read(PATH, &value) == -ENOENT, "leave no directory");
}

int main(void)
{
    struct rs_usage before, after;

    plan(37);
    self = own_domid();
    refused(); /* once before the books are opened: the heap settles */
    rs_usage(&before);
    sizes(100, 100);
    sizes(4096, 100000);
    sizes(1 << 20, 1 << 20);
    ends();
    many();
    directories();
    families();
    rs_usage(&after);
    point(after.grants == before.grants && after.events == before.events,
          "no grant and no port is left over");
    return done();
}
