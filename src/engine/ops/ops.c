/* engine/ops/ops.c - the table. */
#include "engine/ops/ops.h"

#include <stdlib.h>

#include "base/core/mem.h"
#include "engine/ops/internal.h"

/* The first field of a message, when it is length-delimited and its tag one byte, as those of an
 * operation are; else all. */
static struct span first_field(struct span bytes)
{
    enum { TYPE = 7, LENGTH_DELIMITED = 2, LENGTH_BYTES = 5 };
    uint64_t len = 0;
    size_t at = 1;
    if ((bytes.ptr[0] & (TYPE | 0x80)) != LENGTH_DELIMITED)
        return bytes;
    for (unsigned shift = 0; at < bytes.len && at <= LENGTH_BYTES; shift += 7) {
        uint8_t byte = (uint8_t)bytes.ptr[at++];
        len |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            break;
    }
    return span_first(bytes, at + len);
}

/* Inputs are field 1 of the message. */
struct digest hash_without_inputs(const struct vertex *v)
{
    struct span bytes = v->encoded;
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA256);
    hasher_update_framed(h, span_of(op_type_name(v->type)));
    while (bytes.len > 0) {
        struct span field = first_field(bytes);
        if ((uint8_t)bytes.ptr[0] != (1 << 3 | 2))
            hasher_update_framed(h, field);
        bytes = span_skip(bytes, field.len);
    }
    return hasher_final(h);
}

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
