/* engine/remotecache/importer.h - what others made, as the solver asks for it.
 *
 * A hit is a lazy snapshot: its layers are known by digest, and come from the cache's place when
 * somebody looks inside.  Sources are never taken from a cache, whatever it says of them: they come
 * from their own place, where digests are verified, and what was found stays in this store as
 * theirs, for builds without this cache too.
 *
 * Spec: BuildKit solver/llbsolver/bridge.go (several caches are asked side by side).
 * Threads: locked inside. */
#pragma once
#include "engine/remotecache/imported.h"
#include "engine/remotecache/ledger.h"

struct importer;
/* Borrows all.  With no caches it only keeps the ledger. */
struct importer *importer_new(struct snapshots *s, const struct imported_caches *caches,
                              struct ledger *l);
void importer_free(struct importer *i);
DEFINE_AUTO(struct importer, importer_free)
const struct solver_import *importer_ops(struct importer *i);
size_t importer_n_hits(struct importer *i);

/* The result of one output as some cache has it; *is_there false: none has. */
NODISCARD int importer_find(struct importer *i, const struct vertex *v, uint32_t output,
                            struct snapshot **out, bool *is_there, struct err *err);

/* What is known of a vertex's input from the records that it was found to be: records of content,
 * or of sources, to which there is nothing else.  Each is called for once. */
void importer_each_leaf(struct importer *i, const struct vertex *v, size_t input,
                        void (*take)(void *arg, const struct digest *record,
                                     const struct digest *selector),
                        void *arg);
