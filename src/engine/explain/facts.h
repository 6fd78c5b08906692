/* engine/explain/facts.h - what decides the result of a vertex, as pairs of texts that can be kept
 * and compared. */
#pragma once
#include "base/core/buf.h"
#include "base/core/map.h"
#include "engine/graph/graph.h"

/* What a fact is about: the first byte of its name. */
enum fact_kind {
    FACT_SOURCE = 'b',   /* a base image, a repository: its digest */
    FACT_STEP = 'i',     /* what an earlier step made; name: which input; value: its content */
    FACT_TEXT = 'c',     /* a command, an instruction, a user: what it is; value: as written */
    FACT_VARIABLE = 'v', /* value: a digest */
    FACT_FILE = 'f',     /* name: path; value: a digest */
};
/* A `struct map` of strings in the order in which they are to be compared. */
void facts_of_vertex(const struct vertex *v, struct map *out);
void facts_of_source(const struct vertex *v, struct map *out);
void facts_add(struct map *facts, enum fact_kind kind, const char *name, const char *value);
/* As bytes and back; compressed.  Fails: LIMIT; CORRUPT. */
NODISCARD int facts_write(const struct map *facts, struct buf *out, struct err *err);
NODISCARD int facts_read(struct span bytes, struct map *out, struct err *err);
/* The first difference, in words: "file a.c changed", "variable V is new, and 2 more"; NULL when
 * all is equal.  `v` knows the names of its inputs' steps.  Owned by the caller. */
char *facts_difference(const struct map *now, const struct map *before, const struct vertex *v);
