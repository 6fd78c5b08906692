/* engine/remotecache/imported.h - a cache that others wrote: its records, and what is known of its
 * layers, none of which is fetched.
 *
 * Three forms are read: a manifest whose config is the document, an index with the document among
 * its entries, and an image that carries records of its own layers in its config (then one cache
 * for each platform).  A layer without its diffID, or that the manifest does not list, cannot be
 * had: results that need it are no results.
 *
 * Spec: BuildKit cache/remotecache/import.go.  Threads: values. */
#pragma once
#include "engine/remotecache/document.h"
#include "engine/remotecache/place.h"
#include "image/oci/layer.h"

/* A layer of the document. */
struct imported_layer {
    const struct layer_ref *ref; /* NULL: cannot be had */
    int64_t created_s;           /* 0: not known */
};

/* The content of a cache mount; see mounts.h. */
struct imported_mount {
    char *id;
    struct layer_ref layer;
};

struct imported_cache {
    struct cache_document document;
    struct imported_layer *layers; /* owned; [document.n_layers] */
    vec(struct imported_mount) mounts;
    vec(struct layer_ref) refs; /* what the manifest lists */
    vec(int64_t) created;       /* of each */
    char *origin;               /* owned; the place's */
};
void imported_cache_free(struct imported_cache *c);
DEFINE_AUTO(struct imported_cache, imported_cache_free)

struct imported_caches {
    struct imported_cache **items; /* owned */
    size_t n, cap;
};
void imported_caches_clear(struct imported_caches *l);

/* Appends what the place has.  Fails: NOT_FOUND, DENIED, NETWORK, ... of the place; INVALID,
 * CORRUPT, LIMIT for what is no cache. */
NODISCARD int imported_caches_read(struct cache_place *p, struct imported_caches *out,
                                   struct err *err);
/* The layers of a result, lowest first. */
struct layer_chain {
    struct layer_ref *items; /* owned */
    int64_t *created_s;      /* owned; 0: not known */
    size_t n;
};
void layer_chain_clear(struct layer_chain *l);
bool imported_cache_has(const struct imported_cache *c, const struct cache_result *r);
/* Of one that it has: *out is the caller's. */
void imported_cache_chain(const struct imported_cache *c, const struct cache_result *r,
                          struct layer_chain *out);
