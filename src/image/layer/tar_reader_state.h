/* image/layer/tar_reader_state.h - a tar_reader from the inside: what tar_reader.c (rows of
 * headers), tar_header.c (one header) and tar_sparse.c (where its content lies) share.  Inside the
 * room only. */
#pragma once
#include "base/core/limits.h"
#include "image/layer/tar_format.h"
#include "image/layer/tar_reader.h"
#include "image/layer/tar_stream.h"

struct tar_reader {
    struct reader body; /* what tar_reader_body() gives */
    struct tar_stream stream;
    struct tar_entry entry;
    uint64_t n_entries;
    bool is_at_end, has_failed;
    enum err_kind failure;

    /* extended headers of the next entry */
    struct tar_extra extra;
    struct buf local, global, long_name, long_link;
    bool has_long_name, has_long_link;
    struct arena *arena; /* owned, of this entry; NULL until needed */

    /* what `entry` points at */
    char path[LIMIT_PATH], link[LIMIT_PATH], user_name[256], group_name[256];

    /* content of the current entry */
    struct tar_pieces pieces; /* where it lies in the file */
    size_t piece;             /* the one being read */
    uint64_t piece_done;      /* bytes of it given */
    size_t padding;           /* after the content */
    uint64_t body_at;         /* tar_reader_body(): offset in the file */
    struct tar_chunk chunk;   /* tar_reader_body(): not given yet */
};

/* Fills t->entry but for the content's place.  Fails: INVALID, LIMIT, UNSUPPORTED. */
NODISCARD int tar_read_header(struct tar_reader *t, const struct tar_block *b, struct err *err);
/* Fills t->entry.size, t->pieces and t->padding, reading sparse maps.  Fails: INVALID, LIMIT,
 * CORRUPT. */
NODISCARD int tar_read_content(struct tar_reader *t, const struct tar_block *b, struct err *err);

bool tar_is_posix(const struct tar_block *b);
bool tar_is_gnu(const struct tar_block *b);
/* The header's size field.  Fails: INVALID. */
NODISCARD int tar_body_size(const struct tar_block *b, uint64_t *out, struct err *err);
size_t tar_padding(uint64_t size); /* bytes between content and the next block */
