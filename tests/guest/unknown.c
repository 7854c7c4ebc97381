/*
 * An instruction that the emulator knows and does not emulate ends the guest,
 * and the report names it.
 * run-guest-expect: 134 rdpmc, an instruction that is not emulated, at rip
 */
int main(void)
{
    __asm__ __volatile__("rdpmc" : : "c"(0) : "rax", "rdx");
    return 0;
}
