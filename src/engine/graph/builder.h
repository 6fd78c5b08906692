/* engine/graph/builder.h - how front ends make a graph.
 *
 *     AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
 *     const struct source_file *f = graph_add_source_file(b, "Dockerfile", "Dockerfile", text);
 *     struct edge base, root;
 *     if (graph_add_source(b, &image, &about, &base, err) ||
 *         graph_add_exec(b, &run, &about, &root, err))
 *         return -1;
 *     return graph_builder_finish(b, &root, 1, out, err);
 *
 * Every graph_add_* copies what it is given, computes the indexes of inputs and outputs as
 * BuildKit's client does (so that digests are equal to BuildKit's for equal arguments) and returns
 * an edge.  Work that was added before, with the same digest, is returned as the same vertex; what
 * `about` says is then merged.  Edges belong to the builder that made them, and live on in the
 * finished graph.
 *
 * Threads: a builder belongs to one thread. */
#pragma once
#include "engine/graph/graph.h"

struct graph_builder;
struct graph_builder *graph_builder_new(void);
void graph_builder_free(struct graph_builder *b);
DEFINE_AUTO(struct graph_builder, graph_builder_free)

/* What is said about a vertex.  All may be zero; NULL stands for all zero. */
struct vertex_about {
    const struct platform *platform; /* used by OP_EXEC and image sources, where it is required */
    struct strings constraints;      /* part of the identity */
    const char *name;                /* description "llb.customname"; NULL: none */
    struct pairs description;        /* more of it */
    bool ignores_cache;
    enum export_cache export_cache;
    struct strings caps;
    struct progress_group group;
    const struct source_range *ranges;
    size_t n_ranges;
};

/* Keeps the text that vertices are made from, so that `about.ranges` can point into it. */
const struct source_file *graph_add_source_file(struct graph_builder *b, const char *name,
                                                const char *language, struct span data);

/* All of these fail with INVALID (a text that is not UTF-8, a step without arguments, ...) or LIMIT
 * (too many vertices, too many bytes). */

NODISCARD int graph_add_source(struct graph_builder *b, const struct op_source *op,
                               const struct vertex_about *about, struct edge *out, struct err *err);

/* Mounts may come in any order: they are sorted by `dest`, secrets and sockets last in the order
 * given. *out is the root file system afterwards, or, where that is read-only or its output is
 * dropped, output 0. */
NODISCARD int graph_add_exec(struct graph_builder *b, const struct op_exec *op,
                             const struct vertex_about *about, struct edge *out, struct err *err);
/* The output of the mount at `dest`; false when it has none. */
bool vertex_mount_output(const struct vertex *v, const char *dest, struct edge *out);

/* Applies actions[0], actions[1], ... to `base`, each to the result of the one before. */
NODISCARD int graph_add_file(struct graph_builder *b, struct edge base,
                             const struct op_action *actions, size_t n,
                             const struct vertex_about *about, struct edge *out, struct err *err);

/* Scratch edges are left out; of one edge the result is that edge itself, of none scratch. */
NODISCARD int graph_add_merge(struct graph_builder *b, const struct edge *inputs, size_t n,
                              const struct vertex_about *about, struct edge *out, struct err *err);
/* What `upper` has more than scratch is `upper` itself; scratch as `upper` removes all of `lower`.
 */
NODISCARD int graph_add_diff(struct graph_builder *b, struct edge lower, struct edge upper,
                             const struct vertex_about *about, struct edge *out, struct err *err);

/* Takes over all vertices of another graph (which may be freed then); *out: its first result. */
NODISCARD int graph_add_graph(struct graph_builder *b, const struct graph *g, struct edge *out,
                              struct err *err);

/* Makes the graph of what these results need; n >= 1.  The builder is empty afterwards: free it. */
NODISCARD int graph_builder_finish(struct graph_builder *b, const struct edge *results, size_t n,
                                   struct graph **out, struct err *err);
