/* engine/source/layout_source.h - OCI image layouts in folders, as where images come from.
 *
 * Only what is asked for is read, verified while it is copied into the store.  Paths inside of a
 * layout are made of digests, and no symlink is followed as the last part of one.
 *
 * Spec: image-spec image-layout.md.  Threads: no state. */
#pragma once
#include "image/oci/manifest.h"
#include "image/store/store.h"

/* What index.json calls `tag`; NULL: the only image that there is.  Fails: NOT_FOUND (folder, tag),
 * INVALID (no layout; several images and no tag). */
NODISCARD int layout_find(const char *path, const char *tag, struct descriptor *out,
                          struct err *err);
/* The errors of the next two do not name the folder: their callers do. */
/* A document of the layout: its bytes into `out` (born with a ceiling), verified. */
NODISCARD int layout_document(const char *path, const struct digest *d, struct buf *out,
                              struct err *err);
/* A blob of the layout into the store; there already is a success.  Fails: NOT_FOUND, CORRUPT. */
NODISCARD int layout_import(struct store *st, const char *path, const struct descriptor *blob,
                            struct err *err);
