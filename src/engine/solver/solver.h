/* engine/solver/solver.h - runs a graph: each vertex once, and only when nothing remembers its
 * result.
 *
 * Every vertex gets two keys.  The definition key is made of the operation and, for each input, its
 * definition key and the part that is read of it; it is known before anything runs.  The content
 * key takes, where the operation can tell what it reads of an input, the digest of that content
 * instead; it is known once the inputs are there.  A result is asked from the cache by the first,
 * then by the second, and remembered under both.  What comes from a build context has no definition
 * key: there, content is used for both.
 *
 * So an unchanged build runs nothing, also when files were only touched; and a stage that gives the
 * same files as before does not disturb those that copy from it.
 *
 * Vertices with equal keys run once.  Ready vertices run side by side, as many as the pool has
 * threads.
 *
 * Spec: BuildKit docs/dev/solver.md.  Threads: a solve is called by one thread and works on the
 * pool. */
#pragma once
#include "base/core/arena.h"
#include "base/core/cancel.h"
#include "base/core/pool.h"
#include "engine/graph/graph.h"
#include "engine/solver/progress.h"
#include "engine/solver/result.h"

/* How an operation reads one of its inputs. */
struct op_key_input {
    bool by_content;        /* content() can tell what is read of it */
    struct digest selector; /* which part of the input is read; not set: all of it */
};

/* What an operation is, apart from its inputs.  Digest and selectors are those of BuildKit's
 * CacheMap, content() gives its slow keys, so that records may travel between the two. */
struct op_key {
    struct digest digest; /* everything that decides the result but the inputs' content; no names
                             for people */
    bool is_volatile;     /* a source whose definition says nothing of its content: local:// */
    bool is_free;         /* costs nothing to do again: neither asked of the cache nor remembered */
    const struct op_key_input *inputs; /* [v->n_inputs], in the arena; NULL: all of each, by
                                          definition */
};

struct op_run {
    const struct vertex *vertex;
    struct result *const *inputs; /* as vertex->inputs; NULL: scratch */
    struct result **outputs;      /* to fill: vertex->n_outputs; a NULL one is scratch */
    const struct progress *progress;
    const struct cancel *cancel;
};

/* One kind of operation.  All members are called from several threads at once. */
struct op_impl {
    void *arg;
    int (*key)(void *arg, const struct vertex *v, struct arena *a, struct op_key *out,
               const struct cancel *cancel, struct err *err);
    /* The digest of what `v` reads of input i, which came out as `r` (NULL: scratch).  With i ==
     * SIZE_MAX: of all that the source `v` itself gave as `r`. */
    int (*content)(void *arg, const struct vertex *v, size_t i, struct result *r,
                   struct digest *out, const struct cancel *cancel, struct err *err);
    int (*run)(void *arg, const struct op_run *run, struct err *err);
};
struct op_table {
    const struct op_impl *impls[OP_PASSTHROUGH + 1]; /* by enum op_type; NULL: UNSUPPORTED */
};

/* What is remembered between builds. */
struct solver_cache {
    void *arg;
    /* *is_there: outputs[0 .. n_outputs-1] are set (references of the caller's) and *content is the
     * content key of the vertex.  A record whose result cannot be had any more counts as absent. */
    int (*find)(void *arg, const struct digest *key, struct result **outputs, size_t n_outputs,
                struct digest *content, bool *is_there, struct err *err);
    /* Remembers the outputs under keys[0 .. n_keys-1] (definition first). */
    int (*put)(void *arg, const struct digest *keys, size_t n_keys, const struct digest *content,
               struct result *const *outputs, size_t n_outputs, const struct vertex *v,
               struct err *err);
};

struct solve_options {
    const struct op_table *ops;
    const struct solver_cache *cache; /* NULL: nothing is remembered */
    struct pool *pool;                /* its threads bound how many vertices run at once */
    const struct progress *progress;  /* may be NULL */
    struct cancel *cancel; /* fired by the solver on the first failure, so that the rest stops */
    bool ignores_cache;    /* nothing is asked, all is remembered */
    /* Told each result as soon as it is there, cached or not; may be NULL.  From any thread. */
    void (*on_result)(void *arg, struct edge edge, struct result *r);
    void *on_result_arg;
};

/* Solves g->results; results[i] (NULL: scratch) are references of the caller's.
 * Fails with the first error, wrapped in the place in the source ("Dockerfile:12: ") and the
 * vertex's name; *failed (may be NULL) is the vertex. */
NODISCARD int solve(const struct graph *g, const struct solve_options *o, struct result **results,
                    const struct vertex **failed, struct err *err);
