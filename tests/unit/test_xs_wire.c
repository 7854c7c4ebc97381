/* The wire: framing, strings, numbers, paths, queues of messages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conn/outq.h"
#include "conn/wire.h"
#include "tree/path.h"

static void test_peek(void **state)
{
    unsigned char buf[16 + 4096] = { 0 };
    struct xsd_sockmsg hdr = { 2, 3, 4, 5 }, got;

    (void)state;
    memcpy(buf, &hdr, sizeof(hdr));
    for (size_t len = 0; len < 21; len++)
        assert_int_equal(wire_peek(buf, len, &got), WIRE_INCOMPLETE);
    assert_int_equal(wire_peek(buf, 21, &got), WIRE_MESSAGE);
    assert_memory_equal(&got, &hdr, sizeof(hdr));
    hdr.len = 4096;
    memcpy(buf, &hdr, sizeof(hdr));
    assert_int_equal(wire_peek(buf, sizeof(buf) - 1, &got), WIRE_INCOMPLETE);
    assert_int_equal(wire_peek(buf, sizeof(buf), &got), WIRE_MESSAGE);
    hdr.len = 4097;
    memcpy(buf, &hdr, sizeof(hdr));
    assert_int_equal(wire_peek(buf, 16, &got), WIRE_TOO_LONG);
    hdr.len = 0x80000000; /* negative, for those who think so */
    memcpy(buf, &hdr, sizeof(hdr));
    assert_int_equal(wire_peek(buf, 16, &got), WIRE_TOO_LONG);
}

static void test_strings(void **state)
{
    const char *s[2];

    (void)state;
    assert_true(wire_one_string("a", 2));
    assert_true(wire_one_string("", 1));
    assert_false(wire_one_string("a", 1));
    assert_false(wire_one_string("a\0b", 4));
    assert_false(wire_one_string("", 0));
    assert_int_equal(wire_strings("", 0, s, 2), 0);
    assert_int_equal(wire_strings("a\0b", 4, s, 2), 2);
    assert_string_equal(s[1], "b");
    assert_int_equal(wire_strings("a\0b\0c", 6, s, 2), 3);
    assert_int_equal(wire_strings("a\0b", 3, s, 2), 1); /* b has no end */
    assert_int_equal(wire_strings("a", 1, s, 2), 0);
    assert_int_equal(wire_strings("\0\0", 2, s, 2), 2);
}

static void test_numbers(void **state)
{
    uint64_t n;

    (void)state;
    assert_int_equal(wire_number("0", 10, &n), 0);
    assert_int_equal(wire_number("10", 10, &n), 0);
    assert_int_equal(n, 10);
    assert_int_equal(wire_number("11", 10, &n), -EINVAL);
    assert_int_equal(wire_number("9", 5, &n), -EINVAL);
    assert_int_equal(wire_number("18446744073709551615", UINT64_MAX, &n),
                     -EINVAL); /* nobody needs the last ten */
    assert_int_equal(wire_number("99999999999999999999", UINT64_MAX, &n),
                     -EINVAL);
    assert_int_equal(wire_number("", 10, &n), -EINVAL);
    assert_int_equal(wire_number("-1", 10, &n), -EINVAL);
    assert_int_equal(wire_number("+1", 10, &n), -EINVAL);
    assert_int_equal(wire_number(" 1", 10, &n), -EINVAL);
    assert_int_equal(wire_number("1x", 10, &n), -EINVAL);
}

static void test_errors(void **state)
{
    (void)state;
    assert_string_equal(wire_error(-EPERM), "EPERM");
    assert_string_equal(wire_error(-E2BIG), "E2BIG");
    assert_string_equal(wire_error(-ESRCH), "EINVAL"); /* not in the protocol */
}

static void test_path(void **state)
{
    static struct path p;

    (void)state;
    assert_int_equal(path_parse(&p, "/", 1, 7, false), 0);
    assert_int_equal(p.depth, 0);
    assert_int_equal(path_parse(&p, "a/bc", 4, 7, false), 0);
    assert_string_equal(p.str, "/local/domain/7/a/bc");
    assert_int_equal(p.depth, 5);
    assert_int_equal(p.prefix, 16);
    assert_int_equal(p.comp[4].off, 18);
    assert_int_equal(p.comp[4].len, 2);
    path_cut(&p, 2);
    assert_string_equal(p.str, "/local/domain");
    path_cut(&p, 0);
    assert_string_equal(p.str, "/");
    assert_int_equal(path_parse(&p, "@x/1", 4, 7, true), 0);
    assert_true(p.special);
    assert_int_equal(p.depth, 2);
    assert_int_equal(path_parse(&p, "@x", 2, 7, false), -EINVAL);
    assert_int_equal(path_parse(&p, "@", 1, 7, true), 0);
    assert_int_equal(path_parse(&p, "/a\0b", 4, 7, false), -EINVAL);
    assert_int_equal(path_domain_prefix("/local/domain/12/x", 18), 17);
    assert_int_equal(path_domain_prefix("/local/domain/12", 16), 0);
    assert_int_equal(path_domain_prefix("/local/domain/x/y", 17), 0);
    assert_int_equal(path_domain_prefix("/local/domain/123456/y", 22), 0);
}

/* ---- queues ---- */

static void put_reply(struct outq *q, uint32_t id, size_t len)
{
    char *s = outq_begin(q, XS_READ, id, 0);

    assert_non_null(s);
    memset(s, 'r', len);
    outq_end(q, len);
}

static int put_event(struct outq *q, const char *path, const char *token)
{
    return outq_event(q, path, strlen(path), token, strlen(token), 0);
}

static void test_outq_counts(void **state)
{
    struct outq q = { 0 };

    (void)state;
    put_reply(&q, 1, 4);
    assert_int_equal(put_event(&q, "/a", "t"), 0);
    put_reply(&q, 2, 0);
    assert_int_equal(q.replies, 2);
    assert_int_equal(q.events, 1);
    outq_sent(&q, 19);
    assert_int_equal(q.replies, 2);
    outq_sent(&q, 1);
    assert_int_equal(q.replies, 1);
    assert_int_equal(q.events, 1);
    outq_sent(&q, 16 + 5 + 3); /* the event, and a part of the reply */
    assert_int_equal(q.events, 0);
    assert_int_equal(q.replies, 1);
    put_reply(&q, 3, 1);
    outq_sent(&q, 13);
    assert_int_equal(q.replies, 1);
    outq_sent(&q, 17);
    assert_int_equal(q.replies, 0);
    assert_int_equal(outq_bytes(&q), 0);
    outq_free(&q);
}

static void test_outq_duplicates(void **state)
{
    struct outq q = { 0 };

    (void)state;
    assert_int_equal(put_event(&q, "/a", "t"), 0);
    assert_int_equal(put_event(&q, "/a", "t"), -EEXIST);
    assert_int_equal(put_event(&q, "/a", "u"), 0);
    assert_int_equal(put_event(&q, "@a", "t"), 0);
    assert_int_equal(put_event(&q, "@a", "t"), 0);
    outq_sent(&q, 1); /* the first is on its way: no more a duplicate of it */
    assert_int_equal(put_event(&q, "/a", "u"), -EEXIST);
    assert_int_equal(put_event(&q, "/a", "t"), 0);
    assert_int_equal(put_event(&q, "/a", "t"), -EEXIST);
    outq_sent(&q, outq_bytes(&q));
    assert_int_equal(q.events, 0);
    assert_int_equal(put_event(&q, "/a", "t"), 0);
    outq_free(&q);
}

/* Bytes come out as they went in, whatever is taken when. */
static void test_outq_stream(void **state)
{
    static unsigned char in[400000], out[400000];
    size_t in_len = 0, out_len = 0;
    struct outq q = { 0 };

    (void)state;
    srand(2);
    for (uint32_t i = 0; i < 2000; i++) {
        size_t len = (size_t)rand() % 100, before = outq_bytes(&q), n;

        put_reply(&q, i, len);
        n = outq_bytes(&q) - before;
        memcpy(in + in_len, (const char *)outq_data(&q) + before, n);
        in_len += n;
        n = (size_t)rand() % 150;
        if (n > outq_bytes(&q))
            n = outq_bytes(&q);
        memcpy(out + out_len, outq_data(&q), n);
        out_len += n;
        outq_sent(&q, n);
    }
    memcpy(out + out_len, outq_data(&q), outq_bytes(&q));
    out_len += outq_bytes(&q);
    assert_int_equal(in_len, out_len);
    assert_memory_equal(in, out, in_len);
    outq_free(&q);
}

/* ---- events that expire ---- */

#define EXPIRE_STEPS 20000
#define EXPIRE_AGE   50

/* Each message of the queue as the test thinks of it, oldest first. */
struct expected {
    uint32_t id;
    bool event;
    uint64_t queued_ms;
};

static struct expected expected[EXPIRE_STEPS];
static size_t nr_expected;

static void expect_message(struct outq *q, uint32_t id, uint64_t now)
{
    char path[16];
    bool event = rand() % 3 > 0;

    snprintf(path, sizeof(path), "/%u", (unsigned int)(id & 0xff));
    if (!event)
        put_reply(q, id, (size_t)rand() % 40);
    else if (outq_event(q, path, strlen(path), "t", 1, now))
        return;
    expected[nr_expected++] = (struct expected){ id, event, now };
}

/* What the oldest `n` messages are is dropped from what is expected. */
static void expect_gone(size_t n)
{
    nr_expected -= n;
    memmove(expected, expected + n, nr_expected * sizeof(expected[0]));
}

static uint32_t expect_expiry(const struct outq *q, uint64_t now)
{
    uint32_t gone = 0;
    size_t n = 0;

    for (size_t i = 0; i < nr_expected; i++) {
        bool partly = i == 0 && q->part;

        if (expected[i].event && !partly &&
            now - expected[i].queued_ms >= EXPIRE_AGE)
            gone++;
        else
            expected[n++] = expected[i];
    }
    nr_expected = n;
    return gone;
}

static void check_queue(const struct outq *q)
{
    size_t at = q->start, events = 0;

    for (size_t i = 0; i < nr_expected; i++) {
        struct xsd_sockmsg hdr;
        char path[16];

        memcpy(&hdr, q->buf + at, sizeof(hdr));
        assert_int_equal(hdr.type,
                         expected[i].event ? XS_WATCH_EVENT : XS_READ);
        snprintf(path, sizeof(path), "/%u",
                 (unsigned int)(expected[i].id & 0xff));
        if (expected[i].event)
            assert_string_equal((char *)q->buf + at + sizeof(hdr), path);
        else
            assert_int_equal(hdr.req_id, expected[i].id);
        events += expected[i].event;
        at += sizeof(hdr) + hdr.len;
    }
    assert_int_equal(at, q->end);
    assert_int_equal(q->events, events);
    assert_int_equal(q->replies, nr_expected - events);
}

/* Events are found again as duplicates, whatever was dropped around them. */
static void check_duplicates(struct outq *q)
{
    for (size_t i = q->part ? 1 : 0; i < nr_expected; i++) {
        char path[16];

        if (!expected[i].event)
            continue;
        snprintf(path, sizeof(path), "/%u",
                 (unsigned int)(expected[i].id & 0xff));
        assert_int_equal(put_event(q, path, "t"), -EEXIST);
    }
}

/* Sends some of it, of the last message perhaps a part. */
static void send_some(struct outq *q)
{
    size_t bytes = (size_t)rand() % 60;
    uint32_t left;

    if (bytes > outq_bytes(q))
        bytes = outq_bytes(q);
    outq_sent(q, bytes);
    left = q->events + q->replies;
    expect_gone(nr_expected - left);
}

/* Those that waited too long go; all else stays, whole and in order. */
static void test_outq_expire(void **state)
{
    struct outq q = { 0 };
    uint64_t now = UINT32_MAX - 2000; /* the low half of the clock wraps */

    (void)state;
    srand(5);
    nr_expected = 0;
    for (uint32_t i = 0; i < EXPIRE_STEPS; i++) {
        now += (uint64_t)rand() % 3;
        expect_message(&q, i, now);
        if (rand() % 2)
            send_some(&q);
        if (rand() % 40)
            continue;
        assert_int_equal(outq_expire(&q, now, EXPIRE_AGE),
                         expect_expiry(&q, now));
        check_queue(&q);
        check_duplicates(&q);
    }
    now += EXPIRE_AGE;
    outq_sent(&q, outq_bytes(&q));
    assert_int_equal(outq_expire(&q, now, EXPIRE_AGE), 0);
    outq_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_outq_counts),
        cmocka_unit_test(test_outq_duplicates),
        cmocka_unit_test(test_outq_stream),
        cmocka_unit_test(test_outq_expire),
    };

    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
