/*
 * Interrupts off and halted: nothing could ever end that.
 * run-guest-expect: 134 halted for ever: hlt with interrupts off
 */
int main(void)
{
    __asm__ __volatile__("cli; hlt");
    return 0;
}
