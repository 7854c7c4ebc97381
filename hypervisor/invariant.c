/*
 * The end of a process whose state is not what it must be. See invariant.h.
 */
#include "invariant.h"

#include <stdlib.h>

#include "domain.h"

void invariant_of_host_broken(struct rs_host *h, const char *condition,
                              const char *file, int line)
{
    host_log(h, RS_LOG_ERROR, "bug: %s does not hold (%s:%d)", condition, file,
             line);
    abort();
}

void invariant_of_domain_broken(const struct domain *d, const char *condition,
                                const char *file, int line)
{
    host_log(d->host, RS_LOG_ERROR,
             "bug: domain %u (%s): %s does not hold (%s:%d)", d->domid, d->name,
             condition, file, line);
    abort();
}
