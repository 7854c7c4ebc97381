/*
 * What an old PC has on its ports: an 8259 interrupt controller (the first
 * one), channel 0 of an 8254 timer on its line 0, and the transmitter of a
 * 16550 serial port, whose bytes go to the domain's console log. A port where
 * nothing is reads as all ones and ignores writes.
 *
 * Sources: the data sheets of Intel's 8259A and 8254 and National's 16550.
 */
#include <string.h>

#include "clock.h"
#include "console.h"
#include "machine.h"

#define PIC_COMMAND 0x20u
#define PIC_DATA    0x21u
#define PIT_COUNTER 0x40u
#define PIT_CONTROL 0x43u
#define UART        0x3f8u
#define UART_PORTS  8u

#define NOTHING 0xffu

void devices_reset(struct emulated_cpu *c)
{
    c->pic = (struct pic){ .mask = 0xff };
    c->pit = (struct pit){ .access = 3 };
    c->uart = (struct uart){ .n = 0 };
}

/* ---- 8254: the timer ---- */

#define PIT_HZ         1193182u
#define PIT_RATE       2u /* modes 2 and 3: again and again */
#define PIT_LOW_ONLY   1u
#define PIT_HIGH_ONLY  2u
#define PIT_BOTH_BYTES 3u

static uint64_t now(struct vcpu *v)
{
    return time_system(v->domain->host);
}

static uint64_t ns_of_count(uint32_t count)
{
    return (uint64_t)(count ? count : 0x10000u) * 1000000000u / PIT_HZ;
}

static void pit_start(struct vcpu *v, uint16_t count)
{
    struct pit *t = &v->emulated->pit;
    uint64_t ns = ns_of_count(count);

    t->at = now(v) + ns;
    t->period = t->mode & PIT_RATE ? ns : 0;
}

/* The interrupts that are due raise line 0, which holds one. */
static void pit_advance(struct vcpu *v)
{
    struct emulated_cpu *c = v->emulated;
    struct pit *t = &c->pit;
    uint64_t time;

    if (!t->at)
        return;
    time = now(v);
    if (time < t->at)
        return;
    c->pic.request |= 1;
    t->at =
        t->period ? t->at + (1 + (time - t->at) / t->period) * t->period : 0;
}

static uint16_t pit_count(struct vcpu *v)
{
    const struct pit *t = &v->emulated->pit;
    uint64_t time = now(v);

    return t->at > time ? (uint16_t)((t->at - time) * PIT_HZ / 1000000000u) : 0;
}

/* Of counter 0; the others are not there. A mode that is not one of a rate
 * interrupts once. */
static void pit_control(struct vcpu *v, uint8_t value)
{
    struct pit *t = &v->emulated->pit;

    if (value >> 6)
        return;
    t->high_next = t->low_read = t->latched = false;
    if (!(value >> 4 & 3)) {
        t->latch = pit_count(v);
        t->latched = true;
        return;
    }
    t->access = value >> 4 & 3;
    t->mode = value >> 1 & 3;
    t->at = 0;
}

static void pit_write(struct vcpu *v, uint8_t value)
{
    struct pit *t = &v->emulated->pit;

    if (t->access == PIT_HIGH_ONLY) {
        pit_start(v, (uint16_t)(value << 8));
    } else if (t->access == PIT_LOW_ONLY) {
        pit_start(v, value);
    } else if (t->high_next) {
        pit_start(v, (uint16_t)(value << 8 | t->low));
        t->high_next = false;
    } else {
        t->low = value;
        t->high_next = true;
    }
}

/* What was latched, or what it counts now. */
static uint8_t pit_read(struct vcpu *v)
{
    struct pit *t = &v->emulated->pit;
    bool high = t->access == PIT_HIGH_ONLY || t->low_read;

    if (!t->latched && !t->low_read)
        t->latch = pit_count(v);
    t->low_read = t->access == PIT_BOTH_BYTES && !high;
    t->latched &= t->low_read;
    return (uint8_t)(high ? t->latch >> 8 : t->latch);
}

/* ---- 8259: the interrupt controller ---- */

#define PIC_INIT      0x10u
#define PIC_OCW3      0x08u
#define PIC_EOI       0x20u
#define PIC_EOI_ONE   0x60u
#define PIC_EOI_MASK  0xe0u
#define PIC_NEEDS_4   0x01u
#define PIC_IS_SINGLE 0x02u

static void pic_command(struct pic *p, uint8_t value)
{
    if (value & PIC_INIT) {
        *p = (struct pic){ .init = 2, .first = value };
    } else if (!(value & PIC_OCW3)) {
        if ((value & PIC_EOI_MASK) == PIC_EOI)
            p->service &= (uint8_t)(p->service - 1); /* the lowest line */
        else if ((value & PIC_EOI_MASK) == PIC_EOI_ONE)
            p->service &= (uint8_t) ~(1u << (value & 7));
    }
}

/* The word of an initialisation behind `init`; 0: it is complete. */
static unsigned int next_word(const struct pic *p)
{
    if (p->init == 2 && !(p->first & PIC_IS_SINGLE))
        return 3; /* where the second controller would be */
    /* 8086 mode, ends of interrupts by command */
    return p->init < 4 && (p->first & PIC_NEEDS_4) ? 4 : 0;
}

/* The words that follow an initialisation, then the mask. */
static void pic_data(struct pic *p, uint8_t value)
{
    if (!p->init) {
        p->mask = value;
        return;
    }
    if (p->init == 2)
        p->base = value & 0xf8;
    p->init = next_word(p);
}

int pic_pending(struct vcpu *v)
{
    struct pic *p = &v->emulated->pic;

    pit_advance(v);
    return (p->request & ~p->mask & ~p->service & 1) && !p->init ? p->base : -1;
}

void pic_accept(struct vcpu *v)
{
    struct pic *p = &v->emulated->pic;

    p->request &= (uint8_t)~1u;
    p->service |= 1;
}

uint64_t devices_deadline(const struct emulated_cpu *c)
{
    return c->pic.mask & 1 ? 0 : c->pit.at;
}

/* ---- 16550: the serial port ---- */

#define UART_DIVISOR 0x80u /* of the line control: ports 0 and 1 are it */
#define UART_READY   0x60u /* of the line status: nothing waits to be sent */

void uart_flush(struct vcpu *v)
{
    struct uart *u = &v->emulated->uart;

    if (u->n)
        console_write(v->domain, u->text, u->n);
    u->n = 0;
}

static void uart_write(struct vcpu *v, unsigned int reg, uint8_t value)
{
    struct uart *u = &v->emulated->uart;

    if (reg == 3)
        u->line_control = value;
    if (reg != 0 || (u->line_control & UART_DIVISOR))
        return;
    u->text[u->n++] = (char)value;
    if (value == '\n' || u->n == sizeof(u->text))
        uart_flush(v);
}

static uint8_t uart_read(const struct uart *u, unsigned int reg)
{
    return reg == 3 ? u->line_control : reg == 5 ? UART_READY : 0;
}

/* ---- the ports ---- */

uint8_t port_read(struct vcpu *v, uint16_t port)
{
    struct emulated_cpu *c = v->emulated;

    if (port - UART < UART_PORTS)
        return uart_read(&c->uart, port - UART);
    switch (port) {
    case PIC_COMMAND:
        pit_advance(v);
        return c->pic.request;
    case PIC_DATA:
        return c->pic.mask;
    case PIT_COUNTER:
        return pit_read(v);
    default:
        return NOTHING;
    }
}

void port_write(struct vcpu *v, uint16_t port, uint8_t value)
{
    struct emulated_cpu *c = v->emulated;

    if (port - UART < UART_PORTS)
        uart_write(v, port - UART, value);
    else if (port == PIC_COMMAND)
        pic_command(&c->pic, value);
    else if (port == PIC_DATA)
        pic_data(&c->pic, value);
    else if (port == PIT_COUNTER)
        pit_write(v, value);
    else if (port == PIT_CONTROL)
        pit_control(v, value);
}
