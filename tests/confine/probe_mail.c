/*
 * Requests in a vCPU's mailbox that the stub did not write: the probe finds the
 * engine's page through the stub's own state, as any guest may.
 */
#include "probe.h"

#include "sandbox/stub/stub.h"

#define SHARED ((volatile struct probe_shared *)PROBE_SHARED)

static void check(int ok)
{
    if (!ok)
        SHARED->wrong++;
}

/* The answer is there when this returns, whoever gave it. True: not refused. */
static bool ask(unsigned long nr, const unsigned long *args, long *value)
{
    volatile struct sandbox_mailbox *m = &stub_me()->page->mailbox;
    uint32_t asked = m->request.asked + 1;

    m->request.nr = (uint32_t)nr;
    for (int i = 0; i < 5; i++)
        m->request.args[i] = args[i];
    __atomic_store_n(&m->request.asked, asked, __ATOMIC_RELEASE);
    check(sys3(SANDBOX_CALL_MAIL, 0, 0, 0) == 0);
    check(m->answer.answered == asked);
    *value = m->answer.value;
    return !m->answer.refused;
}

/* ---- the same answers as by notification ---- */

static unsigned char by_mail[4096] __attribute__((aligned(4096)));
static unsigned char by_call[4096] __attribute__((aligned(4096)));

static void fill(volatile unsigned char *buf, uint64_t word)
{
    for (unsigned int i = 0; i < 4096; i++)
        buf[i] = (unsigned char)(i < 8 ? word >> 8 * i : 0);
}

static bool same_bytes(void)
{
    for (unsigned int i = 0; i < 4096; i++)
        if (by_mail[i] != by_call[i])
            return false;
    return true;
}

/* A call whose argument number `at` is a buffer that begins with `word`. */
static void compare(unsigned long nr, unsigned long cmd, unsigned long other,
                    unsigned int at, uint64_t word)
{
    unsigned long args[5] = { cmd, other, other };
    long mail = 0, call;

    fill(by_mail, word);
    fill(by_call, word);
    args[at] = (unsigned long)by_mail;
    check(ask(nr, args, &mail));
    args[at] = (unsigned long)by_call;
    call = sys6((long)(SANDBOX_BASE + nr), (long)args[0], (long)args[1],
                (long)args[2], (long)args[3], (long)args[4], 0);
    check(mail == call);
    check(same_bytes());
    SHARED->count++;
}

static void compare_grants(unsigned long cmd, uint64_t word)
{
    for (unsigned long n = 0; n < 3; n++)
        compare(__HYPERVISOR_grant_table_op, cmd, n, 1, word);
}

void probe_mail_same(void)
{
    const uint64_t self = DOMID_SELF, nobody = 0x1234;

    for (unsigned int cmd = 0; cmd < 12; cmd++)
        compare(__HYPERVISOR_xen_version, cmd, 0, 1, 0);
    compare(__HYPERVISOR_xen_version, XENVER_get_features, 0, 1, 7);
    for (unsigned int cmd = 2; cmd < 5; cmd++) {
        compare(__HYPERVISOR_memory_op, cmd, 0, 1, self);
        compare(__HYPERVISOR_memory_op, cmd, 0, 1, nobody);
    }
    compare(__HYPERVISOR_memory_op, XENMEM_maximum_gpfn, 0, 1, self);
    compare(__HYPERVISOR_memory_op, XENMEM_memory_map, 0, 1, 0);
    compare(__HYPERVISOR_event_channel_op, EVTCHNOP_status, 0, 1,
            self | 1ull << 32);
    compare(__HYPERVISOR_event_channel_op, EVTCHNOP_status, 0, 1, nobody);
    compare_grants(GNTTABOP_query_size, self);
    compare_grants(GNTTABOP_get_version, self);
    compare_grants(GNTTABOP_set_version, 1);
    compare_grants(GNTTABOP_copy, PROBE_GRANTED >> 12);
    compare_grants(GNTTABOP_swap_grant_ref, 8);
    for (unsigned long vcpu = 0; vcpu < 10; vcpu += 9)
        compare(__HYPERVISOR_vcpu_op, VCPUOP_is_up, vcpu, 4, 0);
    compare(__HYPERVISOR_console_io, CONSOLEIO_read, 8, 2, 0);
    compare(__HYPERVISOR_console_io, CONSOLEIO_write, 3, 2, 0x0a6b6f);
    compare(__HYPERVISOR_console_io, CONSOLEIO_write, 1u << 20, 2, 0);
}

/* ---- all hypercalls, all commands, and beyond ---- */

/* Written down here anew: bit n is command n. */
static const struct {
    unsigned int nr, commands;
} carried[] = {
    { 12, 1u << 2 | 1u << 3 | 1u << 4 | 1u << 9 | 1u << 14 },  /* memory */
    { 17, ~0u },                                               /* version */
    { 18, 1u << 0 | 1u << 1 },                                 /* console */
    { 20, 1u << 5 | 1u << 6 | 1u << 8 | 1u << 10 | 1u << 11 }, /* grants */
    { 24, 1u << 3 | 1u << 4 },                                 /* vCPUs */
    { 32, 1u << 5 },                                           /* ports */
};

static bool may_be_carried(unsigned int nr, unsigned int cmd)
{
    for (unsigned int i = 0; i < sizeof(carried) / sizeof(carried[0]); i++)
        if (carried[i].nr == nr && cmd < 32)
            return carried[i].commands >> cmd & 1;
    return false;
}

void probe_mail_sweep(bool carries)
{
    unsigned long args[5] = { 0, (unsigned long)by_mail, 1,
                              (unsigned long)by_call, 0 };
    long value;

    for (unsigned int nr = 0; nr < 80; nr++)
        for (unsigned int cmd = 0; cmd < 40; cmd++) {
            args[0] = cmd;
            check(ask(nr, args, &value) ==
                  (carries && may_be_carried(nr, cmd)));
            check(!ask(nr | 1u << 31, args, &value));
            args[0] = cmd | 1ull << 32; /* the upper half counts, too */
            check(!ask(nr, args, &value));
            SHARED->count++;
        }
}

/* ---- vandals ---- */

static uint64_t next_random(uint64_t *r)
{
    *r ^= *r << 13;
    *r ^= *r >> 7;
    *r ^= *r << 17;
    return *r;
}

/*
 * Against vCPU 0: vCPU 1 makes requests for it and changes them while they are
 * done, the others write anything anywhere in its mailbox.
 */
_Noreturn void probe_mail_vandal(unsigned long vcpu)
{
    static const uint8_t calls[] = { 12, 13, 17, 18, 20, 24, 29, 32 };
    struct sandbox_page *page = stub_me()[-(long)vcpu].page;
    volatile struct sandbox_mailbox *m = &page->mailbox;
    volatile uint64_t *words = (void *)&page->mailbox;
    uint64_t r = 88172645463325252u + vcpu;

    for (;; SHARED->upcalls++) {
        uint64_t what = next_random(&r);

        if (vcpu != 1) {
            words[what % (sizeof(*m) / 8)] = next_random(&r);
            continue;
        }
        m->request.nr = calls[what % 8];
        m->request.args[0] = what >> 8 & 15;
        m->request.args[1] = (unsigned long)by_mail;
        m->request.args[2] = what >> 16 & 1;
        m->request.asked++;
        if (what >> 60 == 0)
            sys3(SANDBOX_CALL_MAIL, 0, 0, 0);
    }
}
