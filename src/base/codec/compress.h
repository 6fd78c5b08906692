/* base/codec/compress.h - gzip and zstd as streams.
 *
 * Compressed bytes are a function of content, algorithm and level only: gzip is cut into
 * independent blocks of GZIP_BLOCK uncompressed bytes, compressed in parallel on the pool with
 * libdeflate, each into one or more gzip members that follow each other.  Neither the number of
 * threads nor the sizes of the writes change anything.  No time, no name in the header.
 *
 * Spec: RFC 1952, RFC 8878.  Threads: a stream belongs to one thread; the pool works behind it. */
#pragma once
#include "base/core/pool.h"
#include "base/core/stream.h"

/* Content is cut into gzip blocks of this size: larger ones gain little (0.1 to 0.4 % from here to
 * 1 MiB), smaller ones lose 0.4 to 0.9 % each time they are halved. */
enum { GZIP_BLOCK = 512 * 1024 };

/* COMPRESSION_ESTARGZ is gzip for who reads; how it is written is known to image/layer/estargz.h.
 */
enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_ESTARGZ };

/* "none"/"uncompressed", "gzip", "zstd", "estargz".  NULL for a value that is none of them. */
const char *compression_name(enum compression c);
/* Fails: INVALID naming the value and the choices. */
NODISCARD int compression_parse(const char *name, enum compression *out, struct err *err);
/* By the first bytes (at least 4 where there are): gzip and zstd magic, else NONE. */
enum compression compression_sniff(struct span head);

/* A filter; borrows `below` and `pool` (may be NULL: compresses in the calling thread).  level: -1
 * the default (gzip 6, zstd 3), 0 to 9 or 0 to 22; a higher one counts as the highest.  Memory:
 * about 1.4 MiB for each thread and 3 more for gzip; 20 MiB for zstd.  The calling thread may be a
 * task of the same pool.  writer_finish() writes the trailer and finishes nothing below. */
struct writer *writer_compressing(struct writer *below, enum compression c, int level,
                                  struct pool *pool);
/* Only for writers of gzip: what follows begins a member of its own.  *offset becomes its place in
 * the compressed bytes, at the latest when gzip_writer_flush() or writer_finish() returns; it must
 * live as long.  Fails: what `below` fails with. */
NODISCARD int gzip_writer_cut(struct writer *gzip, uint64_t *offset, struct err *err);
/* Passes all on that was written so far; what follows begins a member of its own. */
NODISCARD int gzip_writer_flush(struct writer *gzip, struct err *err);
/* Borrows `below`.  Reads several members or frames one after another, for gzip also zero bytes
 * after the last.  What comes out has no ceiling: reader_limited() sets one.  Fails: CORRUPT; LIMIT
 * when zstd needs a window above 128 MiB. */
struct reader *reader_decompressing(struct reader *below, enum compression c);
