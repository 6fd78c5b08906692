/* image/store/blob.h - content by digest.
 *
 * Reading verifies sizes always and digests where the caller asks (reader_verified()): blobs were
 * verified when they came in.  Threads: no state. */
#pragma once
#include "base/codec/digest.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/stream.h"
#include "image/oci/manifest.h"
#include "image/store/store.h"

/* Whether the blob is here and how large; counts as a use.  Absent: *is_there false. */
NODISCARD int blob_find(struct store *st, const struct digest *d, bool *is_there, uint64_t *size,
                        struct err *err);
/* Opens it for reading.  Fails: NOT_FOUND; CORRUPT when the file is not as long as was recorded (it
 * is forgotten then, so that it can be fetched again). */
NODISCARD int blob_open(struct store *st, const struct digest *d, int *fd, uint64_t *size,
                        struct err *err);
NODISCARD int blob_reader(struct store *st, const struct digest *d, struct reader **out,
                          struct err *err);
/* Reads all of it and verifies the digest.  Fails: LIMIT past the ceiling of `out`. */
NODISCARD int blob_read(struct store *st, const struct digest *d, struct buf *out, struct err *err);
/* Hashes the file and forgets the blob when it is not what its name says (CORRUPT). */
NODISCARD int blob_verify(struct store *st, const struct digest *d, struct err *err);
/* Deletes it, whoever needs it.  Absent is a success. */
NODISCARD int blob_remove(struct store *st, const struct digest *d, struct err *err);

/* A manifest or index: kept as it is, and remembered as needing its config, layers or manifests,
 * and as a referrer of its subject.  What it needs may come later or never.  Fails: INVALID. */
NODISCARD int manifest_put(struct store *st, struct span bytes, const char *media_type,
                           struct descriptor *out, struct err *err);
/* Manifests whose subject is `d`, oldest first.  artifact_type is the manifest's artifactType, else
 * its config's media type. */
NODISCARD int manifest_referrers(struct store *st, const struct digest *d, struct descriptors *out,
                                 struct err *err);
