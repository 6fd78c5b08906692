/* engine/remotecache/match.h - which records of others a vertex is.
 *
 * A record is an output of a vertex when its digest is that of the operation and output, and each
 * of its inputs may be what the vertex reads: a record that the input is itself, by the same part
 * of it, or the record of the content that is read there.  Vertices come inputs first, so each is
 * matched by looking at what its inputs matched.
 *
 * Spec: BuildKit solver/edge.go, solver/cachemanager.go.  Threads: a match belongs to one at a
 * time. */
#pragma once
#include "engine/remotecache/imported.h"
#include "engine/remotecache/ledger.h"

struct cache_match;
/* Borrows both. */
struct cache_match *cache_match_new(const struct imported_cache *c, const struct graph *g);
void cache_match_free(struct cache_match *m);
/* Matches a vertex, again when more is known of it; its inputs were matched before. */
void cache_match_vertex(struct cache_match *m, const struct ledger_vertex *v);
/* The records that an output is, as indexes. */
const uint32_t *cache_match_records(const struct cache_match *m, const struct vertex *v,
                                    uint32_t output, size_t *n);
/* Its youngest result that can be had; NULL: none. */
const struct cache_result *cache_match_result(const struct cache_match *m, const struct vertex *v,
                                              uint32_t output);
