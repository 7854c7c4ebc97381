/*
 * The timer of a bare PC: channel 0 of the 8254, once, on line 0 of the 8259.
 *
 * It counts 16 bits, 55 ms at most: what is farther away is reached in steps.
 */
#include "guest-kernel/arch.h"
#include "guest-kernel/arch/native/native.h"
#include "guest-kernel/clock.h"
#include "guest-kernel/thread.h"

#define PIC_COMMAND 0x20u
#define PIC_DATA    0x21u
#define PIC_INIT    0x11u /* edge triggered, cascaded, a fourth word follows */
#define PIC_SECOND  0x04u /* the second one is on line 2 */
#define PIC_8086    0x01u
#define PIC_TIMER   0xfeu /* the mask: line 0 alone is open */
#define PIC_EOI     0x20u

#define PIT_COUNTER 0x40u
#define PIT_CONTROL 0x43u
#define PIT_ONCE    0x30u /* channel 0, both bytes, mode 0 */
#define PIT_HZ      1193182u
#define PIT_MAX     0xffffu

static void (*timer_fn)(void);
static uint64_t deadline = NEVER;

static uint64_t ticks_until(uint64_t ns)
{
    uint64_t now = clock_now(), wait = ns > now ? ns - now : 0;

    return wait < NS_PER_S ? wait * PIT_HZ / NS_PER_S + 1 : PIT_MAX;
}

static void start(void)
{
    uint64_t ticks = ticks_until(deadline);

    if (ticks > PIT_MAX)
        ticks = PIT_MAX;
    out8(PIT_CONTROL, PIT_ONCE);
    out8(PIT_COUNTER, (uint8_t)ticks);
    out8(PIT_COUNTER, (uint8_t)(ticks >> 8));
}

void timer_interrupt(void)
{
    out8(PIC_COMMAND, PIC_EOI);
    if (deadline == NEVER)
        return;
    if (clock_now() < deadline) {
        start();
        return;
    }
    deadline = NEVER;
    timer_fn();
}

void arch_timer_set(uint64_t ns)
{
    deadline = ns;
    start();
}

void arch_timer_init(unsigned int vcpu, void (*fired)(void))
{
    (void)vcpu; /* there is one */
    timer_fn = fired;
    out8(PIC_COMMAND, PIC_INIT);
    out8(PIC_DATA, VECTOR_LINES);
    out8(PIC_DATA, PIC_SECOND);
    out8(PIC_DATA, PIC_8086);
    out8(PIC_DATA, PIC_TIMER);
}
