/* image/layer/tar_sparse.c - where in a file the stored bytes belong.
 *
 * An ordinary file is one piece.  Sparse files come in four dialects: old GNU (map in the header
 * and in blocks after it), PAX 0.0 and 0.1 (map in the records), PAX 1.0 (map before the content).
 *
 * Spec: GNU tar "Storing Sparse Files". */
#include <inttypes.h>
#include <string.h>

#include "image/layer/tar_reader_state.h"

int tar_body_size(const struct tar_block *b, uint64_t *out, struct err *err)
{
    int64_t size;
    if (tar_number(b->size, sizeof b->size, "size", &size, err))
        return -1;
    if (size < 0)
        return err_set(err, ERR_INVALID, "size: negative");
    *out = (uint64_t)size;
    return 0;
}

size_t tar_padding(uint64_t size)
{
    return (size_t)(-size % TAR_BLOCK);
}

int tar_pieces_add(struct tar_pieces *p, uint64_t offset, uint64_t size, struct err *err)
{
    if (p->n >= TAR_MAX_SPARSE_PIECES)
        return err_set(err, ERR_LIMIT, "sparse map: more than %d pieces", TAR_MAX_SPARSE_PIECES);
    *vec_push(p) = (struct tar_piece){ .offset = offset, .size = size };
    return 0;
}

int tar_pieces_check(const struct tar_pieces *p, uint64_t real_size, uint64_t stored,
                     struct err *err)
{
    uint64_t at = 0, sum = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct tar_piece *piece = &p->items[i];
        if (piece->offset < at || piece->offset > real_size ||
            piece->size > real_size - piece->offset)
            return err_set(err, ERR_INVALID, "sparse map: piece %zu is out of place", i);
        at = piece->offset + piece->size;
        sum += piece->size;
    }
    if (sum != stored)
        return err_set(err, ERR_INVALID,
                       "sparse map: %" PRIu64 " bytes, but %" PRIu64 " are stored", sum, stored);
    return 0;
}

static int old_sparse_piece(struct tar_reader *t, const char *offset, const char *size,
                            struct err *err)
{
    int64_t at, n;
    if (!*offset && !*size) /* unused slots are NULs */
        return 0;
    if (tar_number(offset, 12, "sparse map", &at, err) ||
        tar_number(size, 12, "sparse map", &n, err))
        return -1;
    if (at < 0 || n < 0)
        return err_set(err, ERR_INVALID, "sparse map: a negative number");
    return tar_pieces_add(&t->pieces, (uint64_t)at, (uint64_t)n, err);
}

static int read_old_sparse(struct tar_reader *t, const struct tar_block *b, struct err *err)
{
    int64_t real_size;
    if (!tar_is_gnu(b))
        return err_set(err, ERR_INVALID, "a sparse file in an archive that is not GNU's");
    if (tar_number(b->gnu.real_size, sizeof b->gnu.real_size, "real size", &real_size, err))
        return -1;
    if (real_size < 0)
        return err_set(err, ERR_INVALID, "real size: negative");
    for (size_t i = 0; i < 4; i++)
        if (old_sparse_piece(t, b->gnu.pieces[i].offset, b->gnu.pieces[i].size, err))
            return -1;
    bool has_more = b->gnu.is_extended; /* `b` is gone once the next block is read */
    while (has_more) {
        const void *block;
        if (tar_stream_block(&t->stream, &block, err))
            return -1;
        if (!block)
            return err_set(err, ERR_CORRUPT, "the archive is cut off inside a sparse map");
        const struct tar_sparse_block *more = block;
        for (size_t i = 0; i < 21; i++)
            if (old_sparse_piece(t, more->pieces[i].offset, more->pieces[i].size, err))
                return -1;
        has_more = more->is_extended;
    }
    t->entry.size = (uint64_t)real_size;
    return 0;
}

/* A decimal line of a 1.0 map out of the rest of `map`. */
static int map_line(struct span *map, uint64_t *out, bool *is_whole, struct err *err)
{
    *is_whole = span_find(*map, '\n') >= 0;
    if (!*is_whole)
        return 0;
    if (!span_u64(span_cut(map, '\n'), INT64_MAX, out))
        return err_set(err, ERR_INVALID, "sparse map: no number");
    return 0;
}

/* Version 1.0: the content begins with the map: lines COUNT, then OFFSET and SIZE each, padded to a
 * block. `stored` loses the map's blocks. */
static int read_sparse_1_0(struct tar_reader *t, uint64_t *stored, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf map = { 0 };
    buf_init(&map, LIMIT_PAX);
    struct span rest = { 0 };
    uint64_t n_numbers = 1, n_read = 0, value = 0, offset = 0;
    while (n_read < n_numbers) {
        bool is_whole;
        struct span before = rest;
        if (map_line(&rest, &value, &is_whole, err))
            return -1;
        if (!is_whole) { /* one more block; what was begun is read again with it */
            size_t done = map.len - before.len;
            if (*stored < TAR_BLOCK)
                return err_set(err, ERR_INVALID, "sparse map: it does not end");
            if (tar_stream_take(&t->stream, TAR_BLOCK, &map, err))
                return err_wrap(err, "sparse map");
            *stored -= TAR_BLOCK;
            rest = span_skip(buf_span(&map), done);
            continue;
        }
        if (n_read == 0 && value > TAR_MAX_SPARSE_PIECES)
            return err_set(err, ERR_LIMIT, "sparse map: %" PRIu64 " pieces", value);
        if (n_read == 0)
            n_numbers = 1 + 2 * value;
        else if (n_read % 2)
            offset = value;
        else if (tar_pieces_add(&t->pieces, offset, value, err))
            return -1;
        n_read++;
    }
    return 0;
}

int tar_read_content(struct tar_reader *t, const struct tar_block *b, struct err *err)
{
    struct tar_extra *x = &t->extra;
    struct tar_entry *e = &t->entry;
    uint64_t stored;
    if (tar_body_size(b, &stored, err))
        return -1;
    if (x->has_size)
        stored = x->size;
    if (stored > INT64_MAX - TAR_BLOCK)
        return err_set(err, ERR_INVALID, "size: absurd");
    e->size = 0;
    e->is_sparse = false;
    if (e->type != TAR_FILE && b->type != 'D') /* as Go: only files have content */
        stored = 0;
    t->padding = tar_padding(stored);
    if (b->type == 'D')
        return tar_stream_skip(&t->stream, stored, err);
    if (e->type != TAR_FILE)
        return 0;
    e->is_sparse = true;
    e->size = x->has_real_size ? x->real_size : stored;
    if (b->type == 'S') {
        if (read_old_sparse(t, b, err))
            return -1;
    } else if (x->has_sparse_version && x->sparse_major == 1 && x->sparse_minor == 0) {
        if (read_sparse_1_0(t, &stored, err))
            return -1;
    } else if (x->has_sparse_version && x->sparse_major != 0) {
        return err_set(err, ERR_UNSUPPORTED, "sparse map of version %" PRIu64 ".%" PRIu64,
                       x->sparse_major, x->sparse_minor);
    } else if (x->has_pieces) {
        struct tar_pieces mine = t->pieces;
        t->pieces = x->pieces;
        x->pieces = mine;
    } else {
        e->is_sparse = false;
        e->size = stored;
        return tar_pieces_add(&t->pieces, 0, stored, err);
    }
    return tar_pieces_check(&t->pieces, e->size, stored, err);
}
