/* engine/solver/trace.c - what keys are made of, for who asks why a cache missed
 * (--log-level debug). */
#include "base/core/limits.h"
#include "base/core/log.h"
#include "engine/solver/internal.h"

void node_log_key(const struct node *n)
{
    if (!log_is_on(LOG_DEBUG))
        return;
    const struct vertex *v = n->vertex;
    AUTO_VALUE(buf_clear) struct buf name = { 0 };
    buf_init(&name, LIMIT_GRAPH_BYTES);
    vertex_print_name(v, &name);
    log_event(LOG_DEBUG, "solver", "key vertex=%s digest=%s type=%s name=\"%.200s\"",
              digest_text(&v->digest).s, digest_text(&n->key.digest).s, op_type_name(v->type),
              name.data ? name.data : "");
    for (size_t i = 0; i < v->n_inputs; i++)
        log_event(LOG_DEBUG, "solver", "input vertex=%s n=%zu of=%s output=%u selector=%s",
                  digest_text(&v->digest).s, i, digest_text(&v->inputs[i].vertex->digest).s,
                  v->inputs[i].index,
                  n->key.inputs ? digest_text(&n->key.inputs[i].selector).s : "");
}

void node_log_content(const struct node *n, size_t i)
{
    log_event(LOG_DEBUG, "solver", "content vertex=%s n=%zu digest=%s",
              digest_text(&n->vertex->digest).s, i, digest_text(&n->input_content[i]).s);
}
