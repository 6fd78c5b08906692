/* engine/remotecache/collect.h - from what solves told to records for others.
 *
 * Every vertex that is known by more than a build context becomes a record for each output, whether
 * it ran, was found, or was never wanted because something above it was found: then its result is
 * looked up by its key, here or in the caches that were imported, and nothing runs.  Records that
 * may be each other are one.
 *
 * Threads: one. */
#pragma once
#include "engine/remotecache/importer.h"

/* One platform's part of a build. */
struct cache_part {
    struct ledger *ledger;
    struct importer *importer;
    struct snapshot *result; /* borrowed; NULL: scratch */
};

/* A layer of the document. */
struct collected_layer {
    struct snapshot *snapshot; /* a reference */
    struct layer_ref sealed;   /* filled before the document is made */
    int32_t place;             /* in the document; -1: not yet */
};

struct collector;
/* Borrows both; `cache` may be NULL. */
struct collector *collector_new(const struct export_host *h, const struct solver_cache *cache);
void collector_free(struct collector *c);
DEFINE_AUTO(struct collector, collector_free)
/* Adds a part.  is_max: results of all vertices, else those that are layers of its result. */
NODISCARD int collector_add(struct collector *c, const struct cache_part *part, bool is_max,
                            struct err *err);
/* The layers of all results; to be sealed by the caller. */
struct collected_layer **collector_layers(struct collector *c, size_t *n);
/* The document, in its settled order; cache_document_clear() it.  layers[i] of it is *layers[i]
 * (owned array, borrowed items). */
void collector_document(struct collector *c, struct cache_document *out,
                        struct collected_layer ***layers);
/* The layer that is on top of a snapshot's chain; NULL when it is in no result. */
struct collected_layer *collector_layer_of(struct collector *c, const struct snapshot *s);
