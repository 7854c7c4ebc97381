/*
 * The xenstore from inside: values, directories, transactions, watches.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/thread.h"
#include "guest-kernel/xenbus.h"
#include "tests/guest/tap.h"

#define READERS 8
#define LONG    2000 /* more than the ring holds */

static struct semaphore fired = SEMAPHORE_INIT(fired, 0);

static void values(void)
{
    char *value = NULL;
    size_t len = 0;

    point(xenbus_write(XENBUS_NO_TX, "data/test", "some value") == 0,
          "a value is written");
    point(xenbus_read(XENBUS_NO_TX, "data/test", &value, &len) == 0 &&
              len == 10 && strcmp(value, "some value") == 0,
          "and read back");
    free(value);
    point(xenbus_read(XENBUS_NO_TX, "data/none", &value, NULL) == -ENOENT,
          "what is not there is ENOENT");
    point(xenbus_write(XENBUS_NO_TX, "/tool/x", "1") == -EACCES,
          "what is not ours is EACCES");
    point(xenbus_write(XENBUS_NO_TX, "data//x", "1") == -EINVAL,
          "a bad path is EINVAL");
}

static void long_value(void)
{
    char *text = malloc(LONG + 1), *value = NULL;
    int err;

    memset(text, 'x', LONG);
    text[LONG] = '\0';
    err = xenbus_write(XENBUS_NO_TX, "data/long", text);
    if (!err)
        err = xenbus_read(XENBUS_NO_TX, "data/long", &value, NULL);
    point(!err && strcmp(text, value) == 0, "a value longer than the ring");
    if (!err)
        free(value);
    free(text);
    xenbus_rm(XENBUS_NO_TX, "data/long");
}

static void directories(void)
{
    char **names = NULL;
    size_t n = 0;

    xenbus_mkdir(XENBUS_NO_TX, "data/dir");
    xenbus_printf(XENBUS_NO_TX, "data/dir/a", "%d", 12);
    xenbus_write(XENBUS_NO_TX, "data/dir/b", "");
    point(xenbus_ls(XENBUS_NO_TX, "data/dir", &names, &n) == 0 && n == 2 &&
              strcmp(names[0], "a") == 0 && strcmp(names[1], "b") == 0,
          "a directory lists its children");
    free(names);
    point(xenbus_read_default("data/dir/a", 0) == 12, "numbers are read");
    point(xenbus_read_default("data/test", 99) == 99, "and only numbers");
    point(xenbus_rm(XENBUS_NO_TX, "data/dir") == 0 &&
              xenbus_ls(XENBUS_NO_TX, "data/dir", &names, &n) == -ENOENT,
          "a directory goes with its children");
}

static void transactions(void)
{
    xenbus_tx tx = 0;
    char *value;

    point(xenbus_begin(&tx) == 0 && tx != 0, "a transaction begins");
    xenbus_write(tx, "data/tx", "inside");
    point(xenbus_read(XENBUS_NO_TX, "data/tx", &value, NULL) == -ENOENT,
          "nobody outside sees it");
    point(xenbus_end(tx, true) == 0 &&
              xenbus_read(XENBUS_NO_TX, "data/tx", &value, NULL) == 0,
          "until it is committed");
    free(value);
    xenbus_begin(&tx);
    xenbus_rm(tx, "data/tx");
    point(xenbus_end(tx, false) == 0 &&
              xenbus_read(XENBUS_NO_TX, "data/tx", &value, NULL) == 0,
          "what is aborted did not happen");
    free(value);
}

#define CROWD  30 /* the store lets a guest have ten transactions at a time */
#define ROUNDS 100

static unsigned int refused;

static void begin_and_end(void *arg)
{
    xenbus_tx tx;

    (void)arg;
    if (xenbus_begin(&tx) != 0)
        refused++;
    else
        xenbus_end(tx, false);
}

/* Whoever comes when the store has enough of ours waits for one to end, also if
 * all have ended before the store's refusal is here: so from the start often.
 */
static void transactions_of_many(void)
{
    struct thread *t[CROWD];

    for (int round = 0; round < ROUNDS; round++) {
        for (unsigned int i = 0; i < CROWD; i++)
            t[i] = thread_create("many", begin_and_end, NULL, 0);
        for (unsigned int i = 0; i < CROWD; i++)
            thread_join(t[i]);
    }
    point(refused == 0, "%u times %u transactions: %u refused", ROUNDS, CROWD,
          refused);
}

static void watch_fired(struct xenbus_watch *w, const char *path)
{
    (void)path;
    (void)w;
    semaphore_up(&fired);
}

static bool fires(void)
{
    return semaphore_down(&fired, clock_deadline_ms(2000)) == 0;
}

static void watches(void)
{
    struct xenbus_watch w = { .fn = watch_fired };

    point(xenbus_watch(&w, "data/watched") == 0 && fires(),
          "a watch fires at once");
    xenbus_write(XENBUS_NO_TX, "data/watched/deep", "1");
    point(fires(), "and when something below changes");
    xenbus_unwatch(&w);
    xenbus_write(XENBUS_NO_TX, "data/watched/deep", "2");
    point(semaphore_down(&fired, clock_deadline_ms(50)) == -ETIMEDOUT,
          "not after it is removed");
    point(xenbus_state_wait("data/state", 1u << XenbusStateConnected,
                            clock_deadline_ms(50)) == -ETIMEDOUT,
          "a state that does not come times out");
}

static void become_connected(void *arg)
{
    (void)arg;
    thread_sleep(20 * NS_PER_MS);
    xenbus_state_write(XENBUS_NO_TX, "data/state", XenbusStateConnected);
}

static void read_often(void *arg)
{
    bool *good = arg;
    char path[XENBUS_PATH_MAX], text[20];

    snprintf(text, sizeof(text), "r%p", arg);
    xenbus_path(path, "data", text);
    for (int i = 0; i < 50 && *good; i++) {
        *good = xenbus_printf(XENBUS_NO_TX, path, "%d", i) == 0;
        thread_yield();
        *good &= xenbus_read_default(path, 1000) == (uint64_t)i;
    }
}

static void at_once(void)
{
    struct thread *t[READERS];
    bool good[READERS], all = true;

    for (int i = 0; i < READERS; i++) {
        good[i] = true;
        t[i] = thread_create("reader", read_often, &good[i], 0);
    }
    for (int i = 0; i < READERS; i++) {
        thread_join(t[i]);
        all &= good[i];
    }
    point(all, "%d threads with requests under way", READERS);
}

int main(void)
{
    struct thread *t;

    plan(21);
    values();
    long_value();
    directories();
    transactions();
    transactions_of_many();
    watches();
    t = thread_create("connect", become_connected, NULL, 0);
    point(xenbus_state_wait("data/state", 1u << XenbusStateConnected,
                            clock_deadline_ms(2000)) == XenbusStateConnected,
          "one that comes is seen");
    thread_join(t);
    at_once();
    return done();
}
