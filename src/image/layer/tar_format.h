/* image/layer/tar_format.h - the header block, byte by byte, and what the reader's files share.
 *
 * An archive is a row of 512-byte blocks: header, content padded to a whole block, header, ...
 * Numbers are octal text, or big-endian two's complement where the first byte has its top bit set
 * (GNU).  The sum of all header bytes, the checksum field itself taken as blanks, stands in
 * `checksum`.
 *
 * Inside the room only.  Spec: POSIX.1-2017 pax "ustar Interchange Format"; GNU tar "Basic Tar
 * Format". */
#pragma once
#include <stddef.h>

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/core/vec.h"
#include "image/layer/tar_entry.h"

enum { TAR_BLOCK = 512, TAR_MAX_SPARSE_PIECES = 65536 };

struct tar_block {
    char name[100];
    char mode[8], uid[8], gid[8];
    char size[12], mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6]; /* "ustar\0" POSIX, "ustar " GNU, else v7 */
    char version[2];
    char user_name[32], group_name[32];
    char dev_major[8], dev_minor[8];
    union {
        char prefix[155]; /* POSIX: goes before name, with a "/" between */
        struct {
            char prefix[131], atime[12], ctime[12];
        } star; /* when `trailer` is "tar\0" */
        struct {
            char atime[12], ctime[12], offset[12], long_names[4], unused;
            struct {
                char offset[12], size[12];
            } pieces[4];
            char is_extended, real_size[12];
        } gnu; /* pieces: where content lies in a sparse file (type S) */
    };
    char padding[8];
    char trailer[4];
};
_Static_assert(sizeof(struct tar_block) == TAR_BLOCK, "a header is one block");

/* A further block of an old GNU sparse map. */
struct tar_sparse_block {
    struct {
        char offset[12], size[12];
    } pieces[21];
    char is_extended, padding[7];
};
_Static_assert(sizeof(struct tar_sparse_block) == TAR_BLOCK, "a sparse map goes in blocks");

/* A stretch of stored content in a file. */
struct tar_piece {
    uint64_t offset, size;
};
struct tar_pieces {
    struct tar_piece *items; /* owned */
    size_t n, cap;
};

enum tar_sparse_kind { TAR_SPARSE_NONE, TAR_SPARSE_OLD, TAR_SPARSE_0_X, TAR_SPARSE_1_0 };

/* What extended headers say about the entry that follows; spans point into their bodies, ptr NULL
 * means not said. */
struct tar_extra {
    struct span path, link, user_name, group_name;
    bool has_size, has_uid, has_gid, has_mtime, has_dev_major, has_dev_minor;
    uint64_t size;
    uint32_t uid, gid, dev_major, dev_minor;
    struct timespec mtime;
    struct {
        struct tar_xattr *items;
        size_t n, cap;
    } xattrs; /* in order of appearance until tar_extra_finish() */
    /* GNU.sparse.* */
    struct span sparse_name;
    bool has_real_size;
    uint64_t real_size;
    uint64_t sparse_major, sparse_minor;
    bool has_sparse_version, has_sparse_offset;
    uint64_t sparse_offset;
    bool has_pieces; /* version 0.0 or 0.1: the map is `pieces` */
    struct tar_pieces pieces;
};
void tar_extra_reset(struct tar_extra *x); /* keeps the arrays' memory */
void tar_extra_clear(struct tar_extra *x);
/* Takes the records of one extended header; what `x` holds already is overridden.  Names and
 * decoded values are made in `arena`, all other spans point into `body`.  Fails: INVALID; LIMIT. */
NODISCARD int tar_extra_read(struct tar_extra *x, struct span body, struct arena *arena,
                             struct err *err);
/* Sorts the xattrs, the last of each name wins. */
void tar_extra_finish(struct tar_extra *x);

/* Number of a header field.  Fails: INVALID naming `what`. */
NODISCARD int tar_number(const char *field, size_t len, const char *what, int64_t *out,
                         struct err *err);
/* Text of a field up to its NUL or end. */
struct span tar_text(const char *field, size_t len);
bool tar_block_is_zero(const struct tar_block *b);
/* Fails: CORRUPT. */
NODISCARD int tar_block_check(const struct tar_block *b, struct err *err);
/* The owner in a header or record: 0 .. 2^32-2, or a negative number meant as 32 bits. */
NODISCARD int tar_owner(int64_t n, const char *what, uint32_t *out, struct err *err);

/* Pieces of a sparse map must ascend within `real_size` and hold `stored` bytes together.
 * Fails: INVALID. */
NODISCARD int tar_pieces_check(const struct tar_pieces *p, uint64_t real_size, uint64_t stored,
                               struct err *err);
NODISCARD int tar_pieces_add(struct tar_pieces *p, uint64_t offset, uint64_t size, struct err *err);
