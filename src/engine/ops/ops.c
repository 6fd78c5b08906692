/* engine/ops/ops.c - the table. */
#include "engine/ops/ops.h"

#include <stdlib.h>

#include "base/core/mem.h"
#include "engine/ops/internal.h"

/* The operation's bytes without its inputs (field 1 of the message): all that decides the result
 * but what is read. */
struct digest hash_without_inputs(const struct vertex *v)
{
    struct span bytes = v->encoded;
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA256);
    hasher_update_framed(h, span_of(op_type_name(v->type)));
    while (bytes.len > 0) {
        /* The graph checked the encoding: every field here is length-delimited, tags are one byte.
         */
        size_t at = 1;
        uint64_t len = 0;
        for (unsigned shift = 0; at < bytes.len; shift += 7) {
            uint8_t byte = (uint8_t)bytes.ptr[at++];
            len |= (uint64_t)(byte & 0x7f) << shift;
            if (!(byte & 0x80))
                break;
        }
        struct span field = span_first(bytes, at + len);
        if ((uint8_t)bytes.ptr[0] != (1 << 3 | 2))
            hasher_update_framed(h, field);
        bytes = span_skip(bytes, at + len);
    }
    return hasher_final(h);
}

struct ops *ops_new(const struct ops_options *o)
{
    struct ops *ops = xcalloc(1, sizeof *ops);
    ops->o = *o;
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

void ops_free(struct ops *ops)
{
    free(ops);
}

const struct op_table *ops_table(struct ops *ops)
{
    return &ops->table;
}
