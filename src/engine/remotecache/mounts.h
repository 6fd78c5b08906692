/* engine/remotecache/mounts.h - the contents of cache mounts, in a cache that travels.
 *
 * Each is one more layer of the manifest, which no record names, so that BuildKit passes it by; its
 * annotation NOTE_MOUNT is the mount's id.  The tar holds the folder as it is; whiteouts have no
 * meaning in it.  A folder that somebody else changes meanwhile is left out.
 *
 * Threads: no state. */
#pragma once
#include "engine/ops/ops.h"
#include "engine/remotecache/imported.h"

#define NOTE_MOUNT "dev.kiln.cache-mount.id"

/* The folder of the id as a blob in the store; *why (a literal) says why there is none, else NULL.
 */
NODISCARD int cache_mount_pack(const struct export_host *h, const struct id_map *ids,
                               const char *id, const struct cache_spec *spec, struct layer_ref *out,
                               const char **why, struct err *err);

/* What one of several caches has, for engine/ops.  All is borrowed. */
struct cache_mount_restorer {
    const struct export_host *host;
    struct image_source *images;
    const struct id_map *ids;
    const struct imported_caches *caches;
    void (*failed)(void *arg, const char *text); /* told of what could not be had */
    void *failed_arg;
    struct cache_mount_source source; /* set by cache_mount_restorer_init() */
};
void cache_mount_restorer_init(struct cache_mount_restorer *r);
