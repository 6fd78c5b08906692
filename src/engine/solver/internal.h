/* engine/solver/internal.h - a vertex at work. */
#pragma once
#include <pthread.h>

#include "base/core/map.h"
#include "engine/solver/solver.h"

enum node_state { NODE_IDLE, NODE_LOOKING, NODE_WAITING, NODE_RUNNING, NODE_DONE };

struct node {
    const struct vertex *vertex;
    struct solve *solve;
    struct arena *arena; /* owned; of the key */
    /* Known once identified; written by one task, read by others after it ended. */
    struct op_key key;
    struct digest definition; /* definition key; DIGEST_NONE for a volatile source */
    struct digest content;    /* content key; DIGEST_NONE until the node is done */
    struct digest
        *input_content;      /* [n_inputs]: what is read of each, DIGEST_NONE where not asked yet */
    struct node *same;       /* an earlier node with the same definition key, which does the work */
    struct result **outputs; /* [n_outputs], owned */
    void *claim;             /* on making this; owned */
    bool is_started;         /* told so */
    /* Guarded by solve->lock. */
    enum node_state state;
    bool is_reported;                    /* to progress, as ended */
    size_t n_unidentified, n_unfinished; /* inputs that are waited for */
    vec(struct node *) dependents; /* who waits for this node to be done; once for each input */
};

struct solve {
    pthread_mutex_t lock;
    const struct graph *graph;
    const struct solve_options *options;
    struct node *nodes;         /* [graph->n_vertices], as graph->vertices */
    vec(struct node *) * users; /* [n_vertices]: whose inputs each node is */
    struct map by_definition;   /* digest text -> node */
    struct task_group *group;
    const struct vertex *failed;
};

/* The node that does the work of an edge's vertex; NULL for scratch. */
struct node *edge_node(struct solve *s, struct edge e);
const struct op_impl *node_impl(const struct node *n);

/* Finds key.  A volatile source is run here, since its content stands for its definition.
 * All inputs are identified. */
NODISCARD int node_identify(struct node *n, struct err *err);
/* Finds the content key; all inputs are done. */
NODISCARD int node_find_content(struct node *n, struct err *err);
/* Tells of the node; anything but START is its end. */
void node_tell(struct node *n, enum progress_kind kind, const char *text);
/* Waits until nobody else makes what the content key stands for; does nothing where there is no
 * cache to ask.  Fails: CANCELED, SYSTEM. */
NODISCARD int node_claim(struct node *n, struct err *err);
void node_release(struct node *n);
/* Runs the operation, with progress. */
NODISCARD int node_run(struct node *n, struct err *err);
/* Tells the log, at level debug, the key and what was read of input i. */
void node_log_key(const struct node *n);
void node_log_content(const struct node *n, size_t i);
/* The result of an input of `n` (borrowed; NULL: scratch); the input is done. */
struct result *node_input(const struct node *n, size_t i);
