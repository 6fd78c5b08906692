/* engine/remotecache/ledger.h - what a solve told: by what its vertices are known, and what they
 * gave.
 *
 * It serves both ways: records of others are matched against it while the solve runs, and records
 * for others are made of it afterwards.
 *
 * Threads: locked inside while the solve runs. */
#pragma once
#include <pthread.h>

#include "engine/solver/solver.h"

struct ledger_vertex {
    const struct vertex *vertex; /* of the graph */
    bool is_known;
    bool is_volatile;         /* its definition says nothing: it has no record */
    struct digest op;         /* BuildKit's CacheMap.Digest */
    struct digest definition; /* ours */
    struct digest *selectors; /* [n_inputs] */
    struct digest *contents;  /* [n_inputs]: what is read of each; not set: not known */
    bool *has_result;         /* [n_outputs] */
    struct result **results;  /* [n_outputs], references; NULL: scratch */
};
struct ledger {
    pthread_mutex_t lock;           /* guards vertices */
    const struct graph *graph;      /* borrowed */
    struct ledger_vertex *vertices; /* [graph->n_vertices], as graph->vertices */
    struct arena *arena;            /* owned: all of the above */
};
void ledger_init(struct ledger *l, const struct graph *g);
void ledger_clear(struct ledger *l);
/* Takes down what is known now; returns its place. */
struct ledger_vertex *ledger_know(struct ledger *l, const struct vertex_keys *k);
/* Fits solve_options.on_result. */
void ledger_take(void *ledger, struct edge edge, struct result *r);
