/*
 * The host's carrier: the inlines of hypercall.h do their hypercalls over a
 * connection of libringside-client.
 *
 * They name no connection, as a guest has one hypercall page: a process uses
 * one, which it says once. Before that every call answers -ENOTCONN.
 */
#ifndef RINGSIDE_HOST_CARRIER_H
#define RINGSIDE_HOST_CARRIER_H

#include <stddef.h>

struct rs_client;

/* NULL: none, before it is disconnected. */
void hypercall_carry_over(struct rs_client *client);

/* See rs_client_hypercall(). */
long hypercall_op(unsigned int nr, unsigned int cmd, void *arg, size_t size);
long hypercall_op_n(unsigned int nr, unsigned int cmd, void *arg, size_t size,
                    unsigned int n);

#endif
