/* engine/solver/result.c - see result.h. */
#include "engine/solver/result.h"

#include <stddef.h>

struct result *result_ref(struct result *r)
{
    if (r)
        atomic_fetch_add_explicit(&r->n_refs, 1, memory_order_relaxed);
    return r;
}

void result_unref(struct result *r)
{
    if (r && atomic_fetch_sub_explicit(&r->n_refs, 1, memory_order_acq_rel) == 1)
        r->free(r);
}
