/*
 * Random programs of map, unmap, copy, populate, decrease and add_to_physmap,
 * single and in multicalls, by one to four vCPUs, which carry out what they
 * were told in any order, late, twice or never.
 */
#ifndef TESTS_ORDER_PLAY_H
#define TESTS_ORDER_PLAY_H

#include "confine.h"

/* One after the other: each step's results, the tables and what is visible are
 * compared with the model (order_model.h). Fails with the seed and the end of
 * the program. */
void order_play(struct confined *c, uint64_t seed, unsigned int steps);

/* All vCPUs at once, so that nobody knows in which order: between two rounds
 * nothing may be visible that is not granted or counted. */
void order_storm(struct confined *c, uint64_t seed, unsigned int rounds);

#endif
