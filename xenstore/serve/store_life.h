/* Making a store and freeing it with everything that it holds. */
#ifndef XS_STORE_LIFE_H
#define XS_STORE_LIFE_H

struct hv_ops;
struct store;

/*
 * A new store with /tool, /local, /local/domain and /vm; NULL: no memory. `hv`
 * answers questions about domains; it stays the caller's.
 */
struct store *store_new(const struct hv_ops *hv, void *hv_ctx);
void store_free(struct store *s);

#endif
