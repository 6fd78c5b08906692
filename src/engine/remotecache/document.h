/* engine/remotecache/document.h - a cache as it travels: records of what made what, and layers.
 *
 * The JSON of application/vnd.buildkit.cacheconfig.v0, which BuildKit reads and writes:
 *
 *     { "layers":  [ { "blob": DIGEST, "parent": LAYER } ],
 *       "records": [ { "layers": [ { "layer": LAYER, "createdAt": TIME } ],
 *                      "chains": [ { "layers": [ LAYER, ... ], "createdAt": TIME } ],
 *                      "digest": DIGEST,
 *                      "inputs": [ [ { "selector": DIGEST, "link": RECORD } ] ] } ] }
 *
 * LAYER and RECORD are places in the two arrays, counted from 0.  "parent" is the layer below; -1
 * none; a parent of 0 is left out.  A record of an output of an operation has the digest
 * record_digest(operation, output); a record of content that was read has record_digest(content,
 * -1) and no inputs.  inputs[i] lists what input i may be, each a record and, for one that stands
 * for a whole output, the part that is read of it.  Its results are file systems: layers from the
 * named one down to its last parent, or those of a chain, lowest first.
 *
 * Spec: BuildKit cache/remotecache/v1 (docs: doc.go).  Threads: values. */
#pragma once
#include <time.h>

#include "base/codec/digest.h"
#include "base/core/arena.h"
#include "base/core/buf.h"

#define MEDIA_CACHE_CONFIG "application/vnd.buildkit.cacheconfig.v0"

struct cache_layer {
    struct digest blob;
    int32_t parent; /* index of a layer; -1: none */
};

struct cache_link {
    struct digest selector; /* not set: none */
    uint32_t record;        /* index */
};

struct cache_links {
    struct cache_link *items;
    size_t n;
};

struct cache_result {
    int32_t layer;         /* index of the top; -1: `chain` */
    const uint32_t *chain; /* chain[0] is the lowest */
    size_t n_chain;
    struct timespec created;
};

struct cache_record {
    struct digest digest;
    struct cache_links *inputs; /* [n_inputs] */
    size_t n_inputs;
    struct cache_result *results; /* [n_results] */
    size_t n_results;
};

struct cache_document {
    struct arena *arena; /* owned; all of the below lives in it */
    struct cache_layer *layers;
    size_t n_layers;
    struct cache_record *records;
    size_t n_records;
};

/* SHA-256 of "DIGEST@OUTPUT". */
struct digest record_digest(const struct digest *d, int64_t output);

/* Unknown fields are passed over.  Fails: INVALID (no such document, an index out of range, layers
 * or records that lead back to themselves), LIMIT, UNSUPPORTED (digests of another algorithm). */
NODISCARD int cache_document_parse(struct span text, struct cache_document *out, struct err *err);
/* The records alone, an array, as images carry them; `n_layers` layers each on the one before are
 * theirs. */
NODISCARD int cache_document_parse_records(struct span text, const struct digest *layers,
                                           size_t n_layers, struct cache_document *out,
                                           struct err *err);
void cache_document_clear(struct cache_document *d);

/* Puts layers and records into the order in which they are printed, a function of what they say:
 * layers by blob, records by digest, number of inputs and links, then what is linked. */
void cache_document_sort(struct cache_document *d);
void cache_document_print(const struct cache_document *d, struct buf *out);
void cache_document_print_records(const struct cache_document *d, struct buf *out);

/* The layers of a result, lowest first; chain[0 .. *n-1], at most LIMIT_LAYERS.  False when there
 * are more. */
NODISCARD bool cache_result_layers(const struct cache_document *d, const struct cache_result *r,
                                   uint32_t *chain, size_t *n);
