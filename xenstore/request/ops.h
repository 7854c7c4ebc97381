/*
 * What requests do to nodes: permissions, quotas, the notes of a transaction,
 * and events, around the bare operations of tree.h.
 *
 * All work on the request's version of the tree and on the path in s->path.
 */
#ifndef XS_OPS_H
#define XS_OPS_H

#include "request/request.h"
#include "tree/tree.h"

/*
 * The node at the path if the connection has all of `rights` on it.
 * -EACCES, or, if it is missing, -ENOENT to those who have any of the rights
 * on its nearest ancestor. `note` says what a transaction notes (TXN_...).
 */
int op_node(struct request *rq, unsigned int rights, unsigned int note,
            struct node **out);

/* Writes a node, or creates it with its missing parents. */
int op_write(struct request *rq, const void *value, size_t len);
/* Creates a missing node; an existing one stays as it is. */
int op_mkdir(struct request *rq);
int op_rm(struct request *rq);
int op_set_perms(struct request *rq, struct perms *perms);

#endif
