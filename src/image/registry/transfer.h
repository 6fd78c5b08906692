/* image/registry/transfer.h - whole images between registries and the store.
 *
 * Blobs move in parallel on the pool, at most four at a time per registry, each once however often
 * it is named. Threads: no state of their own. */
#pragma once
#include "base/core/pool.h"
#include "image/oci/platform.h"
#include "image/registry/remote.h"

struct pull_options {
    const struct platform
        *platform; /* chosen from an index; NULL: the whole index with all its images */
    bool is_lazy;  /* manifests and configs only; layers come when somebody needs them */
    struct pool *pool;
    const struct cancel *cancel;
};
/* Brings an image into the store and keeps its manifests there (no name is set).  *out: what the
 * reference points to, *image: the manifest for the platform (equal to *out where there is no
 * index; may be NULL). */
NODISCARD int image_pull(struct remote *r, const struct reference *ref, struct store *st,
                         const struct pull_options *o, struct descriptor *out,
                         struct descriptor *image, struct err *err);

struct push_options {
    const struct map
        *mount_from; /* blob digest text -> repository of the same registry; may be NULL */
    struct pool *pool;
    const struct cancel *cancel;
};
/* Sends a manifest or index of the store, with all that it needs, to the reference's repository;
 * under its tag when it has one, else by digest. */
NODISCARD int image_push(struct remote *r, const struct reference *ref, struct store *st,
                         const struct descriptor *target, const struct push_options *o,
                         struct err *err);
