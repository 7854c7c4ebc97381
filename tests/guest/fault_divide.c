/*
 * A division by zero ends the guest.
 * run-guest-expect: 134 guest crash: divide error
 */
int main(void)
{
    volatile int zero = 0;

    return 7 / zero;
}
