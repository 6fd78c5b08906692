/* base/codec/compress.c - which compression: names, magic numbers, and the way to its filter.
 *
 * Threads: no state. */
#include "base/codec/compress.h"

#include <stdlib.h>

#include "base/codec/internal.h"
#include "base/core/mem.h"

const char *compression_name(enum compression c)
{
    switch (c) {
    case COMPRESSION_NONE:
        return "uncompressed";
    case COMPRESSION_GZIP:
        return "gzip";
    case COMPRESSION_ZSTD:
        return "zstd";
    case COMPRESSION_ESTARGZ:
        return "estargz";
    }
    return NULL;
}

int compression_parse(const char *name, enum compression *out, struct err *err)
{
    struct span s = span_of(name);
    for (enum compression c = COMPRESSION_NONE; c <= COMPRESSION_ESTARGZ; c++)
        if (span_is(s, compression_name(c)) || (c == COMPRESSION_NONE && span_is(s, "none"))) {
            *out = c;
            return 0;
        }
    return err_set(err, ERR_INVALID,
                   "compression \"%.*s\": is none of uncompressed, gzip, zstd, estargz",
                   SPAN_ARG(span_first(s, 64)));
}

enum compression compression_sniff(struct span head)
{
    if (span_starts(head, "\x1f\x8b\x08"))
        return COMPRESSION_GZIP;
    if (span_starts(head, "\x28\xb5\x2f\xfd"))
        return COMPRESSION_ZSTD;
    /* A skippable frame (0x184d2a50 to 5f) stands first in what zstd:chunked and pzstd write. */
    if (head.len >= 4 && (head.ptr[0] & 0xf0) == 0x50 &&
        span_starts(span_skip(head, 1), "\x2a\x4d\x18"))
        return COMPRESSION_ZSTD;
    return COMPRESSION_NONE;
}

/* ---- no compression: bytes pass ---- */

struct plain_writer {
    struct writer base;
    struct writer *below; /* borrowed */
};

static int plain_write(struct writer *base, struct span bytes, struct err *err)
{
    return writer_write(((struct plain_writer *)base)->below, bytes, err);
}

static void plain_writer_close(struct writer *base)
{
    free(base);
}

static struct writer *plain_writer(struct writer *below)
{
    static const struct writer_ops ops = { .write = plain_write, .close = plain_writer_close };
    struct plain_writer *w = xcalloc(1, sizeof *w);
    *w = (struct plain_writer){ .base.ops = &ops, .below = below };
    return &w->base;
}

struct plain_reader {
    struct reader base;
    struct reader *below; /* borrowed */
};

static int plain_read(struct reader *base, void *to, size_t cap, size_t *n, struct err *err)
{
    return reader_read(((struct plain_reader *)base)->below, to, cap, n, err);
}

static void plain_reader_close(struct reader *base)
{
    free(base);
}

static struct reader *plain_reader(struct reader *below)
{
    static const struct reader_ops ops = { .read = plain_read, .close = plain_reader_close };
    struct plain_reader *r = xcalloc(1, sizeof *r);
    *r = (struct plain_reader){ .base.ops = &ops, .below = below };
    return &r->base;
}

/* ---- */

struct writer *writer_compressing(struct writer *below, enum compression c, int level,
                                  struct pool *pool)
{
    switch (c) {
    case COMPRESSION_NONE:
        return plain_writer(below);
    case COMPRESSION_GZIP:
    case COMPRESSION_ESTARGZ:
        return gzip_writer(below, level, pool);
    case COMPRESSION_ZSTD:
        return zstd_writer(below, level, pool);
    }
    abort(); /* no value of the enum */
}

struct reader *reader_decompressing(struct reader *below, enum compression c)
{
    switch (c) {
    case COMPRESSION_NONE:
        return plain_reader(below);
    case COMPRESSION_GZIP:
    case COMPRESSION_ESTARGZ:
        return gzip_reader(below);
    case COMPRESSION_ZSTD:
        return zstd_reader(below);
    }
    abort(); /* no value of the enum */
}
