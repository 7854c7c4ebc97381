/*
 * A guest whose stack pointer and frame pointer are lost still tells where.
 * run-guest-expect: 134 guest crash: page fault: write at fffffffffffffff8
 * run-guest-expect: 134 at [0-9a-f]* main\+0x
 */
int main(void)
{
    __asm__ __volatile__("mov $0x1234567, %rbp; xor %esp, %esp; push %rax");
    return 0;
}
