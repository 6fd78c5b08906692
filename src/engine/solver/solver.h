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
 * Vertices with equal keys run once: those with equal definitions are one from the start, those
 * that turn out to read the same content, in this build or in another on the same store, wait for
 * the first and take what it made.  Ready vertices run side by side, as many as the pool has
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
    /* Of several parts, which is which.  BuildKit's content does not tell, so that it takes two
     * that change places for the same; this is in our own keys only. */
    struct digest order;
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

/* What is known of a vertex once it was solved. */
struct solver_record {
    const struct vertex *vertex;
    struct digest content;        /* content key */
    struct digest *input_content; /* [vertex->n_inputs]: what is read of each; not set where nobody
                                     had to look */
    struct result **outputs;      /* [vertex->n_outputs]; a NULL one is scratch */
};

/* What is remembered between builds. */
struct solver_cache {
    void *arg;
    /* Fills `r` (whose vertex is set) when *is_there: its outputs become references of the
     * caller's; of input_content only what is not set yet.  A record whose result cannot be had any
     * more counts as absent. */
    int (*find)(void *arg, const struct digest *key, struct solver_record *r, bool *is_there,
                struct err *err);
    /* Remembers it under keys[0 .. n_keys-1] (definition first). */
    int (*put)(void *arg, const struct digest *keys, size_t n_keys, const struct solver_record *r,
               struct err *err);
    /* Keeps everybody else, in this process and in others on the same store, from making what the
     * key stands for, until release().  Does not wait: *out is NULL when somebody else has it.
     * Both may be NULL. */
    int (*claim)(void *arg, const struct digest *key, void **out, struct err *err);
    void (*release)(void *arg, void *claim);
};

/* What a vertex is known by so far, for those who make keys in another way. */
struct vertex_keys {
    const struct vertex *vertex;
    const struct op_key *key;
    struct digest definition;           /* not set for a volatile source */
    const struct digest *input_content; /* [vertex->n_inputs]; not set where nobody looked (yet) */
};

/* Results that are kept elsewhere: caches that others wrote.  Called from several threads. */
struct solver_import {
    void *arg;
    /* Told each vertex when it is identified, its inputs before it, and again when more is known of
     * what it reads.  All is borrowed for the call but `key`, which lives as long as the solve. */
    void (*know)(void *arg, const struct vertex_keys *k);
    /* Asked where the cache knows nothing: before the inputs are wanted, and again, when what is
     * read of them is known, before the vertex runs.  *is_there: outputs[0 .. n_outputs-1] are set.
     * May be NULL. */
    int (*find)(void *arg, const struct vertex *v, struct result **outputs, bool *is_there,
                struct err *err);
};

/* How a vertex comes to its result. */
enum solve_how {
    SOLVE_BY_DEFINITION, /* remembered: nothing above it was looked at */
    SOLVE_BY_CONTENT,    /* remembered: what it reads is as it was */
    SOLVE_BY_IMPORT,     /* others have it */
    SOLVE_BY_ANOTHER,    /* another build, or another vertex of this, was making it */
    SOLVE_BY_RUNNING,
};

struct solve_options {
    const struct op_table *ops;
    const struct solver_cache *cache;   /* NULL: nothing is remembered */
    const struct solver_import *import; /* may be NULL */
    struct pool *pool;                  /* its threads bound how many vertices run at once */
    const struct progress *progress;    /* may be NULL */
    struct cancel *cancel; /* fired by the solver on the first failure, so that the rest stops */
    bool ignores_cache;    /* nothing is asked, all is remembered */
    bool is_cache_only;    /* whatever would have to run is an error: NOT_FOUND */
    /* Told each result as soon as it is there, cached or not; may be NULL.  From any thread. */
    void (*on_result)(void *arg, struct edge edge, struct result *r);
    void *on_result_arg;
    /* Told how a vertex is solved as soon as that is known: of one that runs, before it does, so
     * its outputs are not there yet.  May be NULL.  From any thread. */
    void (*on_found)(void *arg, const struct solver_record *r, enum solve_how how);
    void *on_found_arg;
};

/* Solves g->results; results[i] (NULL: scratch) are references of the caller's.
 * Fails with the first error, wrapped in the place in the source ("Dockerfile:12: ") and the
 * vertex's name; *failed (may be NULL) is the vertex. */
NODISCARD int solve(const struct graph *g, const struct solve_options *o, struct result **results,
                    const struct vertex **failed, struct err *err);
