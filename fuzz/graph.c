/* fuzz/graph.c - build graphs: whatever is read can be written, and what was written is read as the
 * same graph and written the same again; both texts can be made of it. */
#include <assert.h>

#include "base/core/limits.h"
#include "engine/graph/builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The definition of `g`, read again. */
static struct graph *reread(const struct graph *g, struct buf *definition)
{
    struct graph *again = NULL;
    struct err err = { 0 };
    int result = graph_marshal(g->results[0], definition, &err);
    assert(result == 0);
    result = graph_unmarshal(buf_span(definition), &again, &err);
    assert(result == 0);
    return again;
}

/* A builder that takes the graph over makes the same definition. */
static void take_over(const struct graph *g, const struct buf *definition)
{
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    AUTO(graph_free) struct graph *taken = NULL;
    AUTO_VALUE(buf_clear) struct buf bytes;
    struct err err = { 0 };
    struct edge result;
    buf_init(&bytes, (size_t)GIB);
    int failed = graph_add_graph(b, g, &result, &err) ||
                 graph_builder_finish(b, &result, 1, &taken, &err) ||
                 graph_marshal(taken->results[0], &bytes, &err);
    assert(!failed);
    assert(span_equal(buf_span(definition), buf_span(&bytes)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(graph_free) struct graph *g = NULL;
    struct err err = { 0 };
    if (size > MIB || graph_unmarshal(span_bytes(data, size), &g, &err) < 0)
        return 0;
    AUTO_VALUE(buf_clear) struct buf first;
    AUTO_VALUE(buf_clear) struct buf second;
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&first, (size_t)GIB);
    buf_init(&second, (size_t)GIB);
    buf_init(&text, (size_t)GIB);
    AUTO(graph_free) struct graph *again = reread(g, &first);
    AUTO(graph_free) struct graph *third = reread(again, &second);
    assert(again->n_vertices == g->n_vertices && third->n_vertices == g->n_vertices);
    assert(span_equal(buf_span(&first), buf_span(&second)));
    take_over(again, &first);
    graph_print(g, &text);
    graph_print_json(g, &text);
    return 0;
}
