/* base/codec/compress.h - gzip and zstd as streams.
 *
 * Compressed bytes are a function of content, algorithm and level only: gzip is cut into
 * independent blocks of GZIP_BLOCK uncompressed bytes, compressed in parallel on the pool with
 * libdeflate and joined into one gzip member each; thread count changes nothing.  No time, no name
 * in the header.
 *
 * Spec: RFC 1952, RFC 8878.  Threads: a stream belongs to one thread; the pool works behind it. */
#pragma once
#include "base/core/pool.h"
#include "base/core/stream.h"

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

/* "none"/"uncompressed", "gzip", "zstd".  NULL for a value that is none of them. */
const char *compression_name(enum compression c);
/* Fails: INVALID naming the value and the choices. */
NODISCARD int compression_parse(const char *name, enum compression *out, struct err *err);
/* By the first bytes (at least 4 where there are): gzip and zstd magic, else NONE. */
enum compression compression_sniff(struct span head);

/* Filters; each borrows the stream below, keeps bounded buffers.  level -1: the default.
 * writer_finish() writes the trailer and finishes nothing below. */
struct writer *writer_compressing(struct writer *below, enum compression c, int level,
                                  struct pool *pool);
/* Reads several members/frames one after another.  Fails: CORRUPT. */
struct reader *reader_decompressing(struct reader *below, enum compression c);
