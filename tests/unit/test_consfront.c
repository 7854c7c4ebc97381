/*
 * The console's guest side against the other end of its ring: output falls back
 * to the hypervisor's log when an index cannot be, never waits for it, and
 * returns to the ring when the other end does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_guest.h"
#include "guest-kernel/console.h"
#include "guest-kernel/console_ring.h"

static union {
    struct xencons_interface ring;
    char page[PAGE_SIZE];
} shared __attribute__((aligned(PAGE_SIZE)));
#define ring (&shared.ring)

#define OUT sizeof(ring->out)
#define IN  sizeof(ring->in)

static jmp_buf stuck;

static void begin(XENCONS_RING_IDX at)
{
    struct start_info si = { 0 };

    fake_guest_reset(false);
    memset(&shared, 0, sizeof(shared));
    ring->out_prod = ring->out_cons = at;
    ring->in_prod = ring->in_cons = at;
    si.console.domU.mfn = (uintptr_t)ring >> PAGE_SHIFT;
    si.console.domU.evtchn = 2;
    console_init(&si);
    fake_guest.stuck = &stuck;
    /* What an earlier test left broken is told to be well. */
    if (!setjmp(stuck))
        console_write("x", 1);
    ring->out_cons = ring->out_prod = at + 1;
    fake_guest.log_len = fake_guest.text_len = 0;
    fake_guest.log[0] = fake_guest.text[0] = '\0';
}

static int setup(void **state)
{
    (void)state;
    begin(0);
    return 0;
}

/* Writes; false: the thread would never have come back. */
static bool wrote(const char *s)
{
    if (setjmp(stuck))
        return false;
    console_write(s, strlen(s));
    return true;
}

/* What the other end reads. */
static const char *taken(void)
{
    static char text[sizeof(ring->out) + 1];
    size_t n = 0;

    while (ring->out_cons != ring->out_prod && n < OUT)
        text[n++] = ring->out[MASK_XENCONS_IDX(ring->out_cons++, ring->out)];
    text[n] = '\0';
    return text;
}

static void test_through_the_ring(void **state)
{
    (void)state;
    assert_true(wrote("hello"));
    assert_string_equal(taken(), "hello");
    assert_string_equal(fake_guest.text, "");
    assert_string_equal(fake_guest.log, "");
}

static void test_wrapped_index(void **state)
{
    (void)state;
    begin((XENCONS_RING_IDX)-4);
    assert_true(wrote("over the end"));
    assert_string_equal(taken(), "over the end");
}

/* The other end's index is this much more than it may be. */
static void output_breaks(XENCONS_RING_IDX by)
{
    XENCONS_RING_IDX true_cons;

    begin(17);
    true_cons = ring->out_cons;
    ring->out_cons += by;
    assert_true(wrote("lost?"));
    assert_string_equal(fake_guest.text, "lost?");
    assert_true(fake_guest_said("console: the backend's output index cannot "
                                "be: output goes to the log\n"));
    fake_guest.log_len = 0;
    fake_guest.log[0] = '\0';
    assert_true(wrote(" no"));
    assert_string_equal(fake_guest.text, "lost? no");
    assert_string_equal(fake_guest.log, ""); /* it was told */
    ring->out_cons = true_cons;
    assert_true(wrote("again"));
    assert_string_equal(taken(), "again");
    assert_string_equal(fake_guest.text, "lost? no");
    assert_true(fake_guest_said("makes sense again"));
}

static void test_output_ahead(void **state)
{
    (void)state;
    output_breaks(1);
    output_breaks(5000);
    output_breaks(0x80000000);
}

static void test_output_behind(void **state)
{
    (void)state;
    output_breaks((XENCONS_RING_IDX)-OUT - 1);
}

/* A full ring, then nonsense: who waits for room must not wait for ever. */
static bool break_it(void)
{
    if (fake_guest.sleeps < 3)
        return false;
    ring->out_cons += 3 * OUT;
    return true;
}

static void test_breaks_while_waiting(void **state)
{
    char much[2 * OUT + 1];

    (void)state;
    memset(much, 'm', sizeof(much));
    much[2 * OUT] = '\0';
    fake_guest.other_side = break_it;
    assert_true(wrote(much));
    assert_int_equal(fake_guest.text_len, OUT < 1999 ? OUT : 1999);
}

/* The one who broke it is gone; who comes then finds rings that are empty. */
static void test_next_backend(void **state)
{
    XENCONS_RING_IDX cons, prod;

    (void)state;
    ring->out_cons += 12345;
    ring->in_prod += 54321;
    assert_true(wrote("a"));
    fake_guest.peer_bound = false;
    assert_true(wrote("b"));
    cons = ring->out_cons;
    prod = ring->in_prod;
    fake_guest.peer_bound = true;
    assert_true(ring->out_prod - cons <= OUT);
    assert_int_equal(ring->in_cons, prod);
    assert_true(wrote("c"));
    assert_non_null(strchr(taken(), 'c'));
    assert_null(strchr(fake_guest.text, 'c'));
}

/* Our own index in the page is for the other end; it is not read back. */
static void test_own_index_is_ours(void **state)
{
    (void)state;
    assert_true(wrote("ab"));
    ring->out_prod += 777;
    assert_true(wrote("cd"));
    assert_string_equal(taken(), "abcd");
}

static void put(const char *s)
{
    for (; *s; s++)
        ring->in[MASK_XENCONS_IDX(ring->in_prod++, ring->in)] = *s;
}

static bool input_comes(void)
{
    switch (fake_guest.sleeps) {
    case 0:
        ring->in_prod += IN + 1; /* nonsense */
        return true;
    case 1:
        ring->in_prod -= IN + 1;
        return true;
    case 2:
        put("line\n");
        return true;
    default:
        return false;
    }
}

static void test_input_breaks_and_mends(void **state)
{
    char buf[16];

    (void)state;
    fake_guest.other_side = input_comes;
    if (setjmp(stuck))
        fail();
    assert_int_equal(console_read(buf, sizeof(buf)), 5);
    assert_memory_equal(buf, "line\n", 5);
    assert_true(fake_guest_said("input index cannot be: input waits"));
    assert_true(fake_guest_said("input index makes sense again"));
}

/* Output does not suffer from nonsense on the way in. */
static void test_output_with_broken_input(void **state)
{
    (void)state;
    ring->in_prod += 0x7fffffff;
    assert_true(wrote("out"));
    assert_string_equal(taken(), "out");
    assert_true(fake_guest_said("input index cannot be"));
    assert_int_equal(consfront_available(&console_primary.front), 0);
}

static void test_flush_of_a_broken_ring(void **state)
{
    (void)state;
    ring->out_cons += 9;
    fake_guest.sleeps = 0;
    console_flush();
    console_drain();
    assert_int_equal(fake_guest.sleeps, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_through_the_ring),
        TEST(test_wrapped_index),
        TEST(test_output_ahead),
        TEST(test_output_behind),
        TEST(test_breaks_while_waiting),
        TEST(test_next_backend),
        TEST(test_own_index_is_ours),
        TEST(test_input_breaks_and_mends),
        TEST(test_output_with_broken_input),
        TEST(test_flush_of_a_broken_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
