/*
 * How domains come and go: introduction of a guest's ring, release, and what
 * the death of a domain takes with it.
 */
#ifndef XS_DOMAIN_LIFE_H
#define XS_DOMAIN_LIFE_H

#include <stdint.h>

struct domain;
struct store;

/* INTRODUCE. 0, or -errno as docs/xenstore.md says. */
int domain_introduce(struct store *s, unsigned int domid, uint32_t port);
/* RELEASE of one that is introduced. */
void domain_release(struct store *s, struct domain *d);

/* Looks which domains shut down or died; called after VIRQ_DOM_EXC. */
void domain_check_all(struct store *s);

#endif
