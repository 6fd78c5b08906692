/* engine/remotecache/place.h - where a travelling cache lies: a repository of a registry, or a
 * folder that is an OCI image layout.
 *
 * Both hold the same: blobs by digest, and a manifest under a name (a tag).  Reading fetches
 * documents only; layers come later, through image_source_fetch() and the place's origin.
 *
 * Spec: distribution-spec; image-spec image-layout.md; BuildKit cache/remotecache/{registry,local}.
 * Threads: locked inside but for the manifest, which is written last and once. */
#pragma once
#include "engine/export/export.h"
#include "engine/remotecache/spec.h"

struct cache_place;
struct cache_place_ops {
    /* What the place's name points to, or, `want` not NULL, another document of it. */
    int (*read_manifest)(struct cache_place *p, const struct digest *want, struct buf *out,
                         struct err *err);
    int (*read_blob)(struct cache_place *p, const struct descriptor *d, struct buf *out,
                     struct err *err);
    /* A layer; `s` (NULL: the blob is in the store) knows where it comes from when it is not here.
     */
    int (*write_layer)(struct cache_place *p, const struct layer_ref *layer, struct snapshot *s,
                       struct err *err);
    int (*write_blob)(struct cache_place *p, struct span bytes, struct digest *out,
                      struct err *err);
    /* Under the place's name. */
    int (*write_manifest)(struct cache_place *p, const char *media_type, struct span bytes,
                          struct err *err);
    void (*close)(struct cache_place *p);
};
struct cache_place {
    const struct cache_place_ops *ops;
    const struct export_host *host; /* borrowed */
    char *origin;                   /* owned: what snapshots are made known with */
};

/* `spec` (of type registry or local) is borrowed; a folder to write to is made.  Fails: INVALID
 * (the reference), NOT_FOUND (a folder to read from). */
NODISCARD int cache_place_open(const struct export_host *h, const struct cache_spec *spec,
                               bool is_for_writing, struct cache_place **out, struct err *err);
void cache_place_close(struct cache_place *p);
DEFINE_AUTO(struct cache_place, cache_place_close)
