/* engine/explain/explain.h - why a step ran: the first input that differs from the nearest earlier
 * build.
 *
 * Of every step that runs, the facts that decide its result are written down in kiln.db: command,
 * variables, digests of base images and of files.  When it runs again, they are held against those
 * of the same instruction at the same place, else of the instruction that stood there, else of the
 * same instruction anywhere (as written, before arguments are expanded).  Values of variables are
 * kept as digests, since some are secret.
 *
 * Threads: locked inside. */
#pragma once
#include "base/core/vec.h"
#include "engine/solver/solver.h"
#include "image/store/store.h"

struct explanation {
    char *step;      /* "[2/3] RUN make" */
    int line;        /* of the Dockerfile; 0: none */
    bool is_reached; /* false: the build failed before */
    enum solve_how how;
    char *why; /* of one that runs: "file src/main.c changed"; NULL otherwise */
};
struct explanations {
    struct explanation *items; /* in the order of the graph */
    size_t n, cap;
};
void explanations_clear(struct explanations *l);

struct explain;
/* `place` tells what is built from other things: context and Dockerfile.  Both are borrowed. */
struct explain *explain_new(struct store *st, const char *place);
void explain_free(struct explain *e);
DEFINE_AUTO(struct explain, explain_free)
/* Fits solve_options.on_found. */
void explain_found(void *explain, const struct solver_record *r, enum solve_how how);
/* The vertex has its result. */
void explain_done(void *explain, const struct vertex *v);
/* A file that the vertex reads of its input, told before explain_found(). */
void explain_read(void *explain, const struct vertex *v, size_t input, const char *path,
                  const struct digest *d);
/* After the build, whatever became of it: writes the facts down, and says of each step of `g` how
 * it was solved; those that nobody wanted were found by definition.  `out` may be NULL. */
NODISCARD int explain_finish(struct explain *e, const struct graph *g, struct explanations *out,
                             struct err *err);
