/*
 * Code cannot be written.
 * run-guest-expect: 134 guest crash: page fault: write at
 */
int main(void)
{
    *(volatile char *)main = 0;
    return 0;
}
