/* engine/ops/ops.c - the table. */
#include "engine/ops/ops.h"

#include <stdlib.h>

#include "base/core/mem.h"
#include "engine/ops/internal.h"

struct ops *ops_new(const struct ops_options *o)
{
    struct ops *ops = xcalloc(1, sizeof *ops);
    ops->o = *o;
    source_impl_init(&ops->source, ops);
    exec_impl_init(&ops->exec, ops);
    file_impl_init(&ops->file, ops);
    ops->table.impls[OP_SOURCE] = &ops->source;
    ops->table.impls[OP_EXEC] = &ops->exec;
    ops->table.impls[OP_FILE] = &ops->file;
    return ops;
}

void ops_free(struct ops *ops)
{
    free(ops);
}

const struct op_table *ops_table(struct ops *ops)
{
    return &ops->table;
}
