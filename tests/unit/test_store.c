/*
 * The driver domain's connection to the store, against one that keeps a few
 * nodes: what is read ahead and when that is forgotten, writes that nobody
 * waits for, and a store that answers nonsense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "store.h"
#include "xen_compat.h"

#define NODES 16

static struct {
    char dir[32], path[64];
    int listener;
    pthread_t thread, client[2];
    pthread_mutex_t lock;
    char *node[NODES], *value[NODES];
    unsigned int requests;
    bool nonsense;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct event_base *base;
static struct store *store;
static int lost;

/* ---- the other end ---- */

static void put(const char *path, const char *value, size_t len)
{
    unsigned int i = 0;

    while (fake.node[i] && strcmp(fake.node[i], path))
        i++;
    if (!fake.node[i])
        fake.node[i] = strdup(path);
    free(fake.value[i]);
    fake.value[i] = strndup(value, len);
}

static const char *get(const char *path)
{
    for (unsigned int i = 0; i < NODES && fake.node[i]; i++)
        if (!strcmp(fake.node[i], path))
            return fake.value[i];
    return NULL;
}

static void tell(int fd, struct xsd_sockmsg hdr, uint32_t type,
                 const char *text, size_t len)
{
    char message[sizeof(hdr) + 256];

    hdr.type = type;
    hdr.len = (uint32_t)len;
    hdr.req_id += fake.nonsense;
    memcpy(message, &hdr, sizeof(hdr));
    memcpy(message + sizeof(hdr), text, len);
    send(fd, message, sizeof(hdr) + len, MSG_NOSIGNAL);
}

/* "…/full" takes nothing. */
static void answer(int fd, struct xsd_sockmsg hdr, const char *payload)
{
    size_t path_len = strlen(payload) + 1;
    const char *value = get(payload);

    fake.requests++;
    if (hdr.type == XS_WRITE && strstr(payload, "/full")) {
        tell(fd, hdr, XS_ERROR, "ENOSPC", 7);
    } else if (hdr.type == XS_WRITE) {
        put(payload, payload + path_len, hdr.len - path_len);
        tell(fd, hdr, XS_WRITE, "OK", 3);
    } else if (hdr.type == XS_READ && value) {
        tell(fd, hdr, XS_READ, value, strlen(value));
    } else if (hdr.type == XS_DIRECTORY) {
        tell(fd, hdr, XS_DIRECTORY, "one\0two", 8);
    } else {
        tell(fd, hdr, XS_ERROR, "ENOENT", 7);
    }
}

static void *serve_client(void *arg)
{
    int fd = (int)(intptr_t)arg;
    struct xsd_sockmsg hdr;
    char payload[4097];

    while (recv(fd, &hdr, sizeof(hdr), MSG_WAITALL) == sizeof(hdr)) {
        recv(fd, payload, hdr.len, MSG_WAITALL);
        payload[hdr.len] = '\0';
        pthread_mutex_lock(&fake.lock);
        answer(fd, hdr, payload);
        pthread_mutex_unlock(&fake.lock);
    }
    close(fd);
    return NULL;
}

static void *serve(void *arg)
{
    for (int i = 0; i < 2; i++) {
        int fd = accept(fake.listener, NULL, NULL);

        pthread_create(&fake.client[i], NULL, serve_client,
                       (void *)(intptr_t)fd);
    }
    return arg;
}

static void set(const char *path, const char *value)
{
    pthread_mutex_lock(&fake.lock);
    put(path, value, strlen(value));
    pthread_mutex_unlock(&fake.lock);
}

static unsigned int requests(void)
{
    unsigned int n;

    pthread_mutex_lock(&fake.lock);
    n = fake.requests;
    fake.requests = 0;
    pthread_mutex_unlock(&fake.lock);
    return n;
}

/* ---- this end ---- */

static void store_lost(void *arg)
{
    (void)arg;
    lost++;
}

static int setup(void **state)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    (void)state;
    lost = 0;
    fake.nonsense = false;
    fake.requests = 0;
    strcpy(fake.dir, "/tmp/test_store.XXXXXX");
    if (!mkdtemp(fake.dir))
        return -1;
    snprintf(fake.path, sizeof(fake.path), "%s/socket", fake.dir);
    strcpy(addr.sun_path, fake.path);
    fake.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fake.listener, (struct sockaddr *)&addr, sizeof(addr)) ||
        listen(fake.listener, 2))
        return -1;
    pthread_create(&fake.thread, NULL, serve, NULL);
    setenv("XENSTORED_PATH", fake.path, 1);
    base = event_base_new();
    return store_open(base, store_lost, NULL, &store);
}

static int teardown(void **state)
{
    (void)state;
    store_close(store);
    event_base_free(base);
    pthread_join(fake.thread, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(fake.client[i], NULL);
    close(fake.listener);
    unlink(fake.path);
    rmdir(fake.dir);
    for (int i = 0; i < NODES; i++) {
        free(fake.node[i]);
        free(fake.value[i]);
        fake.node[i] = fake.value[i] = NULL;
    }
    return 0;
}

static void is(const char *node, const char *value)
{
    char *found = store_read(store, "/d", node);

    if (value)
        assert_string_equal(found, value);
    else
        assert_null(found);
    free(found);
}

static void test_read_ahead(void **state)
{
    static const char *const nodes[] = { "a", "b", "none", NULL };

    (void)state;
    set("/d/a", "1");
    set("/d/b", "2");
    store_read_ahead(store, "/d", nodes);
    assert_int_equal(requests(), 3);
    set("/d/a", "3");
    is("a", "1"); /* as it was then */
    is("b", "2");
    is("none", NULL);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(requests(), 0);
    is("a", "3"); /* once */
    assert_int_equal(requests(), 1);
}

/* What was read before we wrote is not believed after. */
static void test_write_forgets(void **state)
{
    static const char *const nodes[] = { "a", NULL };

    (void)state;
    set("/d/a", "1");
    store_read_ahead(store, "/d", nodes);
    set("/d/a", "2");
    assert_int_equal(store_write(store, "/d", "b", "x"), 0);
    is("a", "2");
    store_read_ahead(store, "/d", nodes);
    set("/d/a", "3");
    store_write_soon(store, "/d", "b", "y");
    is("a", "3");
    is("b", "y");
}

static void test_write_soon(void **state)
{
    (void)state;
    store_write_soon(store, "/d", "a", "%d", 1);
    store_write_soon(store, "/d", "a", "%d", 2);
    assert_int_equal(requests(), 0);
    is("a", "2"); /* in order, and before the read */
    assert_int_equal(requests(), 3);
}

/* An error of one is told by the next that waits, once. */
static void test_late_errors(void **state)
{
    char large[2000];

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    store_write_soon(store, "/d", "full", "x");
    is("a", NULL);
    assert_int_equal(store_write(store, "/d", "a", "1"), -ENOSPC);
    is("a", "1");
    assert_int_equal(store_write(store, "/d", "a", "2"), 0);
    assert_int_equal(store_write(store, "/d", "full", "x"), -ENOSPC);
    store_write_soon(store, "/d", "a", "%s", large);
    assert_int_equal(store_write(store, "/d", "a", "3"), -E2BIG);
    assert_int_equal(store_write(store, "/d", "a", "4"), 0);
    is("a", "4");
}

static void test_list(void **state)
{
    unsigned int n;
    char **names = store_list(store, "/d", &n);

    (void)state;
    assert_int_equal(n, 2);
    assert_string_equal(names[0], "one");
    assert_string_equal(names[1], "two");
    free(names);
}

static void test_nonsense(void **state)
{
    (void)state;
    set("/d/a", "1");
    is("a", "1");
    pthread_mutex_lock(&fake.lock);
    fake.nonsense = true;
    pthread_mutex_unlock(&fake.lock);
    is("a", NULL);
    assert_int_equal(lost, 0);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(lost, 1);
    is("a", NULL);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(lost, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_read_ahead),  TEST(test_write_forgets), TEST(test_write_soon),
        TEST(test_late_errors), TEST(test_list),          TEST(test_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
