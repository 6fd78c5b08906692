/* image/store/ingest.h - one blob on its way into the store.
 *
 * Bytes go to a nameless file and are hashed as they pass; the blob gets its name only at commit,
 * so no reader ever sees half a blob and a crash leaves nothing behind.
 *
 * Spec: image-spec image-layout.md "Blobs"; descriptor.md "Digests", "Verification".
 * Threads: an ingest belongs to one thread at a time; a store takes many at once. */
#pragma once
#include "base/codec/digest.h"
#include "base/core/err.h"
#include "base/core/stream.h"
#include "image/store/store.h"

struct ingest;
/* Opens an ingest.  `want` (NULL: any content, SHA-256) and `size` (UINT64_MAX: any) are what the
 * content was promised to be.  Borrows `st` until ingest_close().  A promised size is reserved
 * under the store's ceiling, collecting garbage when needed. Fails: LIMIT (no room under the
 * ceiling), SYSTEM (disk full, read-only store). */
NODISCARD int ingest_open(struct store *st, const struct digest *want, uint64_t size,
                          struct ingest **out, struct err *err);
/* Appends.  Fails: CORRUPT past the promised size; LIMIT past the ceiling; SYSTEM. */
NODISCARD int ingest_write(struct ingest *in, struct span bytes, struct err *err);
uint64_t ingest_size(const struct ingest *in); /* bytes so far */
/* Forgets the bytes so far (a server that cannot resume sends again from the start). */
NODISCARD int ingest_restart(struct ingest *in, struct err *err);
/* Verifies and publishes; content already present is a success.  *out may be NULL.
 * Fails: CORRUPT when digest or size differ from the promise; SYSTEM. */
NODISCARD int ingest_commit(struct ingest *in, struct digest *out, struct err *err);
/* The same against a promise that came later (an upload's closing PUT). */
NODISCARD int ingest_commit_as(struct ingest *in, const struct digest *want, struct err *err);
void ingest_close(struct ingest *in); /* uncommitted bytes vanish */
DEFINE_AUTO(struct ingest, ingest_close)
/* The ingest as a sink for streams; borrows `in`.  writer_finish() does not commit. */
struct writer *writer_to_ingest(struct ingest *in);

/* A blob that is in memory.  *out gets its digest. */
NODISCARD int blob_put(struct store *st, struct span bytes, struct digest *out, struct err *err);
