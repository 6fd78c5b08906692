/* image/layer/rewrite.h - a layer's tar written anew with other times.
 *
 * For layers that exist only as blobs when the exporter is asked for rewrite-timestamp.  All
 * entries, whiteouts included, keep their order and attributes; paths are cleaned, sparse files are
 * written out, headers are those of tar_writer.h.  A layer without times to change is a different
 * blob all the same unless our own writer or BuildKit made it.
 *
 * Threads: no state. */
#pragma once
#include "base/core/cancel.h"
#include "base/core/stream.h"
#include "image/layer/tar_writer.h"

/* Reads `tar` to its very end and writes to `out` without finishing it; both uncompressed.
 * Fails: as tar_reader_next() and tar_writer_entry(); CANCELED (cancel may be NULL). */
NODISCARD int layer_rewrite(struct reader *tar, const struct tar_writer_options *options,
                            const struct cancel *cancel, struct writer *out, struct err *err);
/* The same for a tar that layer_pack() wrote without an epoch: gives, byte for byte, what it would
 * have written with `options`.  (Whiteouts have no time of their own: they get the epoch.) */
NODISCARD int layer_repack(struct reader *tar, const struct tar_writer_options *options,
                           const struct cancel *cancel, struct writer *out, struct err *err);
