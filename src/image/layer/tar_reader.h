/* image/layer/tar_reader.h - a tar archive as a stream of entries.
 *
 *     AUTO(tar_reader_free) struct tar_reader *t = tar_reader_new(below);
 *     const struct tar_entry *e;
 *     while (!tar_reader_next(t, &e, err) && e) ...
 *
 * Reads v7, ustar, GNU (long names, base-256 numbers, sparse files) and PAX (local and global
 * headers, sparse 0.0, 0.1, 1.0; extended attributes as SCHILY.xattr.* and LIBARCHIVE.xattr.*).
 * The archive ends at two zero blocks or, as with writers that leave these out, where the stream
 * ends between entries.  Volume labels and what else is no file are passed over.
 *
 * Memory is bounded: one buffer for content, LIMIT_PAX for each extended header.
 * Threads: a tar_reader belongs to one thread. */
#pragma once
#include "base/core/err.h"
#include "base/core/own.h"
#include "base/core/stream.h"
#include "image/layer/tar_entry.h"

struct tar_reader;

/* Borrows `below`, uncompressed bytes. */
struct tar_reader *tar_reader_new(struct reader *below);
void tar_reader_free(struct tar_reader *t);
DEFINE_AUTO(struct tar_reader, tar_reader_free)

/* The next entry, or NULL in *out at the end of the archive; what is left of the last entry's
 * content is skipped.  *out and all it points at are borrowed until the next call. Fails: CORRUPT
 * (checksum, cut off); INVALID (a number, record or sparse map that breaks the format); LIMIT
 * (base/core/limits.h); UNSUPPORTED (multi-volume archives, unknown types); what `below` fails
 * with.  Errors are sticky. */
NODISCARD int tar_reader_next(struct tar_reader *t, const struct tar_entry **out, struct err *err);

/* A piece of a file's content.  What no piece covers is a hole: zeros. */
struct tar_chunk {
    uint64_t offset;   /* in the file */
    struct span bytes; /* borrowed until the next call; empty: the content has ended */
};
/* The next piece of the current entry's content, straight from the buffer, in ascending order.
 * Fails: CORRUPT when the archive is cut off; what `below` fails with. */
NODISCARD int tar_reader_chunk(struct tar_reader *t, struct tar_chunk *out, struct err *err);

/* The current entry's content as a stream of entry->size bytes, holes as zeros.  Borrowed: valid
 * until tar_reader_next(), not to be closed; not to be mixed with tar_reader_chunk(). */
struct reader *tar_reader_body(struct tar_reader *t);

/* Reads what follows the archive's end until `below` ends, so that a digest over all bytes can be
 * checked below.  Call after tar_reader_next() gave NULL. */
NODISCARD int tar_reader_drain(struct tar_reader *t, struct err *err);
