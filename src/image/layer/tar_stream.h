/* image/layer/tar_stream.h - the archive's bytes behind one buffer: whole blocks for headers,
 * pieces as they lie for content.  Inside the room only.  Threads: one. */
#pragma once
#include "base/core/stream.h"
#include "image/layer/tar_format.h"

struct tar_stream {
    struct reader *below; /* borrowed */
    char *bytes;          /* owned */
    size_t start, end;    /* what is there: bytes[start..end) */
    uint64_t offset;      /* of bytes[start] in the archive, for messages */
};
void tar_stream_init(struct tar_stream *s, struct reader *below);
void tar_stream_clear(struct tar_stream *s);
/* The next block in *out, valid until the next call; *out NULL where the stream ends instead.
 * Fails: CORRUPT when it ends inside the block. */
NODISCARD int tar_stream_block(struct tar_stream *s, const void **out, struct err *err);
/* Some of the next `max` bytes (max > 0).  Fails: CORRUPT at the end of the stream. */
NODISCARD int tar_stream_some(struct tar_stream *s, uint64_t max, struct span *out,
                              struct err *err);
NODISCARD int tar_stream_skip(struct tar_stream *s, uint64_t size, struct err *err);
/* Skips the padding after content; writers that end without it are forgiven. */
NODISCARD int tar_stream_skip_padding(struct tar_stream *s, size_t size, struct err *err);
/* Appends the next `size` bytes to `b`.  Fails: LIMIT past its ceiling. */
NODISCARD int tar_stream_take(struct tar_stream *s, uint64_t size, struct buf *b, struct err *err);
/* Reads to the end of `below`. */
NODISCARD int tar_stream_drain(struct tar_stream *s, struct err *err);
