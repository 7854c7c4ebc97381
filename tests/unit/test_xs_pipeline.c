/*
 * Requests that do not wait for each other, against a store that answers as
 * each test says: in pieces, with errors, wrongly, or not at all.
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
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "xen_compat.h"
#include "xs_pipeline.h"

/* How the store answers the n-th request (0…); false: it hangs up. */
typedef bool answer_fn(int fd, unsigned int n, const struct xsd_sockmsg *hdr,
                       const char *payload);

static struct {
    char dir[32], path[64];
    int listener;
    pthread_t thread;
    answer_fn *answer;
} store;

static bool take(int fd, void *buf, size_t n)
{
    return recv(fd, buf, n, MSG_WAITALL) == (ssize_t)n;
}

static void *serve(void *arg)
{
    int fd = accept(store.listener, NULL, NULL);
    char payload[XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg hdr;

    (void)arg;
    for (unsigned int n = 0; take(fd, &hdr, sizeof(hdr)); n++)
        if (hdr.len > sizeof(payload) || !take(fd, payload, hdr.len) ||
            !store.answer(fd, n, &hdr, payload))
            break;
    close(fd);
    return NULL;
}

static struct xs_pipeline *start(answer_fn *answer)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct xs_pipeline *p;

    strcpy(store.dir, "/tmp/xs_pipeline.XXXXXX");
    assert_non_null(mkdtemp(store.dir));
    snprintf(store.path, sizeof(store.path), "%s/socket", store.dir);
    strcpy(addr.sun_path, store.path);
    store.answer = answer;
    store.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(
        bind(store.listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(store.listener, 1), 0);
    assert_int_equal(pthread_create(&store.thread, NULL, serve, NULL), 0);
    setenv("XENSTORED_PATH", store.path, 1);
    assert_int_equal(xs_pipeline_open(&p), 0);
    return p;
}

static void end(struct xs_pipeline *p)
{
    xs_pipeline_close(p);
    pthread_join(store.thread, NULL);
    close(store.listener);
    unlink(store.path);
    rmdir(store.dir);
}

static void tell(int fd, uint32_t type, uint32_t req_id, const char *text,
                 size_t len)
{
    struct xsd_sockmsg hdr = { .type = type,
                               .req_id = req_id,
                               .len = (uint32_t)len };
    char message[sizeof(hdr) + XENSTORE_PAYLOAD_MAX];

    memcpy(message, &hdr, sizeof(hdr));
    memcpy(message + sizeof(hdr), text, len);
    send(fd, message, sizeof(hdr) + len, MSG_NOSIGNAL);
}

/* ---- the store answers as it should ---- */

/* What was asked for, back. */
static bool echo(int fd, unsigned int n, const struct xsd_sockmsg *hdr,
                 const char *payload)
{
    (void)n;
    tell(fd, hdr->type, hdr->req_id, payload, hdr->len);
    return true;
}

static void payloads(void **state)
{
    struct xs_pipeline *p = start(echo);
    const char *answer;
    size_t len;

    (void)state;
    xs_pipeline_add(p, XS_READ, 0, "/a", NULL, 0);
    xs_pipeline_add(p, XS_WRITE, 7, "/b", "value", 5);
    xs_pipeline_add(p, XS_SET_PERMS, 7, "/c", "n0\0r1", 6);
    assert_int_equal(xs_pipeline_run(p), 0);
    answer = xs_pipeline_answer(p, 2, &len);
    assert_int_equal(len, 9);
    assert_memory_equal(answer, "/c\0n0\0r1", 9);
    answer = xs_pipeline_answer(p, 0, &len);
    assert_int_equal(len, 3);
    assert_string_equal(answer, "/a");
    answer = xs_pipeline_answer(p, 1, &len);
    assert_int_equal(len, 8);
    assert_memory_equal(answer, "/b\0value\0", 9);
    assert_null(xs_pipeline_answer(p, 3, &len));
    assert_string_equal(xs_pipeline_ask(p, XS_READ, "/d", NULL, 0), "/d");
    end(p);
}

static void nothing_to_run(void **state)
{
    struct xs_pipeline *p = start(echo);

    (void)state;
    assert_int_equal(xs_pipeline_run(p), 0);
    assert_string_equal(xs_pipeline_ask(p, XS_READ, "/a", NULL, 0), "/a");
    assert_int_equal(xs_pipeline_run(p), 0);
    assert_string_equal(xs_pipeline_ask(p, XS_READ, "/b", NULL, 0), "/b");
    end(p);
}

/* Far more than the sockets hold, in both directions. */
static void many(void **state)
{
    struct xs_pipeline *p = start(echo);
    char value[XENSTORE_PAYLOAD_MAX], path[16];
    size_t len;

    (void)state;
    memset(value, 'x', sizeof(value));
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "/%d", i);
        xs_pipeline_add(p, XS_WRITE, 0, path, value, 4000);
    }
    assert_int_equal(xs_pipeline_run(p), 0);
    xs_pipeline_add(p, XS_READ, 0, "/after", NULL, 0);
    assert_int_equal(xs_pipeline_run(p), 0);
    assert_string_equal(xs_pipeline_answer(p, 0, &len), "/after");
    end(p);
}

static void longest(void **state)
{
    struct xs_pipeline *p = start(echo);
    char value[XENSTORE_PAYLOAD_MAX];
    size_t len;

    (void)state;
    memset(value, 'x', sizeof(value));
    xs_pipeline_add(p, XS_WRITE, 0, "/a", value, XENSTORE_PAYLOAD_MAX - 3);
    assert_int_equal(xs_pipeline_run(p), 0);
    assert_non_null(xs_pipeline_answer(p, 0, &len));
    assert_int_equal(len, XENSTORE_PAYLOAD_MAX);
    xs_pipeline_add(p, XS_WRITE, 0, "/a", value, XENSTORE_PAYLOAD_MAX - 2);
    assert_int_equal(xs_pipeline_run(p), -E2BIG);
    assert_null(xs_pipeline_answer(p, 0, &len));
    assert_string_equal(xs_pipeline_ask(p, XS_READ, "/b", NULL, 0), "/b");
    end(p);
}

/* "/no" is refused. */
static bool refuse(int fd, unsigned int n, const struct xsd_sockmsg *hdr,
                   const char *payload)
{
    if (!strcmp(payload, "/no"))
        tell(fd, XS_ERROR, hdr->req_id, "ENOENT", 7);
    else if (!strcmp(payload, "/full"))
        tell(fd, XS_ERROR, hdr->req_id, "ENOSPC", 7);
    else if (!strcmp(payload, "/odd"))
        tell(fd, XS_ERROR, hdr->req_id, "EUNHEARDOF", 11);
    else
        return echo(fd, n, hdr, payload);
    return true;
}

static void errors(void **state)
{
    struct xs_pipeline *p = start(refuse);
    size_t len;

    (void)state;
    xs_pipeline_add(p, XS_READ, 0, "/a", NULL, 0);
    xs_pipeline_add(p, XS_READ, 0, "/no", NULL, 0);
    xs_pipeline_add(p, XS_READ, 0, "/full", NULL, 0);
    xs_pipeline_add(p, XS_READ, 0, "/b", NULL, 0);
    assert_int_equal(xs_pipeline_run(p), -ENOENT);
    assert_string_equal(xs_pipeline_answer(p, 0, &len), "/a");
    assert_null(xs_pipeline_answer(p, 1, &len));
    assert_int_equal(errno, ENOENT);
    assert_null(xs_pipeline_answer(p, 2, &len));
    assert_int_equal(errno, ENOSPC);
    assert_string_equal(xs_pipeline_answer(p, 3, &len), "/b");
    assert_null(xs_pipeline_ask(p, XS_READ, "/odd", NULL, 0));
    assert_int_equal(errno, EINVAL);
    assert_string_equal(xs_pipeline_ask(p, XS_READ, "/c", NULL, 0), "/c");
    end(p);
}

/* An error among those that were sent early is not lost. */
static void early_error(void **state)
{
    struct xs_pipeline *p = start(refuse);
    char value[4000] = "";

    (void)state;
    xs_pipeline_add(p, XS_READ, 0, "/no", NULL, 0);
    for (int i = 0; i < 20; i++)
        xs_pipeline_add(p, XS_WRITE, 0, "/a", value, sizeof(value));
    assert_int_equal(xs_pipeline_run(p), -ENOENT);
    end(p);
}

static bool in_bytes(int fd, unsigned int n, const struct xsd_sockmsg *hdr,
                     const char *payload)
{
    const char *at = (const char *)hdr;

    (void)n;
    for (size_t i = 0; i < sizeof(*hdr) + hdr->len; i++)
        send(fd, i < sizeof(*hdr) ? at + i : payload + i - sizeof(*hdr), 1,
             MSG_NOSIGNAL);
    return true;
}

static void pieces(void **state)
{
    struct xs_pipeline *p = start(in_bytes);
    size_t len;

    (void)state;
    for (int i = 0; i < 40; i++)
        xs_pipeline_add(p, XS_READ, 0, "/some/path", NULL, 0);
    assert_int_equal(xs_pipeline_run(p), 0);
    for (unsigned int i = 0; i < 40; i++)
        assert_string_equal(xs_pipeline_answer(p, i, &len), "/some/path");
    end(p);
}

/*
 * A directory of many names, which do not fit a message: "name0000" and so on.
 * Until the third part they are others.
 */
#define MANY      1000u
#define NAME_SIZE 9u

static bool large_directory(int fd, unsigned int n,
                            const struct xsd_sockmsg *hdr, const char *payload)
{
    static char names[MANY * NAME_SIZE];
    char part[XENSTORE_PAYLOAD_MAX];
    size_t offset, len, left;

    for (unsigned int i = 0; i < MANY; i++)
        snprintf(names + i * NAME_SIZE, NAME_SIZE, "%s%04u",
                 n < 3 ? "past" : "name", i);
    if (hdr->type == XS_DIRECTORY) {
        tell(fd, XS_ERROR, hdr->req_id, "E2BIG", 6);
        return true;
    }
    offset = strtoul(payload + strlen(payload) + 1, NULL, 10);
    len = (size_t)sprintf(part, "%d", n < 3 ? 1 : 2) + 1;
    left = offset < sizeof(names) ? sizeof(names) - offset : 0;
    if (left < 1000) {
        memcpy(part + len, names + offset, left);
        part[len + left] = '\0';
        len += left + 1;
    } else {
        memcpy(part + len, names + offset, 999); /* whole names: 111 */
        len += 999;
    }
    tell(fd, hdr->type, hdr->req_id, part, len);
    return true;
}

static void lists(void **state)
{
    struct xs_pipeline *p = start(large_directory);
    size_t len, at = 0;
    char name[NAME_SIZE], *list = xs_pipeline_list(p, "/d", &len);

    (void)state;
    assert_non_null(list);
    assert_int_equal(len, MANY * NAME_SIZE);
    for (unsigned int i = 0; i < MANY; i++, at += NAME_SIZE) {
        snprintf(name, sizeof(name), "name%04u", i);
        assert_string_equal(list + at, name);
    }
    free(list);
    end(p);
    p = start(refuse);
    assert_null(xs_pipeline_list(p, "/no", &len));
    assert_int_equal(errno, ENOENT);
    end(p);
}

/* Its generation is another one each time. */
static bool restless_directory(int fd, unsigned int n,
                               const struct xsd_sockmsg *hdr,
                               const char *payload)
{
    char part[32];
    int len = sprintf(part, "%u%cname", n, '\0') + 1;

    (void)payload;
    if (hdr->type == XS_DIRECTORY)
        tell(fd, XS_ERROR, hdr->req_id, "E2BIG", 6);
    else
        tell(fd, hdr->type, hdr->req_id, part, (size_t)len);
    return true;
}

static void endless_list(void **state)
{
    struct xs_pipeline *p = start(restless_directory);
    size_t len;

    (void)state;
    assert_null(xs_pipeline_list(p, "/d", &len));
    assert_int_equal(errno, EAGAIN);
    end(p);
}

static bool small_directory(int fd, unsigned int n,
                            const struct xsd_sockmsg *hdr, const char *payload)
{
    (void)payload;
    tell(fd, hdr->type, hdr->req_id, "a\0b", n ? 0 : 4);
    return true;
}

static void short_lists(void **state)
{
    struct xs_pipeline *p = start(small_directory);
    size_t len;
    char *list = xs_pipeline_list(p, "/d", &len);

    (void)state;
    assert_int_equal(len, 4);
    assert_memory_equal(list, "a\0b", 4);
    free(list);
    list = xs_pipeline_list(p, "/empty", &len);
    assert_non_null(list);
    assert_int_equal(len, 0);
    free(list);
    end(p);
}

/* ---- it does not ---- */

static bool odd_parts(int fd, unsigned int n, const struct xsd_sockmsg *hdr,
                      const char *payload)
{
    (void)payload;
    if (n % 2 == 0)
        tell(fd, XS_ERROR, hdr->req_id, "E2BIG", 6);
    else if (n == 1)
        tell(fd, hdr->type, hdr->req_id, "", 0);
    else if (n == 3)
        tell(fd, hdr->type, hdr->req_id, "1", 1);
    else
        tell(fd, hdr->type, hdr->req_id, "123456789012345678901234567\0a", 29);
    return true;
}

static void broken_lists(void **state)
{
    struct xs_pipeline *p = start(odd_parts);
    size_t len;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_null(xs_pipeline_list(p, "/d", &len));
        assert_int_equal(errno, EPROTO);
    }
    assert_false(xs_pipeline_broken(p));
    end(p);
}

static void is_lost(answer_fn *answer, int err)
{
    struct xs_pipeline *p = start(answer);
    size_t len;

    for (int i = 0; i < 4; i++)
        xs_pipeline_add(p, XS_READ, 0, "/a", NULL, 0);
    assert_int_equal(xs_pipeline_run(p), err);
    assert_null(xs_pipeline_answer(p, 3, &len));
    /* And nothing is believed from then on. */
    assert_null(xs_pipeline_ask(p, XS_READ, "/b", NULL, 0));
    assert_int_equal(errno, EPIPE);
    assert_true(xs_pipeline_broken(p));
    end(p);
}

static bool hang_up(int fd, unsigned int n, const struct xsd_sockmsg *hdr,
                    const char *payload)
{
    return n < 2 && echo(fd, n, hdr, payload);
}

static bool wrong_id(int fd, unsigned int n, const struct xsd_sockmsg *hdr,
                     const char *payload)
{
    tell(fd, hdr->type, n == 2 ? 1 : hdr->req_id, payload, hdr->len);
    return true;
}

static bool event(int fd, unsigned int n, const struct xsd_sockmsg *hdr,
                  const char *payload)
{
    tell(fd, n == 3 ? XS_WATCH_EVENT : hdr->type, hdr->req_id, payload,
         hdr->len);
    return true;
}

static bool too_long(int fd, unsigned int n, const struct xsd_sockmsg *hdr,
                     const char *payload)
{
    struct xsd_sockmsg h = *hdr;

    h.len = 0xfffffff0;
    if (n < 3)
        return echo(fd, n, hdr, payload);
    send(fd, &h, sizeof(h), MSG_NOSIGNAL);
    return true;
}

static bool twice(int fd, unsigned int n, const struct xsd_sockmsg *hdr,
                  const char *payload)
{
    struct xsd_sockmsg both[2] = { *hdr, *hdr };

    if (n < 2)
        return echo(fd, n, hdr, payload);
    both[0].len = both[1].len = 0;
    send(fd, both, sizeof(both), MSG_NOSIGNAL);
    return true;
}

static void broken(void **state)
{
    (void)state;
    is_lost(hang_up, -EPIPE);
    is_lost(wrong_id, -EPROTO);
    is_lost(event, -EPROTO);
    is_lost(too_long, -EPROTO);
    is_lost(twice, -EPROTO);
}

static void nobody_there(void **state)
{
    struct xs_pipeline *p;

    (void)state;
    setenv("XENSTORED_PATH", "/tmp/xs_pipeline.none/socket", 1);
    assert_int_equal(xs_pipeline_open(&p), -ENOENT);
    assert_null(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads),     cmocka_unit_test(nothing_to_run),
        cmocka_unit_test(many),         cmocka_unit_test(longest),
        cmocka_unit_test(errors),       cmocka_unit_test(early_error),
        cmocka_unit_test(pieces),       cmocka_unit_test(broken),
        cmocka_unit_test(nobody_there), cmocka_unit_test(lists),
        cmocka_unit_test(endless_list), cmocka_unit_test(short_lists),
        cmocka_unit_test(broken_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
