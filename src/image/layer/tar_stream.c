/* image/layer/tar_stream.c - see tar_stream.h.
 *
 * The buffer is large enough that small files come whole and large ones in pieces worth a system
 * call. */
#include "image/layer/tar_stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"

static const size_t capacity = 256 * KIB;

void tar_stream_init(struct tar_stream *s, struct reader *below)
{
    *s = (struct tar_stream){ .below = below, .bytes = xmalloc(capacity) };
}

void tar_stream_clear(struct tar_stream *s)
{
    free(s->bytes);
    s->bytes = NULL;
}

/* Reads until `want` bytes are there (at most a block) or the stream ends. */
static int fill(struct tar_stream *s, size_t want, struct err *err)
{
    while (s->end - s->start < want) {
        size_t n;
        if (capacity - s->start < want || s->start == s->end) {
            memmove(s->bytes, s->bytes + s->start, s->end - s->start);
            s->end -= s->start;
            s->start = 0;
        }
        if (reader_read(s->below, s->bytes + s->end, capacity - s->end, &n, err))
            return -1;
        if (n == 0)
            break;
        s->end += n;
    }
    return 0;
}

static void advance(struct tar_stream *s, size_t n)
{
    s->start += n;
    s->offset += n;
}

int tar_stream_block(struct tar_stream *s, const void **out, struct err *err)
{
    *out = NULL;
    if (fill(s, TAR_BLOCK, err))
        return -1;
    if (s->start == s->end)
        return 0;
    if (s->end - s->start < TAR_BLOCK)
        return err_set(err, ERR_CORRUPT, "the archive is cut off inside a header");
    *out = s->bytes + s->start;
    advance(s, TAR_BLOCK);
    return 0;
}

int tar_stream_some(struct tar_stream *s, uint64_t max, struct span *out, struct err *err)
{
    *out = (struct span){ 0 };
    if (fill(s, 1, err))
        return -1;
    size_t n = s->end - s->start;
    if (n == 0)
        return err_set(err, ERR_CORRUPT,
                       "the archive is cut off: %" PRIu64 " bytes of content missing", max);
    if (n > max)
        n = (size_t)max;
    *out = span_bytes(s->bytes + s->start, n);
    advance(s, n);
    return 0;
}

int tar_stream_skip(struct tar_stream *s, uint64_t size, struct err *err)
{
    struct span piece;
    for (; size > 0; size -= piece.len)
        if (tar_stream_some(s, size, &piece, err))
            return -1;
    return 0;
}

int tar_stream_skip_padding(struct tar_stream *s, size_t size, struct err *err)
{
    if (fill(s, size, err))
        return -1;
    size_t there = s->end - s->start;
    advance(s, there < size ? there : size);
    return 0;
}

int tar_stream_take(struct tar_stream *s, uint64_t size, struct buf *b, struct err *err)
{
    struct span piece;
    for (; size > 0; size -= piece.len)
        if (tar_stream_some(s, size, &piece, err) || buf_append(b, piece, err))
            return -1;
    return 0;
}

int tar_stream_drain(struct tar_stream *s, struct err *err)
{
    do {
        s->start = s->end = 0;
        if (fill(s, 1, err))
            return -1;
    } while (s->start < s->end);
    return 0;
}
