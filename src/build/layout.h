/* build/layout.h - an OCI image layout in a folder, as where an image comes from or goes to.
 *
 * Documents are not changed, so digests stay.  Spec: image-spec image-layout.md.
 * Threads: no state. */
#pragma once
#include "base/core/cancel.h"
#include "image/oci/manifest.h"
#include "image/store/store.h"

/* Brings what index.json calls `tag` (NULL: the only one there is) into the store, verified; no
 * name is set.  `platform` (NULL: all) chooses from an index.  Fails: NOT_FOUND (folder, tag,
 * blob), INVALID, CORRUPT. */
NODISCARD int layout_read(struct store *st, const char *path, const char *tag,
                          const struct platform *platform, const struct cancel *cancel,
                          struct descriptor *out, struct err *err);
/* Adds an image of the store, under `tag` (NULL: none) in place of one called so.  The folder is
 * made when absent. */
NODISCARD int layout_write(struct store *st, const struct descriptor *target, const char *path,
                           const char *tag, const struct cancel *cancel, struct err *err);
