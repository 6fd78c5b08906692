/* engine/source/image_source.h - base images: from a reference to config and layers, nothing more.
 *
 * What was resolved once stays resolved for the life of the source, so that one build sees one
 * image however often it is named.  Layers are not fetched here: image_source_fetch() is what
 * engine/snapshot calls when somebody looks inside.
 *
 * Threads: locked inside; equal requests at the same time are made once. */
#pragma once
#include "base/core/cancel.h"
#include "image/oci/config.h"
#include "image/oci/layer.h"
#include "image/oci/manifest.h"
#include "image/oci/reference.h"
#include "image/registry/remote.h"

enum resolve_mode {
    RESOLVE_DEFAULT, /* what the store calls so, else the registry: as docker does */
    RESOLVE_PULL,    /* the registry, always (--pull) */
    RESOLVE_LOCAL,   /* the store alone */
};

struct image {
    struct reference reference; /* empty for one of a layout */
    struct descriptor target;   /* what the reference points to: an index or a manifest */
    struct descriptor manifest; /* for the platform */
    struct image_config config;
    struct digest config_digest;
    struct {
        struct layer_ref *items; /* items[0] is the base */
        size_t n, cap;
    } layers;
    char *origin; /* "registry/repository" or "oci-layout:PATH", for snapshot_of_layers() */
};

struct image_source;
/* Borrows both. */
struct image_source *image_source_new(struct remote *r, struct store *st);
void image_source_free(struct image_source *s);
DEFINE_AUTO(struct image_source, image_source_free)

/* *out is borrowed from the source.  A reference with a digest that is in the store asks no
 * registry. Fails: as remote_manifest(); NOT_FOUND when no entry of an index fits the platform. */
NODISCARD int image_source_get(struct image_source *s, const struct reference *ref,
                               const struct platform *p, enum resolve_mode mode,
                               const struct cancel *cancel, const struct image **out,
                               struct err *err);
/* The same of an OCI layout in a folder: the image or index `d`.  Layers are read from there when
 * somebody looks inside.  Fails: NOT_FOUND, CORRUPT, INVALID. */
NODISCARD int image_source_get_layout(struct image_source *s, const char *path,
                                      const struct digest *d, const struct platform *p,
                                      const struct cancel *cancel, const struct image **out,
                                      struct err *err);
/* Brings a layer into the store; fits snapshots_options.fetch.  `origin` is "registry/repository",
 * or IMAGE_ORIGIN_LAYOUT and the absolute path of a folder with blobs/sha256/HEX in it. */
#define IMAGE_ORIGIN_LAYOUT "oci-layout:"
NODISCARD int image_source_fetch(void *source, const char *origin, const struct descriptor *blob,
                                 const struct cancel *cancel, struct err *err);
