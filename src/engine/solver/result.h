/* engine/solver/result.h - what an operation gives at one output.
 *
 * The solver hands results on and counts references; what is inside, the operations know
 * (engine/ops embeds `struct result` as the first field of its own).  Threads: the count is atomic.
 */
#pragma once
#include <stdatomic.h>

#include "base/core/own.h"

struct result {
    atomic_uint n_refs; /* born as 1 */
    void (*free)(struct result *r);
};
struct result *result_ref(struct result *r); /* NULL gives NULL: scratch */
void result_unref(struct result *r);
DEFINE_AUTO(struct result, result_unref)
