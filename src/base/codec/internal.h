/* base/codec/internal.h - what the files of this room share. */
#pragma once
#include "base/codec/compress.h"

/* A NUL-terminated copy in which NUL and each byte that is no right UTF-8 is U+FFFD, as Go does it.
 * Owned by the caller. */
char *utf8_clean(struct span s);

/* The filters behind writer_compressing() and reader_decompressing(). */
struct writer *gzip_writer(struct writer *below, int level, struct pool *pool);
struct reader *gzip_reader(struct reader *below);
struct writer *zstd_writer(struct writer *below, int level, struct pool *pool);
struct reader *zstd_reader(struct reader *below);
