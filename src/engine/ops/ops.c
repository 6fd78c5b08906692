/* engine/ops/ops.c - the table. */
#include "engine/ops/ops.h"

#include <stdlib.h>

#include "base/core/mem.h"
#include "engine/ops/internal.h"

struct ops *ops_new(const struct ops_options *o)
{
    struct ops *ops = xcalloc(1, sizeof *ops);
    ops->o = *o;
    ops->agents = ssh_agents_new(o->ssh, o->n_ssh);
    ops->answers.free_value = free;
    pthread_mutex_init(&ops->lock, NULL);
    source_impl_init(&ops->source, ops);
    exec_impl_init(&ops->exec, ops);
    file_impl_init(&ops->file, ops);
    merge_impl_init(&ops->merge, ops);
    diff_impl_init(&ops->diff, ops);
    ops->table.impls[OP_SOURCE] = &ops->source;
    ops->table.impls[OP_EXEC] = &ops->exec;
    ops->table.impls[OP_FILE] = &ops->file;
    ops->table.impls[OP_MERGE] = &ops->merge;
    ops->table.impls[OP_DIFF] = &ops->diff;
    return ops;
}

void ops_expect_steps(struct ops *ops)
{
    if (ops->o.sandbox && atomic_load(&ops->has_steps) &&
        !atomic_exchange(&ops->has_expected, true))
        sandbox_expect(ops->o.sandbox);
}

unsigned ops_not_applied(const struct ops *ops)
{
    return atomic_load(&ops->not_applied);
}

void ops_free(struct ops *ops)
{
    if (!ops)
        return;
    ssh_agents_free(ops->agents);
    map_clear(&ops->answers);
    pthread_mutex_destroy(&ops->lock);
    free(ops);
}

const struct op_table *ops_table(struct ops *ops)
{
    return &ops->table;
}
