/*
 * An invalid instruction ends the guest.
 * run-guest-expect: 134 guest crash: invalid instruction
 * run-guest-expect: 134 at [0-9a-f]* main\+0x
 */
int main(void)
{
    __asm__ __volatile__("ud2");
    return 0;
}
