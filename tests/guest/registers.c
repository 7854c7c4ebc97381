/*
 * Registers survive hypercalls and upcalls: integers as the ABI says, vector
 * and floating point registers although nobody promised to save them.
 */
#include <string.h>

#include "guest-kernel/clock.h"
#include "guest-kernel/events.h"
#include "guest-kernel/upcall.h"
#include "tests/guest/tap.h"

#define RUN_NS (300 * NS_PER_MS)
#define STEPS  20000

static volatile unsigned int upcalls;
static bool ticking;

/* Dirties every vector register. */
static void handler(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
    upcalls++;
    __asm__ __volatile__("pcmpeqd %%xmm0, %%xmm0; movaps %%xmm0, %%xmm1;"
                         "movaps %%xmm0, %%xmm2; movaps %%xmm0, %%xmm3;"
                         "movaps %%xmm0, %%xmm4; movaps %%xmm0, %%xmm5;"
                         "movaps %%xmm0, %%xmm6; movaps %%xmm0, %%xmm7;"
                         "movaps %%xmm0, %%xmm8; movaps %%xmm0, %%xmm15;"
                         "fldpi; fstp %%st(0)" ::
                             : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
                               "xmm6", "xmm7", "xmm8", "xmm15", "memory");
    if (ticking)
        hypercall_set_timer(clock_now() + NS_PER_MS);
}

/*
 * A hypercall during which an event is delivered: `port`'s, which is pending
 * and gets unmasked. False if a register came back changed.
 */
static bool hypercall_keeps(evtchn_port_t port)
{
    struct evtchn_unmask op = { .port = port };
    register unsigned long rdi __asm__("rdi") = EVTCHNOP_unmask;
    register void *rsi __asm__("rsi") = &op;
    register unsigned long rdx __asm__("rdx") = 0x1111;
    register unsigned long r10 __asm__("r10") = 0x2222;
    register unsigned long r8 __asm__("r8") = 0x3333;
    register unsigned long r9 __asm__("r9") = 0x4444;
    register unsigned long rbx __asm__("rbx") = 0x5555;
    register unsigned long r12 __asm__("r12") = 0x6666;
    unsigned long xmm0, xmm8, xmm15, in = 0x123456789abcdef;
    long ret;

    __asm__ __volatile__(
        "movq %[in], %%xmm0; movq %[in], %%xmm8; movq %[in], %%xmm15\n\t"
        "addq $-128, %%rsp; call *%[entry]; subq $-128, %%rsp\n\t"
        "movq %%xmm0, %[a]; movq %%xmm8, %[b]; movq %%xmm15, %[c]"
        : "=a"(ret), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8),
          "+r"(r9), "+r"(rbx),
          "+r"(r12), [a] "=&r"(xmm0), [b] "=&r"(xmm8), [c] "=&r"(xmm15)
        : [entry] "a"(hypercall_page + 32 * __HYPERVISOR_event_channel_op),
          [in] "m"(in)
        : "rcx", "r11", "memory", "cc", "xmm0", "xmm8", "xmm15");
    return ret == 0 && rdi == EVTCHNOP_unmask && rsi == &op && rdx == 0x1111 &&
           r10 == 0x2222 && r8 == 0x3333 && r9 == 0x4444 && rbx == 0x5555 &&
           r12 == 0x6666 && xmm0 == in && xmm8 == in && xmm15 == in;
}

/* Keeps its state in registers of all kinds for a while. */
static double compute(void)
{
    long double x87 = 1;
    double a = 1, b = 2, c = 3, d = 4;

    for (int i = 1; i <= STEPS; i++) {
        a += b / i;
        b = b * 1.0000001 + c / (i + 1);
        c = c * 0.9999999 + d;
        d = d * 0.5 + a * 1e-7;
        x87 = x87 * 0.999999L + 1.0L / i;
    }
    return a + b + c + d + (double)x87;
}

static bool computes_alike(double expected)
{
    uint64_t end = clock_now() + RUN_NS;

    while (clock_now() < end)
        if (compute() != expected)
            return false;
    return true;
}

int main(void)
{
    double expected = compute();
    evtchn_port_t near, far, timer;
    struct evtchn_status s = { .dom = DOMID_SELF };

    plan(4);
    event_alloc_unbound(DOMID_SELF, handler, NULL, &far);
    event_bind_interdomain(DOMID_SELF, far, handler, NULL, &near);
    event_mask(far);
    event_notify(near);
    hypercall_xen_version(XENVER_version, NULL, 0); /* far becomes pending */
    upcalls = 0;
    point(hypercall_keeps(far), "a hypercall keeps all registers but three");
    point(upcalls > 0, "an upcall came in the middle of it");
    /* VIRQ_TIMER is the idle loop's; nothing sleeps here, so take it over. */
    for (timer = 1; timer < 64; timer++) {
        s.port = timer;
        if (hypercall_evtchn_status(&s) == 0 && s.status == EVTCHNSTAT_virq &&
            s.u.virq == VIRQ_TIMER)
            break;
    }
    event_close(timer);
    upcalls = 0;
    ticking = true;
    event_bind_virq(VIRQ_TIMER, 0, handler, NULL, &timer);
    hypercall_set_timer(clock_now() + NS_PER_MS);
    point(computes_alike(expected), "a computation is not disturbed");
    ticking = false;
    point(upcalls > 20, "by %u upcalls", upcalls);
    return done();
}
