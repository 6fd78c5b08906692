/* engine/graph/graph.h - the build graph as data: BuildKit's LLB.
 *
 * A vertex is one operation with its inputs.  It is named by the SHA-256 of its protobuf bytes,
 * which hold the digests of its inputs; so equal work has equal names in every graph, on every
 * machine and in BuildKit itself, and a graph cannot have a cycle.  What does not belong to the
 * identity (names for people, --no-cache, lines of the Dockerfile) hangs beside the bytes.
 *
 * Graphs are made by front ends with engine/graph/builder.h, or read from LLB.  A graph owns all
 * that its vertices point to, and never changes: any number of threads may read it.
 *
 * Spec: BuildKit solver/pb/ops.proto; the wire format is described in ops.proto beside this file.
 */
#pragma once
#include "base/codec/digest.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "engine/graph/op.h"
#include "image/oci/platform.h"

/* A text that vertices were made from. */
struct source_file {
    const char *name;     /* "Dockerfile" */
    const char *language; /* "Dockerfile", or "" */
    struct span data;
};

/* Lines of it; the first line is 1, characters count from 0, as BuildKit does. */
struct source_range {
    const struct source_file *file;
    int32_t start_line, start_character, end_line, end_character;
};

/* Vertices shown as one by a progress display. */
struct progress_group {
    bool is_set;
    const char *id, *name;
    bool is_weak;
};

enum export_cache { EXPORT_CACHE_DEFAULT, EXPORT_CACHE_YES, EXPORT_CACHE_NO };

struct vertex {
    struct digest digest; /* SHA-256 of `encoded` */
    struct span encoded;  /* the operation's protobuf bytes */
    size_t position;      /* in graph->vertices */
    enum op_type type;
    union {
        struct op_source source;
        struct op_exec exec;
        struct op_file file;
        struct op_merge merge;
        struct op_diff diff;
        struct op_build build;
    };
    const struct edge *inputs; /* no edge of these is scratch */
    size_t n_inputs;
    uint32_t n_outputs;
    struct platform platform;   /* is_set false where it does not matter */
    struct strings constraints; /* filters on workers */
    /* not part of the identity */
    struct pairs description; /* "llb.customname", ... */
    bool ignores_cache;
    enum export_cache export_cache;
    struct strings caps; /* capabilities that a reader must have, sorted */
    struct progress_group group;
    const struct source_range *ranges; /* in the order in which they came */
    size_t n_ranges;
};

struct graph {
    const struct vertex *const *vertices; /* inputs before those that use them; all are reachable */
    size_t n_vertices;
    const struct edge *results; /* at least one; a result may be scratch */
    size_t n_results;
    const struct source_file *const *files;
    size_t n_files;
    struct arena *arena; /* owned; all of the above lives in it */
};

void graph_free(struct graph *g);
DEFINE_AUTO(struct graph, graph_free)
const struct vertex *graph_find(const struct graph *g,
                                const struct digest *d); /* NULL when absent */

/* The name for people: "llb.customname" where there is one, else what the operation says of itself:
 * "docker-image://docker.io/library/alpine:latest", "copy /src /dst", the command. */
void vertex_print_name(const struct vertex *v, struct buf *out);

/* Appends the pb.Definition of one result: its operations, the terminal one last, metadata,
 * sources. A function of the graph alone.  Scratch gives the empty definition. Fails: LIMIT above
 * the ceiling of `out`. */
NODISCARD int graph_marshal(struct edge result, struct buf *out, struct err *err);

/* Reads a pb.Definition; the graph has one result.  Borrows nothing of `bytes`.  Operations may
 * come in any order; those that the result does not need are dropped; fields unknown here stay in
 * `encoded`. Fails: INVALID (not protobuf, no terminal operation, an input that is not there, an
 * index out of range, a text with NUL or not UTF-8), LIMIT (LIMIT_GRAPH_VERTICES,
 * LIMIT_GRAPH_BYTES, memory), UNSUPPORTED (an operation of a kind not known here). */
NODISCARD int graph_unmarshal(struct span bytes, struct graph **out, struct err *err);

/* For people and tests.  One line per vertex, in order, numbered:
 *     #2 exec sha256:0123456789ab [linux/amd64] inputs #0:0 #1:0  Dockerfile:3  RUN make */
void graph_print(const struct graph *g, struct buf *out);
/* The same in full: an array with one object per vertex, all fields. */
void graph_print_json(const struct graph *g, struct buf *out);
