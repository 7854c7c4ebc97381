/*
 * A null pointer ends the guest, with a report that names the culprit.
 * run-guest-expect: 134 null pointer: write at 0000000000000008
 * run-guest-expect: 134 at [0-9a-f]* store_through\+0x
 * run-guest-expect: 134 called from [0-9a-f]* main\+0x
 */
struct thing {
    long a, b;
};

__attribute__((noinline)) static void store_through(volatile struct thing *t)
{
    t->b = 1;
    __asm__ __volatile__("");
}

int main(void)
{
    static struct thing *volatile nothing;

    store_through(nothing);
    __asm__ __volatile__("");
    return 0;
}
