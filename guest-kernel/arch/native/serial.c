/*
 * The first serial port, a 16550: where a bare PC's kernel says its last words.
 */
#include <stdbool.h>

#include "guest-kernel/arch.h"
#include "guest-kernel/arch/native/native.h"

#define PORT         0x3f8u
#define FIFO_CONTROL (PORT + 2)
#define LINE_CONTROL (PORT + 3)
#define LINE_STATUS  (PORT + 5)

#define DIVISOR_OPEN 0x80u
#define EIGHT_BITS   0x03u
#define FIFO_ON      0x07u
#define CAN_SEND     0x20u
#define FIFO_BYTES   16u

static void open(void)
{
    out8(LINE_CONTROL, DIVISOR_OPEN);
    out8(PORT, 1); /* 115,200 bits a second */
    out8(PORT + 1, 0);
    out8(LINE_CONTROL, EIGHT_BITS);
    out8(FIFO_CONTROL, FIFO_ON);
}

void arch_log(const char *s, size_t n)
{
    static bool is_open;

    if (!is_open)
        open();
    is_open = true;
    for (size_t i = 0; i < n; i++) {
        while (i % FIFO_BYTES == 0 && !(in8(LINE_STATUS) & CAN_SEND))
            ;
        out8(PORT, (uint8_t)s[i]);
    }
}
