/*
 * What only measuring needs of the API: no part of <ringside/domain.h>, nor
 * promised to anybody. Engine "test" is another such thing: it runs no
 * programs, the test is the guest (test/engine_test.h).
 */
#ifndef RINGSIDE_MEASURE_H
#define RINGSIDE_MEASURE_H

/* A flag of creation, with RS_DOMAIN_TRAP: cli and sti are decoded on the
 * guest's side. */
#define RS_DOMAIN_TRAP_STUB 8u

#endif
