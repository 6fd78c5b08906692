/* engine/remotecache/exporter.h - a build's cache for others.
 *
 * Layers are sealed as the spec says, sent four at a time, then the document, and last the
 * manifest, so that nobody sees half a cache.
 *
 * Spec: BuildKit cache/remotecache/export.go, inline/inline.go.  Threads: no state. */
#pragma once
#include "engine/remotecache/collect.h"

/* What is exported. */
struct cache_export {
    const struct export_host *host;
    const struct solver_cache *cache; /* of the store */
    const struct cache_part *parts;   /* one for each platform */
    size_t n_parts;
    const struct id_map *ids;         /* of the namespace that we are in, for cache mounts */
    const struct str_list *mount_ids; /* that the graphs have */
};

/* To the place of a spec (registry, local).  Without any result nothing is written.  Fails: what
 * the place and the disk may. */
NODISCARD int cache_export(const struct cache_export *e, const struct cache_spec *spec,
                           struct err *err);
/* The records of one part in terms of its result's layers (0 is the base's), as base64, for the
 * config of its image; nothing when no layer was made by a step. */
NODISCARD int cache_export_inline(const struct cache_export *e, const struct cache_part *part,
                                  struct buf *out, struct err *err);
