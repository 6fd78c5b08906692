/* image/layer/tar_reader.c - headers in a row become entries.
 *
 * An entry may be announced by extended headers: PAX records (x for the next entry, g for all that
 * follow) and GNU long names (L, K).  Their bodies stay in buffers of the reader until the next
 * entry; struct tar_extra points into them.  Where several speak, the order is as in Go's
 * archive/tar: header, global, local records, GNU long names, GNU.sparse.name. */
#include "image/layer/tar_reader.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/layer/tar_reader_state.h"

static int body_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err);
static const struct reader_ops body_ops = { .read = body_read };

struct tar_reader *tar_reader_new(struct reader *below)
{
    struct tar_reader *t = xcalloc(1, sizeof *t);
    tar_stream_init(&t->stream, below);
    buf_init(&t->local, LIMIT_PAX);
    buf_init(&t->global, LIMIT_PAX);
    buf_init(&t->long_name, LIMIT_PATH * 2);
    buf_init(&t->long_link, LIMIT_PATH * 2);
    return t;
}

void tar_reader_free(struct tar_reader *t)
{
    if (!t)
        return;
    tar_stream_clear(&t->stream);
    buf_clear(&t->local);
    buf_clear(&t->global);
    buf_clear(&t->long_name);
    buf_clear(&t->long_link);
    tar_extra_clear(&t->extra);
    vec_clear(&t->pieces);
    arena_free(t->arena);
    free(t);
}

/* ---- extended headers ---- */

/* Reads the body of an extended header to the end of `into`. */
static int take_body(struct tar_reader *t, const struct tar_block *b, struct buf *into,
                     struct err *err)
{
    uint64_t size;
    if (tar_body_size(b, &size, err))
        return -1;
    if (size > buf_room(into))
        return err_set(err, ERR_LIMIT, "extended header: more than %zu bytes", into->ceiling);
    if (tar_stream_take(&t->stream, size, into, err))
        return -1;
    return tar_stream_skip_padding(&t->stream, tar_padding(size), err);
}

/* What is one of the headers that speak about the next entry is read; *is_one says so. */
static int read_extended(struct tar_reader *t, const struct tar_block *b, bool *is_one,
                         struct err *err)
{
    uint64_t size;
    *is_one = true;
    switch (b->type) {
    case 'x':
    case 'X': /* Solaris */
        buf_reset(&t->local);
        return take_body(t, b, &t->local, err);
    case 'g': /* later records override earlier ones, so all are kept in a row */
        return take_body(t, b, &t->global, err);
    case 'L':
        buf_reset(&t->long_name);
        t->has_long_name = true;
        return take_body(t, b, &t->long_name, err);
    case 'K':
        buf_reset(&t->long_link);
        t->has_long_link = true;
        return take_body(t, b, &t->long_link, err);
    case 'V': /* volume label */
    case 'N': /* GNU's old long names */
    case 'A': /* Solaris ACL */
    case 'I': /* star inode */
        if (tar_body_size(b, &size, err) || tar_stream_skip(&t->stream, size, err))
            return -1;
        return tar_stream_skip_padding(&t->stream, tar_padding(size), err);
    default:
        *is_one = false;
        return 0;
    }
}

static int read_extra(struct tar_reader *t, struct err *err)
{
    if (t->global.len == 0 && t->local.len == 0)
        return 0;
    if (!t->arena)
        t->arena = arena_new();
    if (tar_extra_read(&t->extra, buf_span(&t->global), t->arena, err) ||
        tar_extra_read(&t->extra, buf_span(&t->local), t->arena, err))
        return -1;
    tar_extra_finish(&t->extra);
    return 0;
}

/* ---- entries ---- */

static void begin_entry(struct tar_reader *t)
{
    tar_extra_reset(&t->extra);
    buf_reset(&t->local);
    t->has_long_name = t->has_long_link = false;
    arena_free(STEAL(t->arena));
    t->pieces.n = t->piece = 0;
    t->piece_done = t->body_at = 0;
    t->padding = 0;
    t->chunk = (struct tar_chunk){ 0 };
    t->body = (struct reader){ .ops = &body_ops };
}

static int skip_rest(struct tar_reader *t, struct err *err)
{
    uint64_t left = 0;
    for (size_t i = t->piece; i < t->pieces.n; i++)
        left += t->pieces.items[i].size;
    if (tar_stream_skip(&t->stream, left - t->piece_done, err))
        return err_wrap(err, "%s", t->path);
    return tar_stream_skip_padding(&t->stream, t->padding, err);
}

/* The next header that is no zero block; NULL at the end of the archive. */
static int next_header(struct tar_reader *t, struct tar_block *out, bool *is_end, struct err *err)
{
    const void *block;
    *is_end = true;
    if (tar_stream_block(&t->stream, &block, err))
        return -1;
    if (!block)
        return 0;
    memcpy(out, block, sizeof *out);
    if (!tar_block_is_zero(out)) {
        *is_end = false;
        return tar_block_check(out, err);
    }
    if (tar_stream_block(&t->stream, &block, err))
        return -1;
    if (block && !tar_block_is_zero(block))
        return err_set(err, ERR_CORRUPT, "one block of zeros in the middle of the archive");
    return 0;
}

static int read_entry(struct tar_reader *t, const struct tar_block *b, struct err *err)
{
    if (++t->n_entries > LIMIT_LAYER_ENTRIES)
        return err_set(err, ERR_LIMIT, "more than %" PRIu64 " entries", LIMIT_LAYER_ENTRIES);
    if (read_extra(t, err) || tar_read_header(t, b, err))
        return -1;
    return tar_read_content(t, b, err) ? err_wrap(err, "%s", t->path) : 0;
}

static int next(struct tar_reader *t, const struct tar_entry **out, struct err *err)
{
    struct tar_block block;
    bool is_extended, is_end;
    if (skip_rest(t, err))
        return -1;
    begin_entry(t);
    bool is_announced = false;
    do {
        if (next_header(t, &block, &is_end, err))
            return -1;
        if (is_end && is_announced)
            return err_set(err, ERR_CORRUPT, "the archive is cut off after an extended header");
        t->is_at_end = is_end;
        if (is_end)
            return 0;
        if (read_extended(t, &block, &is_extended, err))
            return -1;
        /* A global header or label may end an archive. */
        is_announced |= is_extended && strchr("xXLK", block.type);
    } while (is_extended);
    if (read_entry(t, &block, err))
        return -1;
    *out = &t->entry;
    return 0;
}

static int fail(struct tar_reader *t, const struct err *err)
{
    t->has_failed = true;
    t->failure = err->kind;
    return -1;
}

int tar_reader_next(struct tar_reader *t, const struct tar_entry **out, struct err *err)
{
    *out = NULL;
    if (t->has_failed)
        return err_set(err, t->failure, "tar: the archive has failed before");
    if (t->is_at_end)
        return 0;
    uint64_t number = t->n_entries + 1, offset = t->stream.offset;
    if (next(t, out, err)) {
        err_wrap(err, "tar entry %" PRIu64 " after byte %" PRIu64, number, offset);
        return fail(t, err);
    }
    return 0;
}

/* ---- content ---- */

int tar_reader_chunk(struct tar_reader *t, struct tar_chunk *out, struct err *err)
{
    *out = (struct tar_chunk){ 0 };
    if (t->has_failed)
        return err_set(err, t->failure, "tar: the archive has failed before");
    while (t->piece < t->pieces.n && t->piece_done == t->pieces.items[t->piece].size) {
        t->piece++;
        t->piece_done = 0;
    }
    if (t->piece >= t->pieces.n)
        return 0;
    const struct tar_piece *piece = &t->pieces.items[t->piece];
    if (tar_stream_some(&t->stream, piece->size - t->piece_done, &out->bytes, err))
        return fail(t, err);
    out->offset = piece->offset + t->piece_done;
    t->piece_done += out->bytes.len;
    return 0;
}

static int body_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err)
{
    struct tar_reader *t = (struct tar_reader *)r; /* `body` comes first */
    *n = 0;
    if (t->body_at >= t->entry.size)
        return 0;
    if (t->chunk.bytes.len == 0 && tar_reader_chunk(t, &t->chunk, err))
        return -1;
    uint64_t hole = (t->chunk.bytes.len ? t->chunk.offset : t->entry.size) - t->body_at;
    if (hole > 0) {
        *n = hole < cap ? (size_t)hole : cap;
        memset(to, 0, *n);
    } else {
        struct span bytes = span_first(t->chunk.bytes, cap);
        memcpy(to, bytes.ptr, bytes.len);
        *n = bytes.len;
        t->chunk.bytes = span_skip(t->chunk.bytes, *n);
        t->chunk.offset += *n;
    }
    t->body_at += *n;
    return 0;
}

struct reader *tar_reader_body(struct tar_reader *t)
{
    return &t->body;
}

int tar_reader_drain(struct tar_reader *t, struct err *err)
{
    assert(t->is_at_end);
    return tar_stream_drain(&t->stream, err);
}
