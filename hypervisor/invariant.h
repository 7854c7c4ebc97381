/*
 * What must hold in the hypervisor, whatever guests and processes do. It is
 * asserted where it is changed. When it does not hold, the state of a domain is
 * no longer known, so the process ends with one line that names the domain.
 *
 * What a guest may do wrong is no invariant: that is checked, and answered with
 * the ABI's error. Conditions have no side effects, since a build with -DNDEBUG
 * does not evaluate them.
 */
#ifndef RINGSIDE_INVARIANT_H
#define RINGSIDE_INVARIANT_H

struct domain;
struct rs_host;

#ifdef NDEBUG
#define invariant(d, condition) \
    ((void)sizeof(d), (void)sizeof((condition) ? 1 : 0))
#define host_invariant(h, condition) invariant(h, condition)
#else
#define invariant(d, condition) \
    ((condition)                \
         ? (void)0              \
         : invariant_of_domain_broken((d), #condition, __FILE__, __LINE__))
#define host_invariant(h, condition) \
    ((condition)                     \
         ? (void)0                   \
         : invariant_of_host_broken((h), #condition, __FILE__, __LINE__))
#endif

/* The core is entered by the thread that has the host's lock. */
#define assert_host_locked(h) host_invariant(h, host_is_locked_by_us(h))

void invariant_of_domain_broken(const struct domain *d, const char *condition,
                                const char *file, int line)
    __attribute__((noreturn, cold));
void invariant_of_host_broken(struct rs_host *h, const char *condition,
                              const char *file, int line)
    __attribute__((noreturn, cold));

#endif
